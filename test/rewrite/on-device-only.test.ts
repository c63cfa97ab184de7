import { describe, expect, it } from "vitest";
import type { Value } from "../../src/graph/builder.js";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, type Tensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { onDeviceOnly } from "../../src/rewrite/on-device-only.js";
import { rewriteGraph } from "../../src/rewrite/rewrite-graph.js";
import { normalTensor, runOnce } from "../support/run-graph.js";

function graphsOf(
  feeds: Readonly<Record<string, Tensor>>,
  write: (emit: Emitter, inputs: Record<string, Value>) => Value,
) {
  const emit = new Emitter();
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, { type, shape }]) => [name, emit.input(name, type, shape)]),
  );
  emit.output("result", write(emit, inputs));
  const plain = emit.build("plain");
  const rewritten = rewriteGraph(plain, onDeviceOnly());
  return { plain, rewritten, operators: new Set(rewritten.nodes.map(({ op }) => op)) };
}

async function expectEqualResults(
  feeds: Readonly<Record<string, Tensor>>,
  write: (emit: Emitter, inputs: Record<string, Value>) => Value,
  gone: readonly string[],
): Promise<void> {
  const { plain, rewritten, operators } = graphsOf(feeds, write);
  for (const op of gone) expect(operators.has(op), op).toBe(false);
  const [expected, got] = [(await runOnce(plain, feeds)).result, (await runOnce(rewritten, feeds)).result];
  expect(got.shape).toEqual(expected.shape);
  (expected.data as Float32Array).forEach((value, index) => {
    expect((got.data as Float32Array)[index]).toBeCloseTo(value, 5);
  });
}

const argMax = (emit: Emitter, x: Value, more: Record<string, number> = {}): Value =>
  emit.one(
    "ArgMax",
    [x],
    Object.fromEntries(
      Object.entries({ axis: 1, keepdims: 0, ...more }).map(([name, value]) => [name, attribute.int(value)]),
    ),
  );

describe("onDeviceOnly", () => {
  it.each([1, -1, 0])("LogSoftmax along axis %i, of large numbers, too", async (axis) => {
    const x = normalTensor("x", [5, 7], 200);
    await expectEqualResults(
      { x },
      (emit, inputs) => emit.one("LogSoftmax", [inputs.x], { axis: attribute.int(axis) }),
      ["LogSoftmax"],
    );
  });

  it("Equal of two ArgMax, the first of equals being the largest", async () => {
    const x = floatTensor(Float32Array.of(0, 0, 0, 1, 3, 3, -1, -2, -1, 5, 4, 6), [4, 3]);
    const y = floatTensor(Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1), [4, 3]);
    const write = (emit: Emitter, inputs: Record<string, Value>): Value =>
      emit.indicator(emit.equal(argMax(emit, inputs.x), argMax(emit, inputs.y)));
    await expectEqualResults({ x, y }, write, []);
    const { plain, rewritten } = graphsOf({ x, y }, write);
    expect([...(await runOnce(rewritten, { x, y })).result.data]).toEqual([1, 1, 0, 1]);
    const read = (graph: typeof plain): string[] =>
      graph.nodes
        .find(({ op }) => op === "Equal")!
        .inputs.map((name) => graph.nodes.find(({ outputs }) => outputs.includes(name))!.op);
    expect(read(plain)).toEqual(["ArgMax", "ArgMax"]);
    expect(read(rewritten)).toEqual(["ReduceMin", "ReduceMin"]);
  });

  it("leaves ArgMax that takes the last of equals, and whole numbers of other origin", () => {
    const x = normalTensor("x", [4, 3]);
    const last = graphsOf({ x }, (emit, inputs) =>
      emit.indicator(emit.equal(argMax(emit, inputs.x, { select_last_index: 1 }), argMax(emit, inputs.x))),
    );
    expect(last.rewritten.nodes).toEqual(last.plain.nodes);
    const constant = graphsOf({ x }, (emit, inputs) =>
      emit.indicator(emit.equal(argMax(emit, inputs.x), emit.ints([0, 1, 2, 1]))),
    );
    expect(constant.rewritten.nodes).toEqual(constant.plain.nodes);
  });

  it.each([[[6, 4]], [[3, 4, 5]], [[2, 4, 3, 3]]])("BatchNormalization of %j", async (shape) => {
    const feeds = {
      x: normalTensor("x", shape, 3, 1),
      scale: normalTensor("scale", [4]),
      shift: normalTensor("shift", [4]),
      mean: normalTensor("mean", [4]),
      variance: floatTensor(Float32Array.of(0.1, 1, 2, 9), [4]),
    };
    const write = (emit: Emitter, { x, scale, shift, mean, variance }: Record<string, Value>): Value =>
      emit.one("BatchNormalization", [x, scale, shift, mean, variance], { epsilon: attribute.float(0.01) });
    await expectEqualResults(feeds, write, ["BatchNormalization"]);
  });
});
