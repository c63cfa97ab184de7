import { describe, expect, it } from "vitest";
import { byteScaler } from "../../src/data/byte-scaler.js";

const normalisation = {
  name: "standard",
  scale: [1 / 53.123, 1 / 61.7, 0.0173],
  offset: [-2.117, -2.0357, 1e-9],
  low: [],
  high: [],
};

describe("byteScaler", () => {
  it.each([
    ["pictures, channels first", 3, 1024, 3072],
    ["pictures, channels last", 3, 1, 3072],
    ["runs that end within a turn", 3, 49, 147],
    ["channels last, of an odd number of pixels", 3, 1, 147],
    ["grey pictures", 1, 784, 784],
    ["grey pictures, channels last", 1, 1, 784],
    ["samples of several pieces", 2, 9001, 18002],
    ["samples of several pieces, channels last", 3, 1, 30003],
    ["channels that come again", 2, 20, 120],
  ])("gives raw · scale + offset to the bit: %s", (_, channels, inner, size) => {
    const data = Uint8Array.from({ length: 2 * size + 5 }, (_, index) => Math.imul(index, 2654435761) >>> 24);
    const target = new Float32Array(size + 7).fill(-77);
    byteScaler(normalisation, { channels, inner }, size)!(data, size + 5, target, 3);
    const expected = new Float32Array(size + 7).fill(-77);
    for (let at = 0; at < size; at++) {
      const channel = Math.floor(at / inner) % channels;
      expected[3 + at] = data[size + 5 + at] * normalisation.scale[channel] + normalisation.offset[channel];
    }
    expect(Buffer.compare(Buffer.from(target.buffer), Buffer.from(expected.buffer))).toBe(0);
  });

  it("is not for few values a channel, nor for many channels", () => {
    expect(byteScaler(normalisation, { channels: 3, inner: 4 }, 12)).toBeUndefined();
    const many = { ...normalisation, scale: new Array(100).fill(1), offset: new Array(100).fill(0) };
    expect(byteScaler(many, { channels: 100, inner: 100 }, 10_000)).toBeUndefined();
  });
});
