import { expect, test } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { RandomStream } from "../../src/random/stream.js";
import { pictureGeometry } from "../../src/training/picture-geometry.js";
import { VisualWords } from "../../src/training/visual-words.js";

const count = 60;
const colours = 3;

/** Pictures of stripes of many widths, directions and colours: [count, 3, side, side]. */
function stripes(side: number): Float32Array {
  const stream = new RandomStream(1, "stripes");
  const pixels: number[] = [];
  for (let picture = 0; picture < count; picture++) {
    const [across, down] = [stream.normal(), stream.normal()];
    for (let colour = 0; colour < colours; colour++) {
      const strength = stream.uniform();
      for (let row = 0; row < side; row++)
        for (let column = 0; column < side; column++) {
          pixels.push(strength * Math.sin((across * column + down * row) * (16 / side)));
        }
    }
  }
  return Float32Array.from(pixels);
}

async function wordsOf(pixels: Float32Array, shape: readonly number[]): Promise<VisualWords> {
  const dataset = memoryDataset(pixels, shape, undefined, {});
  const picture = pictureGeometry(shape);
  if (!picture) throw new Error("no picture");
  return VisualWords.open(dataset, picture, 0);
}

async function describe(pixels: Float32Array, shape: readonly number[], of = pixels): Promise<Float32Array> {
  const words = await wordsOf(pixels, shape);
  const described = await words.describe(of, count);
  await words.release();
  return described;
}

function expectClose(found: Float32Array, wanted: Float32Array): void {
  expect(found.length).toBe(wanted.length);
  const worst = found.reduce((most, value, at) => Math.max(most, Math.abs(value - wanted[at])), 0);
  expect(worst).toBeLessThan(0.02);
}

const pixels = stripes(16);
const described = await describe(pixels, [colours, 16, 16]);

test("pictures differ in their numbers, whose variances are one", () => {
  const numbers = described.length / count;
  const deviations = Array.from({ length: numbers }, (_, number) => {
    const values = Array.from({ length: count }, (_, picture) => described[picture * numbers + number]);
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count);
  });
  for (const deviation of deviations.slice(0, 20)) expect(deviation).toBeCloseTo(1, 2);
});

test("the channels may come last", async () => {
  const last = new Float32Array(pixels.length);
  for (let at = 0; at < pixels.length; at++) {
    const picture = Math.floor(at / (colours * 256));
    const place = at % 256;
    const colour = Math.floor(at / 256) % colours;
    last[(picture * 256 + place) * colours + colour] = pixels[at];
  }
  expectClose(await describe(last, [16, 16, colours]), described);
});

test("brightness and contrast count little", async () => {
  const faded = pixels.map((value) => 0.7 * value + 5);
  const words = await wordsOf(pixels, [colours, 16, 16]);
  const seen = await words.describe(faded, count);
  await words.release();
  const distance = (one: Float32Array, other: Float32Array) =>
    Math.sqrt(one.reduce((sum, value, at) => sum + (value - other[at]) ** 2, 0));
  const another = described.slice();
  const numbers = described.length / count;
  for (let picture = 0; picture < count; picture++)
    another.set(described.subarray(((picture + 1) % count) * numbers).subarray(0, numbers), picture * numbers);
  expect(distance(seen, described)).toBeLessThan(0.25 * distance(another, described));
});

test("a picture that is twice as large has the same words", async () => {
  const small = stripes(32);
  const large = new Float32Array(4 * small.length);
  for (let at = 0; at < large.length; at++) {
    const [plane, place] = [Math.floor(at / 4096), at % 4096];
    const [row, column] = [Math.floor(place / 64), place % 64];
    large[at] = small[plane * 1024 + Math.floor(row / 2) * 32 + Math.floor(column / 2)];
  }
  expectClose(await describe(large, [colours, 64, 64]), await describe(small, [colours, 32, 32]));
});

test("pictures smaller than a word, and ones that are all alike, have numbers, too", async () => {
  for (const shape of [
    [1, 2, 2],
    [1, 2, 40],
    [1, 8, 8],
  ]) {
    const size = shape.reduce((product, side) => product * side, 1);
    const flat = await describe(new Float32Array(count * size).fill(3), shape);
    expect(flat.every((value) => value === 0)).toBe(true);
    const noise = Float32Array.from({ length: count * size }, () => new RandomStream(0, "noise").normal());
    expect((await describe(noise, shape)).every(Number.isFinite)).toBe(true);
  }
});
