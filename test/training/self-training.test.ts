import { describe, expect, it } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { subset } from "../../src/data/subset.js";
import { InterruptedError } from "../../src/errors.js";
import type { Network } from "../../src/ops/network.js";
import { RandomStream } from "../../src/random/stream.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { accuracyOf, evaluate } from "../../src/training/evaluate.js";
import { headStart } from "../../src/training/head-start.js";
import { type SelfTrainingState, selfTrain, selfTrainingViews } from "../../src/training/self-training.js";
import { barDataset, curvedVectors, toyNetwork } from "../support/toy-data.js";

const network = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 8] });
const features = featureExtractor(network);
const start = initialWeights(network, "he", 0);
const all = barDataset(600);
const options = { threads: 1 };

const cloudSize = 60;

/** Two round clouds, one for each class in turn, whose centres differ a little on every axis. */
function cloudDataset(count: number, seed: number): Dataset {
  const stream = new RandomStream(seed, "clouds");
  const labels = Uint8Array.from({ length: count }, (_, index) => index % 2);
  const values = Float32Array.from(
    { length: count * cloudSize },
    (_, place) => stream.normal() + 0.35 * (2 * labels[Math.floor(place / cloudSize)] - 1),
  );
  return memoryDataset(values, [cloudSize], labels, { normalise: "none" });
}

async function accuracy(of: Network, weights: ReadonlyMap<string, Float32Array>, on: Dataset): Promise<number> {
  const indices = Array.from({ length: on.count }, (_, index) => index);
  const evaluation = await evaluate(of, of.graph.outputs[0].name, new Map(weights), on, indices, options);
  return accuracyOf(evaluation, on.labels!);
}

