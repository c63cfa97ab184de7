/** Holds an operator's entry against ONNX Runtime: types and shapes, folded constants, gradients. */
import { expect } from "vitest";
import type { Value } from "../../src/graph/builder.js";
import type { Attributes } from "../../src/graph/graph.js";
import { numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { type CheckOptions, checkGradients } from "./check-gradients.js";
import { runGraph } from "./run-graph.js";

/** One node to check. */
export interface OperatorCase {
  /** Tells apart cases of one operator. */
  readonly variant?: string;
  readonly op: string;
  /** undefined stands for an omitted optional input. */
  readonly inputs: readonly (Tensor | undefined)[];
  /** Positions of the inputs that are constants of the graph (axes, ...). */
  readonly constants?: readonly number[];
  readonly attributes?: Attributes;
  readonly outputCount?: number;
  /** Settings of the gradient check. */
  readonly check?: CheckOptions;
}

/** A test's title for a case. */
export function titleOf({ op, variant }: OperatorCase): string {
  return variant ? `${op}: ${variant}` : op;
}

const keyOf = (index: number): string => `input${index}`;

function fedInputs({ inputs, constants = [] }: OperatorCase): Record<string, Tensor> {
  const fed: Record<string, Tensor> = {};
  inputs.forEach((tensor, index) => {
    if (tensor && !constants.includes(index)) fed[keyOf(index)] = tensor;
  });
  return fed;
}

function emitCase(testCase: OperatorCase, emit: Emitter, fed: Record<string, Value>): readonly Value[] {
  const { op, inputs, attributes = {}, outputCount = 1 } = testCase;
  const values = inputs.map((tensor, index) => tensor && (fed[keyOf(index)] ?? emit.constant(tensor)));
  return emit.node(op, values, attributes, outputCount);
}

/** Runs the node and expects the types and shapes that its shape rule gave. Gives the outputs. */
export async function expectShapesAsRun(testCase: OperatorCase): Promise<Tensor[]> {
  let promised: readonly Value[] = [];
  const results = await runGraph(fedInputs(testCase), (emit, fed) => {
    promised = emitCase(testCase, emit, fed);
    return Object.fromEntries(promised.map((value, index) => [`output${index}`, value]));
  });
  return promised.map(({ type, shape }, index) => {
    const result = results[`output${index}`];
    expect({ type: result.type, shape: [...result.shape] }).toEqual({ type, shape: [...shape] });
    return result;
  });
}

/** Expects that the node, given constants only, becomes a constant with the elements that ONNX Runtime computes. */
export async function expectFoldAsRun(testCase: OperatorCase): Promise<void> {
  const emit = new Emitter();
  const folded = emitCase(testCase, emit, {}).map(({ constant }) => constant);
  expect(emit.nodes).toEqual([]);
  const run = await expectShapesAsRun(testCase);
  run.forEach((expected, index) => {
    const actual = folded[index]!;
    expect({ type: actual.type, shape: [...actual.shape] }).toEqual({
      type: expected.type,
      shape: [...expected.shape],
    });
    expect(actual.data.constructor).toBe(expected.data.constructor);
    numbersOf(expected).forEach((element, position) => {
      const ours = numbersOf(actual)[position];
      // Transcendental functions and sums in another order may differ in the last bits.
      const slack = expected.type === "float32" ? 2e-7 * Math.max(1, Math.abs(element)) : 0;
      if (Number.isFinite(element)) expect(Math.abs(ours - element)).toBeLessThanOrEqual(slack);
      else expect(ours).toBe(element);
    });
  });
}

/** Compares the node's gradients, first and second order, with differences. */
export async function expectGradients(testCase: OperatorCase): Promise<void> {
  await checkGradients(
    fedInputs(testCase),
    (emit, fed) => [...emitCase(testCase, emit, fed)].filter(({ type }) => type === "float32"),
    testCase.check,
  );
}
