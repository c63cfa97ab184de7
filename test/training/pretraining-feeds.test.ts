import { describe, expect, it } from "vitest";
import { BatchOrder } from "../../src/data/batches.js";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { buildDiscriminator } from "../../src/recipe/discriminator.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { parseRecipe, type RecipeInput } from "../../src/recipe/recipe.js";
import { orientationTargets } from "../../src/training/description-targets.js";
import { orientationsSize } from "../../src/training/picture-orientations.js";
import { trainingGraphOf } from "../../src/training/pretrain.js";
import { pretrainingFeeds } from "../../src/training/pretraining-feeds.js";
import { SampleClusters } from "../../src/training/sample-clusters.js";
import { barDataset, toyDataset, toyNetwork } from "../support/toy-data.js";

const batchSize = 8;

function feedsOf(input: RecipeInput, shape: readonly number[] = [1, 8, 8], seed = 0, steps = 10) {
  const template = shape.length === 3 ? "cnn" : "mlp";
  const features = featureExtractor(toyNetwork({ template, inputShape: shape, widths: [4] }));
  const dataset = template === "cnn" ? barDataset(32) : toyDataset(shape, 32);
  const recipe = parseRecipe({ batchSize, ...input }, "test");
  const training = trainingGraphOf({
    features,
    dataset,
    recipe,
    ...(recipe.adversarial.weight > 0
      ? { discriminator: buildDiscriminator({ kind: "auto", sampleShape: shape, targetCost: 100 }) }
      : {}),
  });
  return {
    feeds: pretrainingFeeds(training, recipe, dataset, features.network, seed, steps),
    training,
    dataset,
    features,
  };
}

/** A copy of what a step is fed, by name. */
async function fed(source: ReturnType<typeof feedsOf>, step: number): Promise<Record<string, number[]>> {
  const tensors = await source.feeds.at(step);
  return Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, [...data]]));
}

const everything: RecipeInput = {
  adversarial: { weight: 1, gradientPenalty: 1, instanceNoise: 0.5 },
  reconstruction: { weight: 1 },
  corruption: { kind: "masked-pixels", amount: 0.3 },
  selfSupervision: { task: "rotation", weight: 1 },
  contrast: { weight: 1 },
};

