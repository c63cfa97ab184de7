import { describe, expect, it } from "vitest";
import { featuresNote } from "../../src/library/features-note.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { MapNetwork, smallUnet } from "../support/map-network.js";

const weightsOf = (features: ReturnType<typeof featureExtractor>) => features.layers.map(({ weight }) => weight.name);

describe("F of a network that enlarges its maps again", () => {
  it("ends with the encoder, whatever enlarges, and a note says so", () => {
    const enlargements: Record<string, (net: MapNetwork, from: string) => string> = {
      Resize: (net, from) => net.enlarged(from),
      ConvTranspose: (net, from) =>
        net.node("ConvTranspose", [from, net.weight("up", [6, 6, 2, 2])], { strides: [2, 2] }),
      DepthToSpace: (net, from) =>
        net.node("DepthToSpace", [net.node("Conv", [from, net.weight("up", [24, 6, 1, 1])])], { blocksize: 2 }),
    };
    for (const [operator, enlarge] of Object.entries(enlargements)) {
      const net = new MapNetwork();
      const { encoder, last } = smallUnet(net, (from) => enlarge(net, from));
      const features = featureExtractor(net.build([1, 8, 8], net.convolution(last, "head", 4, 2)));
      // Channels that become positions are still made where the map is small.
      if (operator === "DepthToSpace") expect(weightsOf(features)).toEqual(["encoder.0", "encoder.1", "up"]);
      else expect(features.feature).toBe(encoder);
      const note = featuresNote(features, undefined);
      expect(note).toContain(`at ${operator} `);
      expect(note).toContain(`F ends in front of that, at ${features.feature},`);
      expect(featuresNote(features, features.feature)).toBeUndefined();
      // Named, it may end anywhere.
      const whole = featureExtractor(features.network, last);
      expect(weightsOf(whole)).toContain("decoder");
      expect(whole.enlargement).toBeUndefined();
    }
  });

  it("ends with the smallest map, not the first that is enlarged, and not one of a single position", () => {
    const net = new MapNetwork();
    const first = net.convolution("x", "first", 1, 4);
    const second = net.convolution(first, "second", 4, 4, 2);
    const early = net.node("Add", [first, net.enlarged(second)]);
    const third = net.convolution(second, "third", 4, 4, 2);
    const pooled = net.enlarged(net.convolution(net.node("GlobalAveragePool", [third]), "pooled", 4, 4), 2);
    const deepest = net.node("Add", [third, pooled]);
    const up = net.node("Add", [second, net.enlarged(deepest)]);
    const last = net.node("Add", [early, net.enlarged(up)]);
    const features = featureExtractor(net.build([1, 8, 8], net.convolution(last, "head", 4, 2)));
    expect(features.feature).toBe(deepest);
    expect(weightsOf(features)).toEqual(["first", "second", "third", "pooled"]);
  });

  it("is as everywhere where samples alone are enlarged, behind the last layer, or in front of a dense one", () => {
    const sample = new MapNetwork();
    const fromLarger = sample.convolution(sample.enlarged("x"), "first", 1, 4);
    expect(featureExtractor(sample.build([1, 8, 8], sample.convolution(fromLarger, "head", 4, 2))).feature).toBe(
      fromLarger,
    );
    const behind = new MapNetwork();
    const small = behind.convolution("x", "first", 1, 4, 2);
    const scores = behind.enlarged(behind.convolution(small, "head", 4, 2));
    expect(featureExtractor(behind.build([1, 8, 8], scores)).feature).toBe(small);
    const dense = new MapNetwork();
    const { last } = smallUnet(dense, (from) => dense.enlarged(from));
    const flat = dense.node("Flatten", [dense.node("GlobalAveragePool", [last])]);
    const classes = dense.node("Gemm", [flat, dense.weight("classifier", [4, 3])]);
    expect(featureExtractor(dense.build([1, 8, 8], classes)).feature).toBe(flat);
  });

  it("is as everywhere where the decoder has an operator that is not known", () => {
    const net = new MapNetwork();
    const { last } = smallUnet(net, (from) => net.enlarged(from));
    const strange = net.node("Unheard", [last]);
    const network = net.build([1, 8, 8], net.convolution(strange, "head", 4, 2));
    expect(featureExtractor(network).feature).toBe(strange);
  });
});
