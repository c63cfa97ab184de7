import { describe, expect, it } from "vitest";
import type { Dataset, NormalisationChoice } from "../../src/data/dataset.js";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { UserError } from "../../src/errors.js";
import { augmenterFor, mapAugmenterFor } from "../../src/training/augmentation.js";
import { readAll } from "../data/read-all.js";
import { normalTensor } from "../support/run-graph.js";
import { barDataset, toyNetwork } from "../support/toy-data.js";

const pictures = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4] });
const signals = toyNetwork({ template: "cnn1d", inputShape: [2, 16], widths: [4] });
const samplesOf = (shape: readonly number[]): Dataset => ({ ...barDataset(4), shape, record: {} });

/** A picture whose values rise from left to right by one and downwards by a hundred. */
const ramp = Float32Array.from({ length: 64 }, (_, place) => 100 * Math.floor(place / 8) + (place % 8));
const many = (sample: Float32Array, count: number) =>
  Float32Array.from({ length: count * sample.length }, (_, place) => sample[place % sample.length]);

describe("augmenterFor", () => {
  it("moves pictures by up to an eighth of each side, both ways", () => {
    const batch = many(ramp, 60);
    const changed = new Float32Array(batch.length);
    augmenterFor(["shift"], samplesOf([1, 8, 8]), pictures)(batch, changed, 0, 0);
    const moves = new Set<string>();
    for (let start = 0; start < changed.length; start += 64) {
      // What the inside shows tells the move; of eight positions an eighth is one.
      const middle = changed[start + 4 * 8 + 4];
      const [down, right] = [Math.floor(middle / 100) - 4, (middle % 100) - 4];
      moves.add(`${down} ${right}`);
      for (let row = 1; row < 7; row++)
        for (let column = 1; column < 7; column++)
          expect(changed[start + 8 * row + column]).toBe(100 * (row + down) + column + right);
    }
    expect([...moves].sort()).toEqual(["-1 -1", "-1 0", "-1 1", "0 -1", "0 0", "0 1", "1 -1", "1 0", "1 1"]);
  });

  it("turns about half of the pictures left to right, and nothing else", () => {
    const batch = many(ramp, 100);
    const changed = new Float32Array(batch.length);
    augmenterFor(["flip"], samplesOf([1, 8, 8]), pictures)(batch, changed, 0, 0);
    const turned = ramp.map((_, place) => 100 * Math.floor(place / 8) + 7 - (place % 8));
    let count = 0;
    for (let start = 0; start < changed.length; start += 64) {
      const one = changed.slice(start, start + 64);
      if (one[0] === 7) count++;
      expect(one).toEqual(one[0] === 7 ? turned : ramp);
    }
    expect(count).toBeGreaterThan(35);
    expect(count).toBeLessThan(65);
  });

  it("changes alike for the same seed and step, and otherwise not", () => {
    const augment = augmenterFor(["shift", "flip"], samplesOf([1, 8, 8]), pictures);
    const batch = many(ramp, 8);
    const at = (seed: number, step: number) => {
      const changed = new Float32Array(batch.length);
      augment(batch, changed, seed, step);
      return changed;
    };
    expect(at(1, 2)).toEqual(at(1, 2));
    expect(at(1, 3)).not.toEqual(at(1, 2));
    expect(at(2, 2)).not.toEqual(at(1, 2));
  });

  it("moves signals in time, all channels together", () => {
    const signal = Float32Array.from({ length: 32 }, (_, place) => place);
    const batch = many(signal, 40);
    const changed = new Float32Array(batch.length);
    augmenterFor(["shift"], samplesOf([2, 16]), signals)(batch, changed, 0, 0);
    const moves = new Set<number>();
    for (let start = 0; start < changed.length; start += 32) {
      const move = changed[start + 8] - 8;
      moves.add(move);
      for (let place = 2; place < 14; place++) {
        expect(changed[start + place]).toBe(place + move);
        expect(changed[start + 16 + place]).toBe(16 + place + move);
      }
    }
    expect([...moves].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
  });

  it("magnifies parts of half of each side or more, wherever they lie", () => {
    const batch = many(ramp, 200);
    const changed = new Float32Array(batch.length);
    augmenterFor(["crop"], samplesOf([1, 8, 8]), pictures)(batch, changed, 0, 0);
    const [shares, corners]: number[][] = [[], []];
    for (let start = 0; start < changed.length; start += 64) {
      const at = (row: number, column: number): number => changed[start + 8 * row + column];
      // Inside, neighbours are as far apart as the part's side is shorter, in both directions.
      const share = at(4, 4) - at(4, 3);
      expect(at(4, 4) - at(3, 4)).toBeCloseTo(100 * share, 1);
      shares.push(share);
      expect(at(0, 0)).toBeGreaterThanOrEqual(0);
      expect(at(7, 7)).toBeLessThanOrEqual(707);
      corners.push(at(0, 0));
    }
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.499);
    expect(Math.min(...shares)).toBeLessThan(0.55);
    expect(Math.max(...shares)).toBeGreaterThan(0.95);
    expect(Math.max(...shares)).toBeLessThanOrEqual(1.001);
    // From the upper left to the lower right: of half a side, the part's first row lies at most in row 3.75.
    expect(Math.min(...corners)).toBeLessThan(10);
    expect(Math.max(...corners)).toBeGreaterThan(250);
  });

  it("changes contrast around the mean, and brightness in deviations, however samples are normalised", async () => {
    const values = normalTensor("values", [40, 3, 8, 8]).data.map((value, at) => 5 * value + 100 * (at % 3));
    const opened = (normalise: NormalisationChoice) => memoryDataset(values, [3, 8, 8], undefined, { normalise });
    const colours = toyNetwork({ template: "cnn", inputShape: [3, 8, 8], widths: [4] });
    const changedOf = async (normalise: NormalisationChoice) => {
      const dataset = opened(normalise);
      const samples = await readAll(dataset);
      const changed = new Float32Array(samples.length);
      augmenterFor(["crop", "colour"], dataset, colours)(samples, changed, 3, 1);
      const { scale, offset } = dataset.record.normalisation as { scale: number[]; offset: number[] };
      const channel = (at: number): number => Math.floor(at / 64) % 3;
      expect(changed).not.toEqual(samples);
      return changed.map((value, at) => (value - offset[channel(at)]) / scale[channel(at)]);
    };
    const standard = await changedOf("standard");
    for (const normalise of ["none", "symmetric", { mean: [3], std: [7] }]) {
      const other = await changedOf(normalise);
      other.forEach((value, at) => {
        expect(Math.abs(value - standard[at])).toBeLessThan(1e-3);
      });
    }
  });

  it("changes the colours of each channel by itself, and of grey pictures the light alone", () => {
    const grey = new Float32Array(64).fill(1);
    const lights = new Float32Array(20 * 64);
    augmenterFor(["colour"], samplesOf([1, 8, 8]), pictures)(many(grey, 20), lights, 0, 0);
    // Contrast takes 1 to 0.6 or 1.4, and brightness adds up to 0.4.
    for (const value of lights) expect(Math.abs(value - 1)).toBeLessThanOrEqual(0.8001);
    expect(new Set(lights).size).toBeGreaterThan(15);
    const colours = toyNetwork({ template: "cnn", inputShape: [3, 8, 8], widths: [4] });
    const changed = new Float32Array(3 * 64);
    augmenterFor(["colour"], samplesOf([3, 8, 8]), colours)(new Float32Array(3 * 64).fill(1), changed, 0, 0);
    expect(new Set(changed).size).toBe(3);
  });

  it("leaves what moves samples as it is where more is asked for", () => {
    // The same numbers are drawn for both: a study with shift and flip stays what it was.
    const batch = many(ramp, 30);
    const [moved, coloured] = [new Float32Array(batch.length), new Float32Array(batch.length)];
    augmenterFor(["shift", "flip"], samplesOf([1, 8, 8]), pictures)(batch, moved, 4, 2);
    augmenterFor(["shift", "flip", "colour"], samplesOf([1, 8, 8]), pictures)(batch, coloured, 4, 2);
    for (let start = 0; start < batch.length; start += 64) {
      const contrast = (coloured[start + 36] - coloured[start + 35]) / (moved[start + 36] - moved[start + 35]);
      const brightness = coloured[start] - contrast * moved[start];
      for (let at = start; at < start + 64; at++)
        expect(Math.abs(coloured[at] - contrast * moved[at] - brightness)).toBeLessThan(0.05);
    }
  });

  it("magnifies signals in time, all channels together", () => {
    const signal = Float32Array.from({ length: 32 }, (_, place) => place);
    const changed = new Float32Array(40 * 32);
    augmenterFor(["crop"], samplesOf([2, 16]), signals)(many(signal, 40), changed, 0, 0);
    const shares = new Set<number>();
    for (let start = 0; start < changed.length; start += 32) {
      for (let place = 0; place < 16; place++)
        expect(changed[start + 16 + place] - changed[start + place]).toBeCloseTo(16, 4);
      shares.add(changed[start + 8] - changed[start + 7]);
    }
    expect(shares.size).toBeGreaterThan(30);
    for (const share of shares) expect(Math.abs(share - 0.75)).toBeLessThanOrEqual(0.251);
  });

  it("refuses signals that run backwards or have colours, and samples that are neither pictures nor signals", () => {
    expect(() => augmenterFor(["shift", "flip"], samplesOf([2, 16]), signals)).toThrow(/do not run backwards/);
    expect(() => augmenterFor(["colour"], samplesOf([2, 16]), signals)).toThrow(/have no colours, got colour/);
    const table = toyNetwork({ template: "mlp", inputShape: [6], widths: [4] });
    expect(() => augmenterFor(["shift"], samplesOf([6]), table)).toThrow(UserError);
    expect(() => augmenterFor(["shift"], samplesOf([6]), table)).toThrow(/Leave --augment out/);
  });
});

