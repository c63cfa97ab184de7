import { describe, expect, it } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { InterruptedError } from "../../src/errors.js";
import { RandomStream } from "../../src/random/stream.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import type { Weights } from "../../src/recipe/initial-values.js";
import { accuracyOf, crossEntropyOf, evaluate } from "../../src/training/evaluate.js";
import { type HeadStartOptions, headStart, requireHeadStart } from "../../src/training/head-start.js";
import { LabelledFeatures } from "../../src/training/labelled-features.js";
import { discriminantScores, requireWidth } from "../../src/training/linear-discriminant.js";
import { toyNetwork } from "../support/toy-data.js";

const options = { threads: 1 };
const width = 6;

/** F with the identity, so that features are the samples where these are not negative. */
const network = toyNetwork({ template: "mlp", inputShape: [width], widths: [width], classes: 3 });
const features = featureExtractor(network);
const identity: Weights = new Map(
  [...network.parameters].map(([name, { shape }]) => {
    const elements = new Float32Array(shape.reduce((a, b) => a * b, 1));
    if (shape.length === 2 && shape[0] === width && shape[1] === width)
      for (let unit = 0; unit < width; unit++) elements[unit * width + unit] = 1;
    return [name, elements];
  }),
);

/**
 * Normal samples of three classes with one covariance in which two features vary much and together, across the direction in
 * which the classes differ: the nearest mean tells them badly, the discriminant well.
 */
function normalSamples(count: number, seed: number, shares: readonly number[] = [1, 1, 1]) {
  const stream = new RandomStream(seed, "normal-samples");
  const values = new Float32Array(count * width);
  const labels = new Int32Array(count);
  const all = shares.reduce((a, b) => a + b, 0);
  for (let sample = 0; sample < count; sample++) {
    let drawn = stream.below(all);
    const label = shares.findIndex((share) => {
      drawn -= share;
      return drawn < 0;
    });
    const common = 6 * stream.normal();
    for (let column = 0; column < width; column++) {
      const mean = column === 0 ? 2 * label : column === 2 && label === 1 ? 2 : 0;
      values[sample * width + column] = 60 + mean + stream.normal() + (column < 2 ? common : 0);
    }
    labels[sample] = label;
  }
  return { ...memoryDataset(values, [width], undefined, { normalise: "none" }), labels };
}

/** The head from these samples, which stand for those without labels, too. */
function headOf(labelled: Dataset, seed = 0, more: HeadStartOptions = {}): Promise<Weights> {
  return headStart(
    "linear-discriminant",
    features,
    identity,
    { labelled, unlabelled: labelled, seed },
    { ...options, ...more },
  );
}

async function scoresWith(head: Weights, data: ReturnType<typeof normalSamples>) {
  const all = Array.from({ length: data.count }, (_, index) => index);
  return evaluate(network, network.graph.outputs[0].name, new Map([...identity, ...head]), data, all, options);
}

