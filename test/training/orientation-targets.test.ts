import { expect, test } from "vitest";
import { RandomStream } from "../../src/random/stream.js";
import { OrientationTargets } from "../../src/training/orientation-targets.js";
import { orientationsSize } from "../../src/training/picture-orientations.js";
import { barDataset, toyDataset } from "../support/toy-data.js";

const count = 200;

test("targets have mean zero and deviation one over the data, and zero where nothing ever changes", async () => {
  const dataset = barDataset(count);
  const targets = await OrientationTargets.measure(dataset, 0);
  const samples = new Float32Array(count * 64);
  await dataset.read(
    Uint32Array.from({ length: count }, (_, index) => index),
    samples,
  );
  const written = new Float32Array(count * orientationsSize);
  targets.write(samples, count, written);
  let varying = 0;
  for (let place = 0; place < orientationsSize; place++) {
    const values = Array.from({ length: count }, (_, sample) => written[sample * orientationsSize + place]);
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / count - mean ** 2);
    expect(mean).toBeCloseTo(0, 4);
    if (deviation === 0) expect(values.every((value) => value === 0)).toBe(true);
    else {
      varying++;
      expect(deviation).toBeCloseTo(1, 3);
    }
  }
  expect(varying).toBeGreaterThan(orientationsSize / 2);
});

test("the samples that are measured are drawn by seed", async () => {
  const dataset = barDataset(600);
  const samples = Float32Array.from({ length: 64 }, () => new RandomStream(3, "test").normal());
  const of = async (seed: number): Promise<Float32Array> => {
    const target = new Float32Array(orientationsSize);
    samples[9] = 4;
    (await OrientationTargets.measure(dataset, seed)).write(samples, 1, target);
    return target;
  };
  expect(await of(0)).toEqual(await of(0));
  expect(await of(0)).not.toEqual(await of(1));
});

test("data that are no pictures have none", async () => {
  await expect(OrientationTargets.measure(toyDataset([12]), 0)).rejects.toThrow(/only pictures/);
});