describe("pretrainingFeeds", () => {
  it("gives every tensor that the graph reads, in its size", async () => {
    const source = feedsOf(everything);
    const tensors = await source.feeds.at(0);
    for (const { name, shape } of source.training.feeds) expect(tensors[name].shape, name).toEqual(shape);
  });

  it("depends on seed and step alone, not on what was asked before", async () => {
    const source = feedsOf(everything);
    const fifth = await fed(source, 5);
    await fed(source, 0);
    expect(await fed(source, 5)).toEqual(fifth);
    expect(await fed(feedsOf(everything), 5)).toEqual(fifth);
    const other = await fed(feedsOf(everything, undefined, 1), 5);
    for (const name of ["samples", "corrupted", "turns", "view/first", "noise/real", "mixture"]) {
      expect(other[name], name).not.toEqual(fifth[name]);
      expect((await fed(source, 6))[name], name).not.toEqual(fifth[name]);
    }
    expect(fifth["view/first"]).not.toEqual(fifth["view/second"]);
    expect(fifth["noise/real"]).not.toEqual(fifth["noise/fake"]);
    expect(fifth.mixture.every((share) => share >= 0 && share < 1)).toBe(true);
  });

  it("gives G the first samples of the batch where it has fewer", async () => {
    const whole = await fed(feedsOf(everything), 3);
    const fewer = await fed(feedsOf({ ...everything, generatorBatchSize: 2 }), 3);
    expect(fewer.samples).toEqual(whole.samples.slice(0, 2 * 64));
    expect(fewer.corrupted.length).toBe(2 * 64);
    for (const name of ["turns", "view/first", "view/second"]) expect(fewer[name], name).toEqual(whole[name]);
  });

  it("moves signals along their positions in views, in place of swapping their values", async () => {
    const features = featureExtractor(toyNetwork({ template: "cnn1d", inputShape: [2, 16], widths: [4] }));
    const values = Float32Array.from({ length: 32 * 32 }, (_, place) => (place % 16) + 1000 * Math.floor(place / 32));
    const dataset = memoryDataset(values, [2, 16], undefined, { normalise: "none" });
    const recipe = parseRecipe({ batchSize, contrast: { weight: 1, shift: 0.25, colour: 0, zoom: 0 } }, "test");
    const training = trainingGraphOf({ features, dataset, recipe });
    const tensors = await pretrainingFeeds(training, recipe, dataset, features.network, 0, 10).at(0);
    const order = new BatchOrder(dataset.count, batchSize, 0, dataset.blocks).indices(0);
    const moves = Array.from(order).map((sample, row) => {
      const view = Array.from(tensors["view/first"].data.subarray(row * 32, row * 32 + 16));
      const moved = view[8] - 1000 * sample - 8;
      expect(view).toEqual(view.map((_, place) => 1000 * sample + Math.min(Math.max(place + moved, 0), 15)));
      return moved;
    });
    expect(new Set(moves).size).toBeGreaterThan(2);
    expect(Math.max(...moves.map(Math.abs))).toBeLessThanOrEqual(4);
  });

  it("asks for the groups that samples had before they were changed", async () => {
    const input: RecipeInput = {
      selfSupervision: { task: "clusters", weight: 1, clusters: 5, groupings: 2 },
      corruption: { kind: "shifted", amount: 0.25 },
    };
    const { dataset, training, features } = feedsOf(input);
    const seed = 0;
    const clusters = await SampleClusters.find(dataset, 5, 2, seed, { threads: 1 });
    try {
      const recipe = parseRecipe({ batchSize, ...input }, "test");
      const feeds = await pretrainingFeeds(training, recipe, dataset, features.network, seed, 10, { clusters }).at(0);
      expect(feeds.corrupted.data).not.toEqual(feeds.samples.data);
      const ofUnchanged = new Float32Array(batchSize * 2 * 5);
      const indices = new BatchOrder(dataset.count, batchSize, seed, dataset.blocks).indices(0);
      await clusters.writeOneHot(indices, Float32Array.from(feeds.samples.data), ofUnchanged);
      expect(feeds.clusters.data).toEqual(ofUnchanged);
      // They are the groups of what the graph would not see: asked of the changed samples they come out otherwise.
      const others = await SampleClusters.find(dataset, 5, 2, seed, { threads: 1 });
      const ofChanged = new Float32Array(ofUnchanged.length);
      await others.writeOneHot(indices, Float32Array.from(feeds.corrupted.data), ofChanged);
      await others.release();
      expect(ofChanged).not.toEqual(ofUnchanged);
    } finally {
      await clusters.release();
    }
  });

  it("goes once through the data in an epoch", async () => {
    const source = feedsOf({ reconstruction: { weight: 1 } });
    const all = new Float32Array(32 * 64);
    await source.dataset.read(
      Array.from({ length: 32 }, (_, index) => index),
      all,
    );
    const known = Array.from({ length: 32 }, (_, row) => [...all.subarray(row * 64, row * 64 + 64)].join());
    const seen: string[] = [];
    for (let step = 0; step < 4; step++) {
      const { samples } = await fed(source, step);
      for (let row = 0; row < batchSize; row++) seen.push(samples.slice(row * 64, row * 64 + 64).join());
    }
    expect(seen.sort()).toEqual(known.sort());
  });

  it.each([
    ["rotated", { contrast: { weight: 0 } }],
    ["view/first", { contrast: { weight: 1, shift: 0, flip: false, jitter: 0 } }],
    ["view/second", { contrast: { weight: 1, shift: 0, flip: false, jitter: 0 } }],
  ] satisfies [string, RecipeInput][])("turns pictures as the one-hot rows say: %s", async (name, recipe) => {
    const { samples, turns, [name]: turned } = await fed(feedsOf({ ...everything, ...recipe }), 0);
    const at = (values: number[], row: number, y: number, x: number): number => values[row * 64 + y * 8 + x];
    const found = new Set<number>();
    for (let row = 0; row < batchSize; row++) {
      const turn = turns.slice(4 * row, 4 * row + 4);
      expect([...turn].sort()).toEqual([0, 0, 0, 1]);
      const quarter = turn.indexOf(1);
      found.add(quarter);
      // Counter-clockwise: what was on the right is on top.
      const source = (y: number, x: number): number =>
        [
          at(samples, row, y, x),
          at(samples, row, x, 7 - y),
          at(samples, row, 7 - y, 7 - x),
          at(samples, row, 7 - x, y),
        ][quarter];
      for (let y = 0; y < 8; y++) for (let x = 0; x < 8; x++) expect(at(turned, row, y, x)).toBe(source(y, x));
    }
    expect(found.size).toBeGreaterThan(2);
  });

  it("holds every sample in all turns where the recipe says so, and reads no more of them", async () => {
    const recipe: RecipeInput = { selfSupervision: { task: "rotation", weight: 1, allTurns: true } };
    const source = feedsOf(recipe);
    const read: number[] = [];
    const whole = source.dataset.read;
    source.dataset.read = (indices, target) => {
      read.push(...Array.from(indices));
      return whole.call(source.dataset, indices, target);
    };
    const seen = [];
    for (let step = 0; step < 16; step++) {
      const { rotated, turns } = await fed(source, step);
      const at = (row: number, y: number, x: number): number => rotated[row * 64 + y * 8 + x];
      for (let row = 0; row < batchSize; row++) {
        expect(turns.slice(4 * row, 4 * row + 4).indexOf(1)).toBe(Math.floor(row / 2));
        // The first two rows are as they were read.
        const [sample, y, x] = [row % 2, 2, 5];
        const unturned = [at(sample, y, x), at(sample, x, 7 - y), at(sample, 7 - y, 7 - x), at(sample, 7 - x, y)];
        expect(at(row, y, x)).toBe(unturned[Math.floor(row / 2)]);
      }
      seen.push(...read.splice(0));
    }
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, index) => index));
  });

  it("asks for the edges of the samples that are not turned", async () => {
    const input: RecipeInput = {
      selfSupervision: { task: "rotation", weight: 1, allTurns: true },
      orientations: { weight: 2 },
    };
    const { dataset, training, features } = feedsOf(input);
    const recipe = parseRecipe({ batchSize, ...input }, "test");
    const orientations = await orientationTargets(dataset, 0);
    const feeds = await pretrainingFeeds(training, recipe, dataset, features.network, 0, 10, { orientations }).at(3);
    expect(feeds.orientations.shape).toEqual([2, orientationsSize]);
    const wanted = new Float32Array(2 * orientationsSize);
    await (await orientationTargets(dataset, 0)).write([0, 1], feeds.rotated.data.subarray(0, 2 * 64), wanted);
    expect(feeds.orientations.data).toEqual(wanted);
    expect(wanted.some((value) => value !== 0)).toBe(true);
  });

  it("lets instance noise fall to nothing", async () => {
    const source = feedsOf(everything);
    const size = async (step: number): Promise<number> => Math.hypot(...(await fed(source, step))["noise/real"]);
    expect(await size(0)).toBeGreaterThan(5);
    expect(await size(9)).toBeLessThan(0.3 * (await size(0)));
  });

  it("follows the schedule for both optimisers", async () => {
    const source = feedsOf({
      adversarial: { weight: 1 },
      generatorOptimizer: { learningRate: 0.1 },
      discriminatorOptimizer: { learningRate: 0.01 },
      schedule: { warmUp: 0.4 },
    });
    const first = await fed(source, 0);
    expect(first["generator/learning-rate"][0]).toBeCloseTo(0.025, 6);
    expect(first["discriminator/learning-rate"][0]).toBeCloseTo(0.0025, 6);
    expect((await fed(source, 5))["generator/learning-rate"][0]).toBeCloseTo(0.1, 6);
  });

  it("swaps values and says where, for the task", async () => {
    const source = feedsOf({ selfSupervision: { task: "swapped-values", weight: 1 } }, [12]);
    const { samples, corrupted, swapped } = await fed(source, 0);
    expect(swapped.some((flag) => flag === 1)).toBe(true);
    swapped.forEach((flag, index) => {
      if (flag === 0) expect(corrupted[index]).toBe(samples[index]);
    });
  });

  it("gives vectors two views with values of other samples", async () => {
    const source = feedsOf({ contrast: { weight: 1, swap: 0.5 } }, [12]);
    const found = await fed(source, 3);
    for (const name of ["view/first", "view/second"]) expect(found[name].length).toBe(batchSize * 12);
    expect(found["view/first"]).not.toEqual(found["view/second"]);
  });
});