describe("selfTrain", () => {
  it.each<[string, Network, Dataset]>([
    ["pictures", network, all],
    ["vectors", toyNetwork({ template: "mlp", inputShape: [cloudSize], widths: [8] }), cloudDataset(300, 0)],
    [
      "signals",
      toyNetwork({ template: "cnn1d", inputShape: [2, 30], widths: [4] }),
      { ...cloudDataset(300, 0), shape: [2, 30] },
    ],
  ])("goes on from what was kept to the same bytes: %s", async (_, of, data) => {
    const own = featureExtractor(of);
    const drawn = initialWeights(of, "he", 0);
    const labelled = subset(data, Uint32Array.of(0, 1, 2, 3, 4, 5));
    const kept: SelfTrainingState[] = [];
    const keeping = { every: 4, keep: async (reached: SelfTrainingState) => void kept.push(reached) };
    const whole = await selfTrain(own, drawn, data, labelled, 1, { ...options, steps: 10, keeping });
    expect(kept.map(({ step }) => step)).toEqual([4, 8, 10]);
    for (const resume of kept) {
      const made: number[] = [];
      const onStep = (step: number) => made.push(step);
      const settings = { ...options, steps: 10, resume, onStep };
      const parts = await selfTrain(own, drawn, data, labelled, 1, settings);
      expect(made[0]).toBe(resume.step === 10 ? undefined : resume.step + 1);
      expect([...parts]).toEqual([...whole]);
    }
    const stop = new AbortController();
    const onStep = (step: number) => step === 6 && stop.abort();
    const stopped = { ...options, steps: 10, keeping, onStep, signal: stop.signal };
    kept.length = 0;
    await expect(selfTrain(own, drawn, data, labelled, 1, stopped)).rejects.toThrow("stopped after 6 of 10 steps");
    expect(kept.map(({ step }) => step)).toEqual([4, 6]);
    const [, resume] = kept;
    expect([...(await selfTrain(own, drawn, data, labelled, 1, { ...options, steps: 10, resume }))]).toEqual([
      ...whole,
    ]);
  });

  const few = subset(
    all,
    Uint32Array.from({ length: 6 }, (_, index) => index),
  );

  it("learns more from four labels and many samples than from the four samples alone", async () => {
    const [vectors, unseen] = [0, 1].map((seed) => cloudDataset(600, seed));
    const four = subset(vectors, Uint32Array.of(0, 1, 2, 3));
    const mlp = toyNetwork({ template: "mlp", inputShape: [cloudSize], widths: [8] });
    const own = featureExtractor(mlp);
    const drawn = initialWeights(mlp, "he", 0);
    const shares: number[] = [];
    const onStep = (_: number, __: number, { confident }: Readonly<Record<string, number>>) => shares.push(confident);
    const many = await selfTrain(own, drawn, vectors, four, 0, { ...options, steps: 200, onStep });
    const alone = await selfTrain(own, drawn, four, four, 0, { ...options, steps: 200 });
    expect(shares.length).toBe(200);
    expect(shares[199]).toBeGreaterThan(shares[0]);
    const learned = await accuracy(mlp, many, unseen);
    expect(learned).toBeGreaterThan(0.92);
    expect(learned).toBeGreaterThan((await accuracy(mlp, alone, unseen)) + 0.05);
  });

  it("knows plain signals, too, after copies that are magnified", async () => {
    const length = 48;
    /** Waves of any phase, faster ones in the second class, with noise. */
    const waves = (count: number, seed: number): Dataset => {
      const stream = new RandomStream(seed, "waves");
      const labels = Uint8Array.from({ length: count }, (_, index) => index % 2);
      const phases = Array.from(labels, () => 2 * Math.PI * stream.uniform());
      const values = Float32Array.from({ length: count * length }, (_, place) => {
        const index = Math.floor(place / length);
        const cycles = labels[index] ? 10 : 6;
        return Math.sin((2 * Math.PI * cycles * (place % length)) / length + phases[index]) + 0.5 * stream.normal();
      });
      return memoryDataset(values, [1, length], labels, { normalise: "none" });
    };
    const [known, unseen] = [waves(400, 0), waves(400, 1)];
    const few = subset(
      known,
      Uint32Array.from({ length: 60 }, (_, index) => index),
    );
    const cnn = toyNetwork({ template: "cnn1d", inputShape: [1, length], widths: [8, 8] });
    const learned = await selfTrain(featureExtractor(cnn), initialWeights(cnn, "he", 0), known, few, 0, {
      ...options,
      steps: 400,
    });
    // 0.55 where all copies are magnified: slow waves of one class then look like fast ones of the other.
    expect(await accuracy(cnn, learned, unseen)).toBeGreaterThan(0.7);
  });

  it("knows a signal again that begins elsewhere", async () => {
    const length = 48;
    /** A pulse that rises at once and fades, or the reverse, by class, and begins at one of so many positions. */
    const pulses = (count: number, seed: number, first: number, places: number): Dataset => {
      const stream = new RandomStream(seed, "pulses");
      const labels = Uint8Array.from({ length: count }, (_, index) => index % 2);
      const values = new Float32Array(count * length);
      labels.forEach((label, index) => {
        const place = first + stream.below(places);
        for (let at = 0; at < length; at++) values[index * length + at] = 0.3 * stream.normal();
        for (let at = 0; at < 12; at++) values[index * length + place + at] += (2 * (label ? 12 - at : at + 1)) / 12;
      });
      return memoryDataset(values, [1, length], labels, { normalise: "none" });
    };
    const inTheMiddle = pulses(400, 0, 18, 1);
    const cnn = toyNetwork({ template: "cnn1d", inputShape: [1, length], widths: [8, 8] });
    const drawn = initialWeights(cnn, "he", 0);
    const steps = { ...options, steps: 600 };
    const learned = await selfTrain(featureExtractor(cnn), drawn, inTheMiddle, inTheMiddle, 0, steps);
    expect(await accuracy(cnn, learned, inTheMiddle)).toBeGreaterThan(0.85);
    // 0.7 where values are swapped between samples in place.
    expect(await accuracy(cnn, learned, pulses(400, 1, 12, 13))).toBeGreaterThan(0.85);
  });

  it("gives the same weights for the same seed, and leaves its own start alone", async () => {
    const before = new Map([...start].map(([name, values]) => [name, values.slice()]));
    const once = await selfTrain(features, start, all, few, 3, { ...options, steps: 5 });
    expect(await selfTrain(features, start, all, few, 3, { ...options, steps: 5 })).toEqual(once);
    expect(await selfTrain(features, start, all, few, 4, { ...options, steps: 5 })).not.toEqual(once);
    expect(start).toEqual(before);
    expect([...once.keys()].sort()).toEqual([...start.keys()].sort());
  });

  it("never looks at the labels of the samples without", async () => {
    const wrong: Dataset = { ...all, labels: all.labels!.map((label) => 1 - label) };
    const steps = { ...options, steps: 5 };
    expect(await selfTrain(features, start, wrong, few, 0, steps)).toEqual(
      await selfTrain(features, start, all, few, 0, steps),
    );
    // Nor at labelled samples whose label is unknown.
    const labels = all.labels!.map((label, index) => (index < 6 ? label : -1));
    expect(await selfTrain(features, start, all, { ...all, labels }, 0, steps)).toEqual(
      await selfTrain(features, start, all, few, 0, steps),
    );
  });

  it("changes vectors and tables by values of other samples", async () => {
    const flat = toyNetwork({ template: "mlp", inputShape: [64], widths: [8] });
    const vectors: Dataset = { ...all, shape: [64], record: {} };
    const drawn = initialWeights(flat, "he", 0);
    const trained = await selfTrain(featureExtractor(flat), drawn, vectors, vectors, 0, { ...options, steps: 3 });
    for (const values of trained.values()) expect(values.every(Number.isFinite)).toBe(true);
    expect(trained).not.toEqual(drawn);
  });

  it("stops where it is told to", async () => {
    const controller = new AbortController();
    const onStep = (step: number) => {
      if (step === 2) controller.abort();
    };
    const run = selfTrain(features, start, all, few, 0, { ...options, signal: controller.signal, onStep });
    await expect(run).rejects.toThrow(InterruptedError);
  });
});

