import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { RunFolder } from "../../src/library/run-folder.js";
import { writeNetworks } from "../../src/library/write-networks.js";
import { buildDiscriminator } from "../../src/recipe/discriminator.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { parseRecipe, type RecipeInput } from "../../src/recipe/recipe.js";
import { openSerialized } from "../../src/runtime/node.js";
import { pretrain } from "../../src/training/pretrain.js";
import { folderWith, toyDataset, toyNetwork } from "../support/toy-data.js";

async function written(recipe: RecipeInput) {
  const path = folderWith({});
  const features = featureExtractor(toyNetwork({ template: "mlp", inputShape: [6], widths: [5, 4] }));
  const dataset = toyDataset([6]);
  const full = parseRecipe({ batchSize: 8, ...recipe }, "test");
  const discriminator =
    full.adversarial.weight > 0 ? buildDiscriminator({ kind: "mlp", sampleShape: [6], targetCost: 100 }) : undefined;
  let view: number[] = [];
  let seen: number[] = [];
  const result = await pretrain({
    features,
    dataset,
    recipe: full,
    seed: 0,
    steps: 1,
    threads: 1,
    ...(discriminator ? { discriminator } : {}),
    onStep: async ({ views, samples }) => {
      view = [...((await views()).generated?.data ?? [])];
      seen = [...(samples?.data ?? [])];
    },
  });
  const folder = await RunFolder.create(path("run"), false, {});
  return { folder, path, features, dataset, full, discriminator, result, view, seen };
}

it.each([false, true])("writes G and D as they were trained (tied: %s)", async (tied) => {
  const rate = { learningRate: 1e-30 };
  const { folder, path, features, dataset, full, discriminator, result, view, seen } = await written({
    adversarial: { weight: 1, loss: "wasserstein" },
    reconstruction: { weight: 1 },
    mirror: { tied },
    generatorOptimizer: rate,
    discriminatorOptimizer: rate,
  });
  await writeNetworks(folder, result.parameters, features, discriminator, dataset, full);
  const samples = floatTensor(seen, [8, 6]);
  const generator = await openSerialized(readFileSync(path("run/generator.onnx")), { threads: 1 });
  const generated = numbersOf((await generator.run({ samples })).generated);
  // The weights have hardly moved in that step, so that the file gives what the step saw.
  generated.forEach((value, index) => {
    expect(value).toBeCloseTo(view[index], 5);
  });
  await generator.release();
  const judge = await openSerialized(readFileSync(path("run/discriminator.onnx")), { threads: 1 });
  const logits = async (data: readonly number[]): Promise<number> => {
    const results = await judge.run({ samples: floatTensor(data, [8, 6]) });
    expect(results.logits.shape).toEqual([8, 1]);
    return numbersOf(results.logits).reduce((a, b) => a + b) / 8;
  };
  expect((await logits(view)) - (await logits(seen))).toBeCloseTo(result.finalMetrics["discriminator/loss"], 4);
  await judge.release();
});

it("writes neither where there is none", async () => {
  const { folder, features, dataset, full, result } = await written({
    selfSupervision: { task: "swapped-values", weight: 1 },
  });
  await writeNetworks(folder, result.parameters, features, undefined, dataset, full);
  expect(await folder.has("generator.onnx")).toBe(false);
  expect(await folder.has("discriminator.onnx")).toBe(false);
});
