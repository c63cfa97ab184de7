import { describe, expect, it } from "vitest";
import type { Value } from "../../src/graph/builder.js";
import type { Attributes } from "../../src/graph/graph.js";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, intTensor, numbersOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { fitBatch } from "../../src/ops/fit-batch.js";
import { RuleError } from "../../src/ops/operator.js";

/** The model's size of a batch. */
const declared = 2;

/** What a node of a sample's values and others gives on a batch of another size. */
function fitted(
  emit: Emitter,
  op: string,
  inputs: readonly Value[],
  sampled: readonly number[],
  actual: number,
  attributes: Attributes = {},
): Value {
  const node = { op, domain: "", name: op, inputs: inputs.map(({ name }) => name), outputs: ["y"], attributes };
  const fromSample = inputs.map((_, index) => sampled.includes(index));
  return emit.one(op, fitBatch({ emit, node, inputs, fromSample }, declared, actual), attributes);
}

describe("fitBatch", () => {
  it.each([1, 3])("expands gates to a batch of %i", (batch) => {
    const emit = new Emitter();
    const gates = emit.input("gates", "float32", [batch, 4, 1]);
    expect(fitted(emit, "Expand", [gates, emit.ints([2, 4, 5])], [0], batch).shape).toEqual([batch, 4, 5]);
    // Also where a leading axis is added.
    expect(fitted(emit, "Expand", [gates, emit.ints([6, 2, 4, 5])], [0], batch).shape).toEqual([6, batch, 4, 5]);
  });

  it("leaves what is expanded along other axes, or does not depend on the sample", () => {
    const emit = new Emitter();
    const positions = emit.input("positions", "float32", [1, 3, 4]);
    expect(fitted(emit, "Expand", [positions, emit.ints([2, 3, 4])], [0], 3).shape).toEqual([2, 3, 4]);
    expect(fitted(emit, "Expand", [positions, emit.ints([2, 3, 4])], [], 1).shape).toEqual([2, 3, 4]);
  });

  it.each([1, 3])("repeats a learned token for a batch of %i", (batch) => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [batch, 3, 4]);
    for (const shape of [[1, 1, 4], [4]]) {
      const token = emit.expand(emit.input(`token${shape.length}`, "float32", shape), [2, 1, 4]);
      const joined = fitted(emit, "Concat", [token, x], [1], batch, { axis: attribute.int(1) });
      expect(joined.shape).toEqual([batch, 4, 4]);
    }
  });

  it("repeats constants that are alike in each sample, and no others", () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [3, 2]);
    const alike = emit.constant(floatTensor([1, -0, 1, -0], [2, 2]));
    const sum = fitted(emit, "Add", [x, alike], [0], 3);
    expect(sum.shape).toEqual([3, 2]);
    const [, added] = emit.producerOf(sum)?.inputs ?? [];
    expect(numbersOf(added!.constant!)).toEqual([1, -0]);
    const other = emit.constant(floatTensor([1, 0, 1, -0], [2, 2]));
    expect(() => fitted(emit, "Add", [x, other], [0], 3)).toThrow(RuleError);
    const learned = emit.input("bias", "float32", [2, 2]);
    expect(() => fitted(emit, "Add", [x, learned], [0], 3)).toThrow(RuleError);
  });

  it("takes two rows for what they are beside an axis that is not the batch's", () => {
    const emit = new Emitter();
    const rows = emit.constant(floatTensor([1, 1], [2, 1]));
    for (const [shape, batch] of [
      [[1, 5], 1],
      [[2, 5], 3],
    ] as const) {
      const x = emit.input(`x${batch}`, "float32", shape);
      expect(fitted(emit, "Mul", [x, rows], [0], batch).shape).toEqual([2, 5]);
    }
    const integers = emit.constant(intTensor([1, 1], [2, 1]));
    expect(fitted(emit, "Gather", [emit.input("x", "float32", [3, 9]), integers], [0], 3).shape).toEqual([2, 1, 9]);
  });

  it("gives a shape the batch where it stands, in front or further inside", () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [3, 4, 5]);
    expect(fitted(emit, "Reshape", [x, emit.ints([2, 20])], [0], 3).shape).toEqual([3, 20]);
    const state = emit.input("state", "float32", [4, 3, 5]);
    expect(fitted(emit, "Reshape", [state, emit.ints([1, 4, 2, 5])], [0], 3).shape).toEqual([1, 4, 3, 5]);
  });
});
