import { describe, expect, it } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { UserError } from "../../src/errors.js";
import { augmenterFor, mapAugmenterFor } from "../../src/training/augmentation.js";
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

  it("refuses signals that run backwards, and samples that are neither pictures nor signals", () => {
    expect(() => augmenterFor(["shift", "flip"], samplesOf([2, 16]), signals)).toThrow(/do not run backwards/);
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

  it("refuses maps of other positions than the samples have", () => {
    const maps = { shape: [4, 4], values: new Uint8Array(16), rows: Uint32Array.of(0, 0, 0, 0), objects: false };
    expect(() => augmenterFor(["shift"], { ...samplesOf([1, 8, 8]), maps }, pictures)).toThrow(
      /^augment: required maps with a class for each of the samples' 8x8 positions, .* got maps of 4x4/,
    );
  });
});
