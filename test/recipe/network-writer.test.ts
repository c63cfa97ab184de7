import { expect, it } from "vitest";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import { initializers } from "../../src/initializers/initializers.js";
import { type Feature, NetworkWriter, type NetworkWriterOptions } from "../../src/recipe/network-writer.js";
import { openSerialized } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";

const defaults: NetworkWriterOptions = {
  inputShape: [12, 3, 2],
  initializer: initializers.get("ones")!,
  seed: 0,
  activation: "relu",
  operator: "Relu",
  normalization: "none",
};
const input = normalTensor("input", [2, 12, 3, 2], 2, 0.5);

/** What a part of a network makes of the input. */
async function evaluate(
  options: Partial<NetworkWriterOptions>,
  part: (writer: NetworkWriter) => Feature,
): Promise<Float32Array> {
  const writer = new NetworkWriter({ ...defaults, ...options });
  const graph = writer.build("part", writer.flatten(part(writer)), { name: "logits", size: 72 });
  const session = await openSerialized(serializeGraph(graph, 17), { threads: 1 });
  try {
    return (await session.run({ input })).logits.data as Float32Array;
  } finally {
    await session.release();
  }
}

function expectClose(found: Float32Array, expected: ArrayLike<number>): void {
  expect(found.length).toBe(expected.length);
  for (const [index, element] of found.entries()) expect(Math.abs(element - expected[index])).toBeLessThan(1e-5);
}

/** Each run of so many elements, less its mean, divided by its standard deviation. */
function standardized(length: number): number[] {
  return Array.from(input.data, (element, index) => {
    const start = index - (index % length);
    const run = input.data.slice(start, start + length);
    const mean = run.reduce((sum, each) => sum + each, 0) / length;
    const variance = run.reduce((sum, each) => sum + (each - mean) ** 2, 0) / length;
    return (element - mean) / Math.sqrt(variance + 1e-5);
  });
}

// 12 channels of 6 positions: 4 groups (the greatest divisor that 12 and 8 share) of 3 channels.
it.each([
  ["layer", 72],
  ["group", 18],
  ["instance", 6],
] as const)("normalises by %s", async (normalization, together) => {
  expectClose(
    await evaluate({ normalization }, (writer) => writer.normalize(writer.input, "norm")),
    standardized(together),
  );
});

it("passes samples through fresh batch normalisation", async () => {
  const found = await evaluate({ normalization: "batch" }, (writer) => writer.normalize(writer.input, "norm"));
  expectClose(
    found,
    input.data.map((element) => element / Math.sqrt(1 + 1e-5)),
  );
});

it("writes gelu as x times the normal distribution's cumulative function", async () => {
  // Φ by Simpson's rule, from −8 on.
  const cumulative = (x: number): number => {
    const steps = 2000;
    const width = (x + 8) / steps;
    let sum = 0;
    for (let step = 0; step <= steps; step++) {
      const factor = step === 0 || step === steps ? 1 : step % 2 === 1 ? 4 : 2;
      sum += factor * Math.exp(-((-8 + step * width) ** 2) / 2);
    }
    return (sum * width) / 3 / Math.sqrt(2 * Math.PI);
  };
  const found = await evaluate({ activation: "gelu", operator: undefined }, (writer) =>
    writer.activate(writer.input, "act"),
  );
  expectClose(
    found,
    Array.from(input.data, (x) => x * cumulative(x)),
  );
});

it("writes silu as x times its sigmoid", async () => {
  const found = await evaluate({ activation: "silu", operator: undefined }, (writer) =>
    writer.activate(writer.input, "act"),
  );
  expectClose(
    found,
    input.data.map((x) => x / (1 + Math.exp(-x))),
  );
});

it("reads PyTorch's layout of a linear layer", () => {
  const writer = new NetworkWriter({ ...defaults, inputShape: [3] });
  const graph = writer.build("part", writer.linear(writer.input, "layer", 5), { name: "logits", size: 5 });
  expect(graph.initializers.get("layer.weight")?.shape).toEqual([5, 3]);
  expect(graph.nodes[0]).toMatchObject({ op: "Gemm", outputs: ["logits"], attributes: { transB: { value: 1 } } });
});