it.each([
  [1, 28, 0.05, false],
  [3, 32, 0.1, true],
  [1, 8, 1 / 8, false],
])(
  "changes pictures of %i channels and %i pixels a side by shifts of %f, mirrored: %s",
  (channels, side, shift, flip) => {
    const picture = { channels, height: side, width: side, layout: "NCHW" } as const;
    expect(selfTrainingViews(picture)).toEqual({ shift, flip, zoom: 0, jitter: 0, colour: 0 });
  },
);

describe("its start", () => {
  const once = { ...options, steps: 1 };

  it("is a linear discriminant, and F and head get values", async () => {
    const samples = { labelled: all, unlabelled: all, seed: 0 };
    const first = await headStart("linear-discriminant", features, start, samples, options);
    const trained = await headStart("self-training", features, start, samples, once);
    expect([...trained.keys()].sort()).toEqual([...start.keys()].sort());
    expect(trained).toEqual(await selfTrain(features, new Map([...start, ...first]), all, all, 0, once));
  });

  it("is class means where features are too many for their covariance", async () => {
    const wide = featureExtractor(toyNetwork({ template: "mlp", inputShape: [12], widths: [4100], classes: 3 }));
    const weights = initialWeights(wide.network, "he", 0);
    const { labels: _, ...unlabelled } = memoryDataset(curvedVectors(60, 12), [12], undefined, {
      normalise: "standard",
    });
    const labelled = { ...unlabelled, labels: Int32Array.from({ length: 60 }, (_, index) => index % 3) };
    const samples = { labelled, unlabelled, seed: 0 };
    const first = await headStart("class-means", wide, weights, samples, options);
    const trained = await headStart("self-training", wide, weights, samples, once);
    expect(trained).toEqual(await selfTrain(wide, new Map([...weights, ...first]), unlabelled, labelled, 0, once));
  });
});
