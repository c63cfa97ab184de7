import { expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.js";
import { RandomStream } from "../../src/random/stream.js";
import { orientationTargets, visualWordTargets } from "../../src/training/description-targets.js";
import { orientationsSize } from "../../src/training/picture-orientations.js";
import { visualWordsSize } from "../../src/training/visual-words.js";
import { barDataset, toyDataset } from "../support/toy-data.js";

const count = 200;
const every = (samples: number) => Uint32Array.from({ length: samples }, (_, index) => index);

const kinds = [
  { name: "directions of edges", of: orientationTargets, numbers: orientationsSize, digits: 4 },
  { name: "visual words", of: visualWordTargets, numbers: visualWordsSize, digits: 3 },
];

test.each(kinds)(
  "$name have mean zero and deviation one over the data, and are zero where nothing ever changes",
  async ({ of, numbers, digits }) => {
    const dataset = barDataset(count);
    const targets = await of(dataset, 0);
    const samples = new Float32Array(count * 64);
    await dataset.read(every(count), samples);
    const written = new Float32Array(count * numbers);
    await targets.write(every(count), samples, written);
    await targets.release();
    let varying = 0;
    for (let place = 0; place < numbers; place++) {
      const values = Array.from({ length: count }, (_, sample) => written[sample * numbers + place]);
      const mean = values.reduce((sum, value) => sum + value, 0) / count;
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / count - mean ** 2);
      expect(mean).toBeCloseTo(0, digits);
      if (deviation === 0) expect(values.every((value) => value === 0)).toBe(true);
      else {
        varying++;
        expect(deviation).toBeCloseTo(1, digits - 1);
      }
    }
    expect(varying).toBeGreaterThan(numbers / 4);
  },
);

test.each(kinds)("$name that are remembered are those that were told at first", async ({ of, numbers }) => {
  const dataset = barDataset(count);
  const [one, other] = [await of(dataset, 0), await of(dataset, 0)];
  const indices = Uint32Array.of(5, 17, 5, 90);
  const samples = new Float32Array(4 * 64);
  await dataset.read(indices, samples);
  const [first, second, mixed] = [0, 1, 2].map(() => new Float32Array(4 * numbers));
  await one.write(indices, samples, first);
  await one.write(indices, samples, second);
  expect(second).toEqual(first);
  // Some of these are known already, some are not.
  await other.write(indices.subarray(1, 2), samples.subarray(64, 128), mixed);
  await other.write(indices, samples, mixed);
  expect(mixed).toEqual(first);
  expect(first.some((value) => value !== 0)).toBe(true);
  for (const targets of [one, other]) await targets.release();
});

test.each(kinds)("$name: the samples that are measured are drawn by seed", async ({ of: targetsOf, numbers }) => {
  const dataset = barDataset(600);
  const samples = Float32Array.from({ length: 64 }, () => new RandomStream(3, "test").normal());
  const of = async (seed: number): Promise<Float32Array> => {
    const target = new Float32Array(numbers);
    samples[9] = 4;
    const targets = await targetsOf(dataset, seed);
    await targets.write([0], samples, target);
    await targets.release();
    return target;
  };
  expect(await of(0)).toEqual(await of(0));
  expect(await of(0)).not.toEqual(await of(1));
});

test.each(kinds)("$name are no longer measured where the signal aborts", async ({ of }) => {
  await expect(of(barDataset(count), 0, { signal: AbortSignal.abort() })).rejects.toThrow(InterruptedError);
});

test.each(kinds)("data that are no pictures have no $name", async ({ of }) => {
  await expect(of(toyDataset([12]), 0)).rejects.toThrow(/only pictures/);
});
