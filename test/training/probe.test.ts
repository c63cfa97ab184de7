import { describe, expect, it } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { floatTensor } from "../../src/graph/tensor.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { activationStatistics, featureRank, featureRows, nearestNeighbourProbe } from "../../src/training/probe.js";
import { normalTensor } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

/** F is one linear layer of three units, whose third hears nothing. */
function linear() {
  const net = new TestNetwork();
  const hidden = net.node("Gemm", ["x", net.weight("w", [3, 3]), net.weight("b", [3])]);
  const features = featureExtractor(
    net.build([3], net.node("Gemm", [net.node("Identity", [hidden]), net.weight("v", [3, 2])])),
  );
  const weights = new Map([
    ["w", Float32Array.of(2, 0, 0, 0, 1, 0, 0, 0, 0)],
    ["b", Float32Array.of(5, 0, 0)],
  ]);
  return { features, weights };
}

const options = { threads: 1 };

describe("probes", () => {
  const { features, weights } = linear();
  const count = 300;
  const samples = normalTensor("samples", [count, 3]);
  const labels = Array.from({ length: count }, (_, row) => (samples.data[row * 3 + 1] > 0 ? 1 : 0));
  const dataset = memoryDataset(samples.data, [3], labels);

  it("activationStatistics tells of means, deviations and constant units", async () => {
    const [found, ...others] = await activationStatistics(features, weights, dataset, 0, options);
    expect(others).toEqual([]);
    expect(found.layer).toBe("w");
    expect(found.mean).toBeCloseTo(5 / 3, 0);
    expect(found.constantUnits).toBeCloseTo(1 / 3, 6);
    // Of all values together: those of the units, and the units' means.
    const variance = (4 + 1 + 0) / 3 + ((5 - 5 / 3) ** 2 + 2 * (5 / 3) ** 2) / 3;
    expect(Math.abs(found.standardDeviation - Math.sqrt(variance))).toBeLessThan(0.2);
  });

  it("featureRows gives F's features", async () => {
    const { data, size } = await featureRows(features, weights, dataset, [4], options);
    expect(size).toBe(3);
    expect(data[0]).toBeCloseTo(2 * samples.data[12] + 5, 5);
    expect(data[2]).toBe(0);
  });

  it("featureRank lies between one and the number of units", async () => {
    const rank = await featureRank(features, weights, dataset, 0, options);
    expect(rank).toBeGreaterThan(1);
    expect(rank).toBeLessThan(2.01);
    const one = new Map([...weights, ["w", new Float32Array(9)]] as [string, Float32Array][]);
    expect(await featureRank(features, one, dataset, 0, options)).toBeLessThan(1.01);
  });

  it("nearestNeighbourProbe is high where features tell the labels, and chance where they do not", async () => {
    const telling = new Map([...weights, ["w", Float32Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0)]] as [
      string,
      Float32Array,
    ][]);
    const silent = new Map([...weights, ["w", Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0)]] as [string, Float32Array][]);
    expect(await nearestNeighbourProbe(features, telling, dataset, 0, options)).toBeGreaterThan(0.9);
    const chance = await nearestNeighbourProbe(features, silent, dataset, 0, options);
    expect(chance).toBeGreaterThan(0.2);
    expect(chance).toBeLessThan(0.8);
  });

  it("nearestNeighbourProbe says nothing without labels or with few samples", async () => {
    const plain = memoryDataset(samples.data, [3]);
    expect(await nearestNeighbourProbe(features, weights, plain, 0, options)).toBeUndefined();
    const few = memoryDataset(floatTensor(samples.data.slice(0, 90)).data, [3], labels.slice(0, 30));
    expect(await nearestNeighbourProbe(features, weights, few, 0, options)).toBeUndefined();
    const mostUnknown = { ...dataset, labels: Int32Array.from(labels, (label, row) => (row < 90 ? label : -1)) };
    expect(await nearestNeighbourProbe(features, weights, mostUnknown, 0, options)).toBeUndefined();
    const values = Float64Array.from(labels, (_, row) => row);
    const numbers = { ...dataset, labels: Int32Array.from(values), targets: { names: ["price"], values } };
    expect(await nearestNeighbourProbe(features, weights, numbers, 0, options)).toBeUndefined();
  });

  it("nearestNeighbourProbe leaves out samples of unknown class", async () => {
    const telling = new Map([...weights, ["w", Float32Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0)]] as [
      string,
      Float32Array,
    ][]);
    const halfKnown = { ...dataset, labels: Int32Array.from(labels, (label, row) => (row % 2 ? label : -1)) };
    expect(await nearestNeighbourProbe(features, telling, halfKnown, 0, options)).toBeGreaterThan(0.9);
  });
});