describe("a head by linear discriminant", () => {
  it("tells apart what the nearest mean cannot", async () => {
    const samples = { labelled: normalSamples(600, 0), unlabelled: normalSamples(10, 1), seed: 0 };
    const test = normalSamples(3000, 2);
    const accuracy = async (kind: "class-means" | "linear-discriminant"): Promise<number> =>
      accuracyOf(await scoresWith(await headStart(kind, features, identity, samples, options), test), test.labels);
    expect(await accuracy("class-means")).toBeLessThan(0.6);
    expect(await accuracy("linear-discriminant")).toBeGreaterThan(0.75);
  });

  it("gives nearly the probabilities of the distributions that samples come from", async () => {
    const shares = [6, 3, 1];
    const labelled = normalSamples(4000, 0, shares);
    const test = normalSamples(4000, 2, shares);
    const head = await headOf(labelled);
    const found = crossEntropyOf(await scoresWith(head, test), test.labels);
    // Bayes' rule with the true means, covariance and shares: x0 − x1 has variance 2 given the class, and x1 − 60 the rest.
    const bayes = new Float32Array(test.count * 3);
    const raw = new Float32Array(test.count * width);
    await test.read(
      Uint32Array.from({ length: test.count }, (_, index) => index),
      raw,
    );
    for (let row = 0; row < test.count; row++) {
      const [x0, x1, x2] = raw.subarray(row * width, row * width + 3);
      for (let label = 0; label < 3; label++) {
        const [a, b] = [x0 - 60 - 2 * label, x1 - 60];
        // The inverse of [[37, 36], [36, 37]].
        const square = (37 * a * a - 72 * a * b + 37 * b * b) / 73;
        bayes[row * 3 + label] = Math.log(shares[label] / 10) - square / 2 - (x2 - 60 - (label === 1 ? 2 : 0)) ** 2 / 2;
      }
    }
    const best = crossEntropyOf({ data: bayes, shape: [test.count, 3] }, test.labels);
    expect(best).toBeGreaterThan(0.2);
    expect(found).toBeLessThan(best + 0.02);
    expect(found).toBeGreaterThan(best - 0.01);
  });

  it("makes its scores of the covariance within classes", async () => {
    const labelled = normalSamples(500, 4, [5, 2, 3]);
    const read = await LabelledFeatures.open(features, identity, labelled, width, options);
    const { scores, account } = await discriminantScores(read, 3, 0, options);
    await read.release();
    // The same from its definition, in double precision.
    const raw = new Float32Array(500 * width);
    await labelled.read(
      Uint32Array.from({ length: 500 }, (_, index) => index),
      raw,
    );
    const rows = Array.from({ length: 500 }, (_, row) => Array.from(raw.subarray(row * width, (row + 1) * width)));
    const meanOf = (some: readonly number[][]) =>
      some[0].map((_, column) => some.reduce((sum, row) => sum + row[column], 0) / some.length);
    const ofClass = [0, 1, 2].map((label) => rows.filter((_, row) => labelled.labels[row] === label));
    const means = ofClass.map(meanOf);
    const whole = meanOf(rows);
    const within = whole.map((_, a) =>
      whole.map((_, b) => {
        const products = rows.map((row, index) => {
          const mean = means[labelled.labels[index]];
          return (row[a] - mean[a]) * (row[b] - mean[b]);
        });
        return products.reduce((sum, value) => sum + value, 0) / 500;
      }),
    );
    const variance = within.reduce((sum, row, a) => sum + row[a], 0) / width;
    const { shrinkage } = account;
    expect(shrinkage).toBeLessThan(0.5);
    // The covariance times a slope gives back how the class differs from the mean of all, but for one factor.
    const back = scores.map(({ slope }) =>
      within.map(
        (row, a) =>
          row.reduce((sum, value, b) => sum + (1 - shrinkage) * value * slope[b], 0) + shrinkage * variance * slope[a],
      ),
    );
    const factor = back[0][0] / (means[0][0] - whole[0]);
    expect(factor).toBeGreaterThan(0);
    scores.forEach(({ slope, offset }, label) => {
      for (let column = 0; column < width; column++)
        expect(back[label][column] / factor).toBeCloseTo(means[label][column] - whole[column], 2);
      const prior = Math.log((ofClass[label].length + 1) / 503);
      const half = slope.reduce((sum, value, column) => sum + (value * (means[label][column] + whole[column])) / 2, 0);
      expect(offset).toBeCloseTo(prior - half, 2);
    });
  });

  it("finds nothing where labels say nothing of the features", async () => {
    const wide = 48;
    const some = toyNetwork({ template: "mlp", inputShape: [wide], widths: [wide], classes: 3 });
    const stream = new RandomStream(0, "noise");
    const values = Float32Array.from({ length: 90 * wide }, () => 60 + stream.normal());
    const labels = Int32Array.from({ length: 90 }, () => stream.below(3));
    const labelled = { ...memoryDataset(values, [wide], undefined, { normalise: "none" }), labels };
    const weights: Weights = new Map(
      [...some.parameters].map(([name, { shape }]) => {
        const isSquare = shape.length === 2 && shape[0] === wide && shape[1] === wide;
        const size = shape.reduce((a, b) => a * b, 1);
        return [name, Float32Array.from({ length: size }, (_, at) => (isSquare && at % (wide + 1) === 0 ? 1 : 0))];
      }),
    );
    const read = await LabelledFeatures.open(featureExtractor(some), weights, labelled, wide, options);
    const { account } = await discriminantScores(read, 3, 0, options);
    await read.release();
    // With as many features, samples that it was made of would be told nearly all.
    expect(account.heldOut).toBe(90);
    expect(account.accuracy).toBeLessThan(0.5);
  });

  it.each([
    ["kept", 2500 * width, [...Array.from({ length: 19 }, (_, batch) => `${128 * (batch + 1)}/2500`), "2500/2500"]],
    ["computed anew", 2500 * width - 1, ["1024/2500", "2048/2500", "2500/2500", "2/2"]],
  ])("reads features that are %s, some at a time, and tells how far it is", async (_, mostKept, told) => {
    const labelled = normalSamples(2500, 0);
    const all = Uint32Array.from({ length: 2500 }, (_, index) => index);
    const { data } = await evaluate(network, features.feature, identity, labelled, all, options);
    const progress: string[] = [];
    const onProgress = (done: number, total: number): void => {
      progress.push(`${done}/${total}`);
    };
    const read = await LabelledFeatures.open(features, identity, labelled, width, { ...options, mostKept, onProgress });
    const collected: Float32Array[] = [];
    for await (const { points, labels } of read.read()) {
      expect(labels.length).toBe(points.length / width);
      collected.push(points);
    }
    expect(collected.map(({ length }) => length / width)).toEqual([1024, 1024, 452]);
    expect(collected.flatMap((part) => [...part])).toEqual([...data]);
    // What a reader does to what it was given stays its own.
    collected[0].fill(0);
    for await (const { points, labels } of read.read(Uint32Array.of(3, 0))) {
      expect([...points]).toEqual([...data.subarray(3 * width, 4 * width), ...data.subarray(0, width)]);
      expect([...labels]).toEqual([labelled.labels[3], labelled.labels[0]]);
    }
    await read.release();
    expect(progress).toEqual(told);
  });

  it.each([
    [100, 35],
    [5000, 7],
  ])("tells how far the choice of the shrinkage is, of %i samples", async (count, choices) => {
    const told: string[] = [];
    await headOf(normalSamples(count, 0), 0, { onProgress: (done, total) => told.push(`${done}/${total}`) });
    expect(told.slice(Math.ceil(count / 128))).toEqual([
      ...Array.from({ length: choices }, (_, at) => `${at + 1}/${choices}`),
      ...Array.from({ length: 8 }, (_, at) => `${at}/7`),
    ]);
  });

  it("is stopped while scores are judged", async () => {
    const interruption = new AbortController();
    const told: number[] = [];
    const stopped = headOf(normalSamples(100, 0), 0, {
      signal: interruption.signal,
      onProgress: (done, total) => {
        if (total === 7) told.push(done);
        if (total === 7 && done === 1) interruption.abort();
      },
    });
    await expect(stopped).rejects.toThrow(InterruptedError);
    expect(told).toEqual([0, 1]);
  });

  it.each([
    ["one sample of each class", [0, 1, 2]],
    ["one sample at all", [1]],
    ["one class", [2, 2, 2, 2]],
    ["two samples of two classes", [0, 0, 2, 2]],
  ])("gives finite weights for %s", async (_, labels) => {
    const some = normalSamples(labels.length, 3);
    const labelled = { ...some, labels: Int32Array.from(labels) };
    const head = await headOf(labelled);
    for (const elements of head.values()) expect(elements.every(Number.isFinite)).toBe(true);
  });

  it("gives finite weights where features do not vary", async () => {
    const some = normalSamples(40, 3);
    const labelled = {
      ...memoryDataset(new Float32Array(40 * width).fill(1), [width], undefined, { normalise: "none" }),
      labels: some.labels,
    };
    const head = await headOf(labelled);
    for (const elements of head.values()) expect(elements.every(Number.isFinite)).toBe(true);
  });

  it("leaves a class without samples unlikely", async () => {
    const some = normalSamples(900, 0);
    const labelled = { ...some, labels: some.labels.map((label) => (label === 1 ? -1 : label)) };
    const head = await headOf(labelled);
    const { data } = await scoresWith(head, labelled);
    for (let row = 0; row < 900; row++)
      expect(data[3 * row + 1]).toBeLessThan(Math.max(data[3 * row], data[3 * row + 2]));
  });

  it("tells classes of one sample each by the nearest mean", async () => {
    const labelled = { ...normalSamples(3, 3), labels: Int32Array.of(2, 0, 1) };
    const samples = { labelled, unlabelled: labelled, seed: 0 };
    const accounts: unknown[] = [];
    const onDiscriminant = (account: unknown) => accounts.push(account);
    const head = await headOf(labelled, 0, { onDiscriminant });
    expect(accounts).toEqual([{ shrinkage: 1, heldOut: 0 }]);
    const means = await headStart("class-means", features, identity, samples, options);
    for (const [name, elements] of means)
      for (const [at, value] of elements.entries()) expect(head.get(name)?.[at]).toBeCloseTo(value, 5);
  });

  it("holds fewer samples out where there are many classes", async () => {
    const classes = 2000;
    const many = toyNetwork({ template: "mlp", inputShape: [width], widths: [width], classes });
    const some = normalSamples(2 * classes, 0);
    const labelled = { ...some, labels: some.labels.map((_, index) => index % classes) };
    const weights = new Map([...identity].filter(([name]) => !name.startsWith("classifier")));
    const read = await LabelledFeatures.open(featureExtractor(many), weights, labelled, width, options);
    const { scores, account } = await discriminantScores(read, classes, 0, options);
    await read.release();
    // 2^20 scores are those of 524 samples, a fifth of them from each fifth of the data.
    expect(account.heldOut).toBe(525);
    expect(scores.length).toBe(classes);
    expect(scores.every(({ slope, offset }) => Number.isFinite(offset) && slope.every(Number.isFinite))).toBe(true);
  });

  it("comes out alike for the same seed", async () => {
    const labelled = normalSamples(300, 0);
    expect(await headOf(labelled, 1)).toEqual(await headOf(labelled, 1));
  });

  it("says where features are too many", () => {
    expect(() => requireWidth(4096)).not.toThrow();
    expect(() => requireWidth(4097)).toThrow(
      "head linear-discriminant: required features of at most 4096 numbers, whose covariance is computed, got 4097. Take the head class-means.",
    );
    const wide = toyNetwork({ template: "mlp", inputShape: [4], widths: [4100], classes: 3 });
    const labelled = { ...memoryDataset(new Float32Array(12), [4]), labels: Int32Array.of(0, 1, 2) };
    expect(() => requireHeadStart("linear-discriminant", featureExtractor(wide), labelled)).toThrow(/got 4100/);
  });
});
