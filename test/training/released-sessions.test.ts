import { beforeEach, expect, test, vi } from "vitest";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { parseRecipe } from "../../src/recipe/recipe.js";
import { conditionFeatures } from "../../src/training/condition.js";
import { MatrixProducts } from "../../src/training/matrix-products.js";
import { pretrain } from "../../src/training/pretrain.js";
import { selfTrain } from "../../src/training/self-training.js";
import { Supervisor } from "../../src/training/supervise.js";
import { barDataset, toyNetwork } from "../support/toy-data.js";

/** Sessions that were asked for and that are open, and which one cannot be had. */
const sessions = vi.hoisted(() => ({ asked: 0, open: 0, failing: 0 }));

vi.mock("../../src/runtime/node.js", async (original) => {
  const real = await original<typeof import("../../src/runtime/node.js")>();
  return {
    ...real,
    openSession: async (...given: Parameters<typeof real.openSession>) => {
      if (++sessions.asked === sessions.failing) throw new Error("no memory");
      const session = await real.openSession(...given);
      sessions.open++;
      return {
        ...session,
        release: async () => {
          sessions.open--;
          await session.release();
        },
      };
    },
  };
});

beforeEach(() => {
  Object.assign(sessions, { asked: 0, open: 0, failing: 0 });
});

const network = toyNetwork({ template: "mlp", inputShape: [1, 8, 8], widths: [6] });
const features = featureExtractor(network);
const dataset = barDataset(40);

const recipe = parseRecipe({ reconstruction: { weight: 1 }, batchSize: 8 }, "test");
const clusters = parseRecipe(
  { selfSupervision: { task: "clusters", weight: 1, clusters: 4, groupings: 1 }, batchSize: 8 },
  "test",
);
const weights = initialWeights(network, "he", 0);
const scaling = { spectrumExponent: null, scale: "unit", samples: 32 } as const;

test.each<[string, () => Promise<unknown>]>([
  [
    "a supervisor",
    async () => {
      const supervisor = await Supervisor.open({ features, optimizer: recipe.generatorOptimizer, batchSize: 8 });
      await supervisor.release();
    },
  ],
  ["pretraining", () => pretrain({ features, dataset, recipe, seed: 0, steps: 2, threads: 1 })],
  ["pretraining by groups", () => pretrain({ features, dataset, recipe: clusters, seed: 0, steps: 2, threads: 1 })],
  ["self-training", () => selfTrain(features, weights, dataset, dataset, 0, { steps: 2, threads: 1 })],
  ["conditioning", () => conditionFeatures(features, weights, dataset, scaling, 0, { threads: 1 })],
  [
    "products of matrices",
    async () => {
      const products = await MatrixProducts.open(3, 2, {});
      await products.release();
    },
  ],
])("%s leaves no session open, whichever of them cannot be had", async (_, work) => {
  await work();
  const { asked, open } = sessions;
  expect(asked).toBeGreaterThan(0);
  expect(open).toBe(0);
  for (let failing = 1; failing <= asked; failing++) {
    Object.assign(sessions, { asked: 0, open: 0, failing });
    await expect(work()).rejects.toThrow("no memory");
    expect(sessions.open).toBe(0);
  }
});
