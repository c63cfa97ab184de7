import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Layer } from "../../bench/step/layers.js";
import { type NetworkName, networks } from "../../bench/step/networks.js";
import { openOurStep } from "../../bench/step/ours.js";
import { planOf, stepNames } from "../../bench/step/plan.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const folder = sharedTemporaryFolder();
const batchSize = 4;

/** Names of parameters that layers read, with repetitions left out. */
function named(layers: readonly Layer[]): string[] {
  const names = layers.flatMap(({ weight, bias, statistics = [] }) => [weight, bias, ...statistics]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

describe.each(Object.keys(networks) as NetworkName[])("%s", (network) => {
  test("what peers compute has exactly the parameters of headstart's own graph", async () => {
    const { file, training } = await planOf(network, "gan", join(folder, network), batchSize);
    const owned = (owner: string): string[] =>
      training.state
        .filter((tensor) => tensor.parameter && tensor.owner === owner)
        .map(({ name }) => name)
        .sort();
    expect(named(file.features)).toEqual(owned("features"));
    expect(named(file.mirror)).toEqual(owned("mirror"));
    expect(named(file.discriminator)).toEqual(owned("discriminator"));
    expect(file.mirror.at(-1)?.shape).toEqual([batchSize, ...networks[network].sampleShape]);
  });
});

test.each(stepNames)("headstart makes the %s step from the same start every time", async (step) => {
  const path = join(folder, step);
  const { write } = await planOf("cnn", step, path, batchSize);
  await write();
  const runs = [await openOurStep(path, 1), await openOurStep(path, 1)];
  const [first, second] = [await runs[0].run(), await runs[1].run()];
  expect(first).toHaveLength(step === "gan" || step === "contrast" ? 2 : 1);
  expect(first.every(Number.isFinite)).toBe(true);
  expect(second).toEqual(first);
  expect(await runs[0].run()).not.toEqual(first);
});

test("counts the products of a step", async () => {
  const count = async (step: (typeof stepNames)[number]): Promise<number> =>
    (await planOf("mlp", step, join(folder, `count-${step}`), batchSize)).file.multiplyAdds / batchSize;
  const first = 784 * 256;
  const features = first + 256 * 64;
  // Forward, and twice that back, but for the gradient of the samples.
  expect(await count("supervised")).toBe(3 * (features + 64 * 10) - first);
  // 72 numbers tell the edges, 64 the visual words; their layers hand a gradient back.
  expect(await count("visual-words")).toBe(3 * (features + 64 * (72 + 64)) - first);
  const { file } = await planOf("mlp", "gan", join(folder, "count-gan"), batchSize);
  const widths = file.discriminator.flatMap(({ weightShape }) =>
    weightShape ? [weightShape[0] * weightShape[1]] : [],
  );
  const judged = widths.reduce((a, b) => a + b);
  // D looks three times, learns from two looks, and hands one gradient back to G's output.
  expect(await count("gan")).toBe(6 * features - first + 3 * judged + 2 * (2 * judged - widths[0]) + judged);
});

test("what is compared of tasks alone begins behind the warm-up, so that a wrong gradient is seen", async () => {
  const rates = async (step: (typeof stepNames)[number]): Promise<readonly number[]> => {
    const { file } = await planOf("cnn", step, join(folder, `rates-${step}`), batchSize);
    return file.learningRates.generator.map((rate) => rate / file.optimizers.generator.learningRate);
  };
  for (const step of ["rotation", "visual-words"] as const) {
    const [first, second] = await rates(step);
    expect(first).toBe(1);
    expect(second).toBeGreaterThan(0.99);
  }
  const [first, second] = await rates("contrast");
  expect(first).toBeLessThan(0.02);
  expect(second).toBeGreaterThan(first);
});
