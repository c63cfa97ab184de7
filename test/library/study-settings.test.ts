import { expect, test } from "vitest";
import type { CompareOptions } from "../../src/library/compare.js";
import {
  requireLabelAmounts,
  requirePretrained,
  requireStudySettings,
  unusedDiscriminatorNote,
} from "../../src/library/study-settings.js";
import { armsOf } from "../support/study-plan.js";

const given: CompareOptions = { model: "m.onnx", data: "d", test: "t" };

test.each<Partial<CompareOptions>>([
  {},
  { steps: 5, seeds: 1, batchSize: 2, pretrainingSeeds: 1, workers: 1, limit: 2, testLimit: 2, unlabelledLimit: 2 },
  { pilot: 0.05, pretrainingEpochs: 0.5, longestExtension: 0, targetRmse: 0 },
  { target: 0, minimumEffect: 1e-6 },
  { target: 1, minimumEffect: 1 },
  { measure: "accuracy" },
  { measure: "balanced-accuracy" },
  { learningRates: [] },
  { tune: true, learningRates: [0.1, 0.01] },
  { learningRates: [0.1, 1e-12], labels: ["3", "5%", "2/class", "all"], optimizers: ["sgd", "adamw"] },
])("takes %j", (settings) => {
  expect(() => requireStudySettings({ ...given, ...settings })).not.toThrow();
});

test.each<[Partial<CompareOptions>, RegExp]>([
  [{ steps: 0 }, /^steps: required a whole number of at least 5, got 0\./],
  [{ steps: 7.5 }, /^steps: .* got 7\.5\./],
  [{ steps: "9" as unknown as number }, /^steps: /],
  [{ labels: "100" as unknown as string[] }, /^labels: required a list, got 100\./],
  [{ arms: "he" as unknown as string[] }, /^arms: required a list, got he\./],
  [{ learningRates: 0.1 as unknown as number[] }, /^learningRates: required a list, got 0\.1\./],
  [{ seeds: 0 }, /^seeds: required a whole number of at least 1, got 0\./],
  [{ seeds: 1.5 }, /^seeds: /],
  [{ seeds: Number.POSITIVE_INFINITY }, /^seeds: /],
  [{ batchSize: 0 }, /^batchSize: required a whole number of at least 2/],
  [{ batchSize: 65537 }, /^batchSize: required at most 65536, got 65537\./],
  [{ pretrainingSeeds: 0 }, /^pretrainingSeeds: /],
  [{ workers: 0 }, /^workers: /],
  [{ workers: 257 }, /^workers: required at most 256, got 257\./],
  [{ limit: 1 }, /^limit: /],
  [{ testLimit: -1 }, /^testLimit: /],
  [{ unlabelledLimit: 1.5 }, /^unlabelledLimit: /],
  [{ pilot: -1 }, /^pilot: required a number above 0, got -1\./],
  [{ pilot: 0 }, /^pilot: /],
  [{ pretrainingEpochs: 0 }, /^pretrainingEpochs: /],
  [{ longestExtension: -1 }, /^longestExtension: required a number of at least 0/],
  [{ longestExtension: Number.POSITIVE_INFINITY }, /^longestExtension: /],
  [{ measure: "f1" as "accuracy" }, /^measure: required one of accuracy, balanced-accuracy, mean-iou, got f1\./],
  [{ target: 5 }, /^target: required a number from 0 to 1, got 5\./],
  [{ target: Number.NaN }, /^target: /],
  [{ targetRmse: -1 }, /^targetRmse: /],
  [{ minimumEffect: 0 }, /^minimumEffect: required a number above 0, at most 1, got 0\./],
  [{ minimumEffect: 2 }, /^minimumEffect: /],
  [{ learningRates: [0.1, Number.NaN] }, /^learningRates: required numbers above 0, got NaN\./],
  [{ learningRates: [0] }, /^learningRates: /],
  [{ tune: true }, /^tune: required two or more learning rates to choose from, got none\./],
  [{ tune: true, learningRates: [0.1, 0.1] }, /^tune: .* got 0\.1\./],
  [{ labels: [] }, /^labels: required one or more/],
  [{ labels: ["3", "few"] }, /^labels: required a total .*got "few"/],
  [{ optimizers: [] }, /^optimizers: required one or more/],
  [{ optimizers: ["sgdd"] }, /^optimizer: .*Did you mean sgd/],
])("refuses %j", (settings, message) => {
  expect(() => requireStudySettings({ ...given, ...settings })).toThrow(message);
});

test("choosing a learning rate takes two labels", () => {
  const data = { count: 20, labels: Int32Array.from({ length: 20 }, (_, index) => index % 2) };
  const check = (amount: string, tune: boolean) => () => requireLabelAmounts({ labels: ["all", amount], tune }, data);
  expect(check("1", true)).toThrow(
    /^labels: required two or more where learning rates are chosen.*got "1", which is 1\./,
  );
  expect(check("5%", true)).toThrow(/got "5%", which is 1\./);
  expect(check("1", false)).not.toThrow();
  expect(check("2", true)).not.toThrow();
  expect(check("1/class", true)).not.toThrow();
  expect(check("21", false)).toThrow(/at most the 20 labels/);
});

test("how arms are pretrained is for those that are", async () => {
  const plain = await armsOf("he", "lecun+calibrated");
  for (const settings of [{ pretrainingEpochs: 2 }, { pretrainingSeeds: 1 }])
    expect(() => requirePretrained({ ...given, ...settings }, plain)).toThrow(
      /^pretraining(Epochs|Seeds): required an arm that is pretrained, got he, lecun\+calibrated\. Add one, such as default/,
    );
  expect(() => requirePretrained(given, plain)).not.toThrow();
  const untrained = await armsOf("he", "principal-components");
  expect(() => requirePretrained({ ...given, pretrainingSeeds: 1 }, untrained)).not.toThrow();
  expect(() => requirePretrained({ ...given, pretrainingEpochs: 1 }, untrained)).toThrow(/^pretrainingEpochs: /);
  const trained = await armsOf("he", "autoencoder");
  expect(() => requirePretrained({ ...given, pretrainingEpochs: 1, pretrainingSeeds: 1 }, trained)).not.toThrow();
});

test("says of a discriminator that no arm has one", async () => {
  const asked = { ...given, discriminator: "cnn" };
  expect(unusedDiscriminatorNote(asked, await armsOf("he", "autoencoder"))).toMatch(
    /^none of the arms is trained with/,
  );
  expect(unusedDiscriminatorNote(asked, await armsOf("he", "paper"))).toBeUndefined();
  expect(unusedDiscriminatorNote(given, await armsOf("he"))).toBeUndefined();
});