describe("mapAugmenterFor", () => {
  it("changes maps as the samples are changed, whatever their channels and layout", () => {
    const labels = Float32Array.from({ length: 64 }, (_, place) => place);
    const maps = { shape: [8, 8], values: new Uint8Array(64), rows: Uint32Array.of(0, 0, 0, 0), objects: false };
    const colours = toyNetwork({ template: "cnn", inputShape: [3, 8, 8], widths: [4] });
    for (const [dataset, network, channels, stride] of [
      [{ ...samplesOf([1, 8, 8]), maps }, pictures, 1, 1],
      [{ ...samplesOf([3, 8, 8]), maps }, colours, 3, 1],
      [
        { ...samplesOf([8, 8, 3]), maps, record: { picture: { channels: 3, height: 8, width: 8, layout: "NHWC" } } },
        colours,
        3,
        3,
      ],
    ] satisfies [Dataset, typeof pictures, number, number][]) {
      const count = 30;
      // Each value says where it was.
      const sample = Float32Array.from({ length: 64 * channels }, (_, at) =>
        stride === 1 ? at % 64 : Math.floor(at / 3),
      );
      const [batch, batchMaps] = [many(sample, count), many(labels, count)];
      const [changed, changedMaps] = [new Float32Array(batch.length), new Float32Array(batchMaps.length)];
      augmenterFor(["shift", "flip"], dataset, network)(batch, changed, 5, 7);
      mapAugmenterFor(["shift", "flip"], dataset, network)(batchMaps, changedMaps, 5, 7);
      expect(changedMaps).not.toEqual(batchMaps);
      for (let at = 0; at < count * 64; at++) {
        const [own, place] = [Math.floor(at / 64), at % 64];
        expect(changedMaps[at]).toBe(changed[own * 64 * channels + place * stride]);
      }
    }
  });

  it("gives each place of a magnified map the nearest class, and none between", () => {
    const count = 40;
    const maps = { shape: [8, 8], values: new Uint8Array(64), rows: new Uint32Array(count), objects: false };
    // The picture's two channels say which row and column a place comes from, and the map has a number for each place.
    const places = Float32Array.from({ length: 128 }, (_, at) => (at < 64 ? Math.floor(at / 8) : at % 8));
    const classes = Float32Array.from({ length: 64 }, (_, at) => (at === 9 ? -1 : at));
    const [batch, batchMaps] = [many(places, count), many(classes, count)];
    const [changed, changedMaps] = [new Float32Array(batch.length), new Float32Array(batchMaps.length)];
    const dataset = { ...samplesOf([2, 8, 8]), maps };
    const network = toyNetwork({ template: "cnn", inputShape: [2, 8, 8], widths: [4] });
    augmenterFor(["shift", "flip", "crop"], dataset, network)(batch, changed, 5, 7);
    mapAugmenterFor(["shift", "flip", "crop", "colour"], dataset, network)(batchMaps, changedMaps, 5, 7);
    const isNear = (place: number, exact: number): boolean => Math.abs(place - exact) < 0.501;
    let between = 0;
    changedMaps.forEach((value, at) => {
      const from = Math.floor(at / 64) * 128 + (at % 64);
      const [row, column] = [changed[from], changed[from + 64]];
      if (!Number.isInteger(row)) between++;
      const of = value === -1 ? 9 : value;
      expect(isNear(Math.floor(of / 8), row) && isNear(of % 8, column)).toBe(true);
    });
    expect(between).toBeGreaterThan(count);
    expect(new Set(changedMaps).has(-1)).toBe(true);
  });

  it("refuses maps of other positions than the samples have", () => {
    const maps = { shape: [4, 4], values: new Uint8Array(16), rows: Uint32Array.of(0, 0, 0, 0), objects: false };
    expect(() => augmenterFor(["shift"], { ...samplesOf([1, 8, 8]), maps }, pictures)).toThrow(
      /^augment: required maps with a class for each of the samples' 8x8 positions, .* got maps of 4x4/,
    );
  });
});
