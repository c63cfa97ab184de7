import { describe, expect, it } from "vitest";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import type { Network } from "../../src/ops/network.js";
import { logitsName, mapScores, type OutputMaps, outputMaps } from "../../src/recipe/network-outputs.js";
import { runGraph } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

/** A 1×1 convolution of [3, 4, 6] to so many scores, and what `end` makes of them. */
function segmenter(
  scores: number,
  end: (net: TestNetwork, scores: string) => string,
): { network: Network; conv: string } {
  const net = new TestNetwork();
  const conv = net.node("Conv", ["x", net.weight("w", [scores, 3, 1, 1])]);
  return { network: net.build([3, 4, 6], end(net, conv)), conv };
}

const channelsLast = (net: TestNetwork, from: string) => net.node("Transpose", [from], { perm: [0, 2, 3, 1] });

describe("outputMaps", () => {
  it.each<[string, number, (net: TestNetwork, scores: string) => string, Omit<OutputMaps, "logits">]>([
    ["scores first", 5, (_, from) => from, { scores: 5, positions: [4, 6], axis: 1 }],
    ["scores last", 5, channelsLast, { scores: 5, positions: [4, 6], axis: 3 }],
    // As many scores as the picture has rows: a Softmax tells.
    [
      "a Softmax over the last axis",
      4,
      (net, from) => net.node("Softmax", [channelsLast(net, from)], { axis: -1 }),
      { scores: 4, positions: [4, 6], axis: 3 },
    ],
    [
      "positions in one axis",
      5,
      (net, from) => net.node("Reshape", [channelsLast(net, from), net.ints([0, 24, 5])]),
      { scores: 5, positions: [24], axis: 2 },
    ],
    [
      "a smaller map",
      5,
      (net, from) => net.node("MaxPool", [from], { kernel_shape: [2, 2], strides: [2, 2] }),
      { scores: 5, positions: [2, 3], axis: 1 },
    ],
    ["a single score", 1, (_, from) => from, { scores: 1, positions: [4, 6], axis: 1 }],
    [
      "a single score without an axis",
      1,
      (net, from) => net.node("Squeeze", [from, net.ints([1])]),
      {
        scores: 1,
        positions: [4, 6],
        axis: undefined,
      },
    ],
  ])("reads %s", (_, scores, end, expected) => {
    const { network } = segmenter(scores, end);
    expect(outputMaps(network)).toMatchObject(expected);
  });

  it("leaves out a final Softmax, and the Sigmoid of a single score", () => {
    for (const [scores, end] of [
      [5, (net, from) => net.node("Softmax", [from], { axis: 1 })],
      [1, (net, from) => net.node("Sigmoid", [from])],
      [1, (net, from) => net.node("Squeeze", [net.node("Sigmoid", [from]), net.ints([1])])],
      // As Keras' layers are translated.
      [5, (net, from) => channelsLast(net, net.node("Softmax", [from], { axis: 1 }))],
      [1, (net, from) => channelsLast(net, net.node("Sigmoid", [from]))],
      [
        5,
        (net, from) =>
          net.node("Reshape", [channelsLast(net, net.node("Softmax", [from], { axis: 1 })), net.ints([0, 24, 5])]),
      ],
    ] satisfies [number, (net: TestNetwork, from: string) => string][]) {
      const { network, conv } = segmenter(scores, end);
      expect(outputMaps(network)?.logits).toBe(conv);
      expect(logitsName(network, "map-cross-entropy")).toBe(conv);
    }
  });

  it("tells a smaller map of many scores by the picture's proportions", () => {
    const net = new TestNetwork();
    const conv = net.node("Conv", ["x", net.weight("w", [21, 3, 4, 4])], { strides: [4, 4] });
    expect(outputMaps(net.build([3, 64, 32], conv))).toMatchObject({ scores: 21, positions: [16, 8], axis: 1 });
  });

  it("takes a Softmax for what it is where its positions are exchanged behind it", () => {
    const { network } = segmenter(5, (net, from) =>
      net.node("Transpose", [net.node("Softmax", [from], { axis: 1 })], { perm: [0, 3, 2, 1] }),
    );
    expect(outputMaps(network)).toMatchObject({ logits: network.graph.outputs[0].name, axis: 3, positions: [6, 4] });
  });

  it("finds none where scores lie between positions", () => {
    const { network } = segmenter(5, (net, from) =>
      net.node("Softmax", [net.node("Transpose", [from], { perm: [0, 2, 1, 3] })], { axis: 2 }),
    );
    expect(() => logitsName(network, "map-cross-entropy")).toThrow(/required one output of class scores at each/);
  });

  it("reads signals, of one class too", () => {
    const net = new TestNetwork();
    const conv = net.node("Conv", ["x", net.weight("w", [2, 2, 3])], { pads: [1, 1] });
    expect(outputMaps(net.build([2, 9], conv))).toMatchObject({ scores: 2, positions: [9], axis: 1 });
    const single = new TestNetwork();
    const end = single.node("Conv", ["x", single.weight("w", [1, 2, 3])], { pads: [1, 1] });
    expect(outputMaps(single.build([2, 9], end))).toMatchObject({ scores: 1, positions: [9], axis: 1 });
  });

  it("finds none in rows of scores", () => {
    const pooled = (net: TestNetwork, from: string) => net.node("GlobalAveragePool", [from]);
    for (const end of [
      pooled,
      (net: TestNetwork, from: string) => net.node("Flatten", [pooled(net, from)]),
      (net: TestNetwork, from: string) => channelsLast(net, pooled(net, from)),
    ]) {
      const { network } = segmenter(5, end);
      expect(outputMaps(network)).toBeUndefined();
      expect(() => logitsName(network, "map-cross-entropy")).toThrow(
        /required one output of class scores at each position/,
      );
    }
  });
});

it("scores are brought to [batch, classes, positions]", async () => {
  const first = [1, 2, 3, 4, 5, 6, 7, 8];
  const read = async (values: number[], shape: number[], maps: Omit<OutputMaps, "logits">) => {
    const { scores } = await runGraph({ values: floatTensor(values, shape) }, (emit, v) => ({
      scores: mapScores(emit, { ...maps, logits: "" }, v.values),
    }));
    return { shape: scores.shape, numbers: [...numbersOf(scores)] };
  };
  const expected = { shape: [1, 2, 4], numbers: first };
  expect(await read(first, [1, 2, 2, 2], { scores: 2, positions: [2, 2], axis: 1 })).toEqual(expected);
  const last = [1, 5, 2, 6, 3, 7, 4, 8];
  expect(await read(last, [1, 2, 2, 2], { scores: 2, positions: [2, 2], axis: 3 })).toEqual(expected);
  const binary = { shape: [1, 2, 4], numbers: [0, 0, 0, 0, 1, 2, 3, 4] };
  expect(await read([1, 2, 3, 4], [1, 2, 2, 1], { scores: 1, positions: [2, 2], axis: 3 })).toEqual(binary);
  expect(await read([1, 2, 3, 4], [1, 2, 2], { scores: 1, positions: [2, 2], axis: undefined })).toEqual(binary);
});
