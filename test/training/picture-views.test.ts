import { describe, expect, it } from "vitest";
import { RandomStream } from "../../src/random/stream.js";
import { parseRecipe, type RecipeInput } from "../../src/recipe/recipe.js";
import type { PictureGeometry } from "../../src/training/picture-geometry.js";
import { drawView } from "../../src/training/picture-views.js";
import { normalTensor } from "../support/run-graph.js";

const picture: PictureGeometry = { channels: 1, height: 8, width: 8, layout: "NCHW" };
const batch = normalTensor("batch", [20, 64]).data;

function viewed(contrast: RecipeInput["contrast"], seed = 0): Float32Array {
  const target = new Float32Array(batch.length);
  const settings = parseRecipe({ contrast: { weight: 1, ...contrast } }, "test").contrast;
  drawView(batch, target, 20, picture, settings, new RandomStream(seed, "view"));
  return target;
}

const row = (values: Float32Array, sample: number, y: number): number[] =>
  Array.from(values.subarray(sample * 64 + y * 8, sample * 64 + y * 8 + 8));

describe("drawView", () => {
  it("copies where nothing is to change", () => {
    expect(viewed({ flip: false, shift: 0, jitter: 0 })).toEqual(batch);
  });

  it("exchanges left and right in about half", () => {
    const target = viewed({ flip: true, shift: 0, jitter: 0 });
    let flipped = 0;
    for (let sample = 0; sample < 20; sample++) {
      const same = row(target, sample, 3).join() === row(batch, sample, 3).join();
      if (!same) {
        expect(row(target, sample, 3)).toEqual(row(batch, sample, 3).reverse());
        flipped++;
      }
    }
    expect(flipped).toBeGreaterThan(3);
    expect(flipped).toBeLessThan(17);
  });

  it("shifts by at most the share of the side", () => {
    const target = viewed({ flip: false, shift: 0.125, jitter: 0 });
    for (let sample = 0; sample < 20; sample++) {
      const middle = target[sample * 64 + 4 * 8 + 4];
      const around = [3, 4, 5].flatMap((y) => row(batch, sample, y).slice(3, 6));
      expect(around).toContain(middle);
    }
    expect(target).not.toEqual(batch);
  });

  it("changes contrast and brightness of whole pictures", () => {
    const target = viewed({ flip: false, shift: 0, jitter: 0.4 });
    for (let sample = 0; sample < 20; sample++) {
      const [a, b, c] = [0, 1, 2].map((index) => sample * 64 + index);
      const contrast = (target[a] - target[b]) / (batch[a] - batch[b]);
      expect(contrast).toBeGreaterThan(0.59);
      expect(contrast).toBeLessThan(1.41);
      expect(target[c]).toBeCloseTo(contrast * batch[c] + (target[a] - contrast * batch[a]), 4);
      expect(Math.abs(target[a] - contrast * batch[a])).toBeLessThan(0.41);
    }
  });

  it("magnifies a part of the picture", () => {
    // Values that grow evenly to the right and down: a part at the whole's size grows by its share of the slope.
    const side = 8;
    const slopes = { x: 1, y: 10 };
    const plane = Float32Array.from(
      { length: side * side },
      (_, i) => slopes.x * (i % side) + slopes.y * Math.floor(i / side),
    );
    const settings = parseRecipe(
      { contrast: { weight: 1, flip: false, shift: 0, jitter: 0, zoom: 0.5 } },
      "test",
    ).contrast;
    const shares: number[] = [];
    for (let seed = 0; seed < 40; seed++) {
      const target = new Float32Array(plane.length);
      drawView(plane, target, 1, picture, settings, new RandomStream(seed, "view"));
      const at = (y: number, x: number): number => target[y * side + x];
      const share = (at(4, 4) - at(4, 3)) / slopes.x;
      expect(at(4, 4) - at(3, 4)).toBeCloseTo(share * slopes.y, 3);
      for (const value of target) {
        expect(value).toBeGreaterThanOrEqual(plane[0]);
        expect(value).toBeLessThanOrEqual(plane[side * side - 1]);
      }
      shares.push(share);
    }
    expect(Math.min(...shares)).toBeGreaterThan(0.499);
    expect(Math.min(...shares)).toBeLessThan(0.6);
    expect(Math.max(...shares)).toBeGreaterThan(0.9);
    expect(Math.max(...shares)).toBeLessThanOrEqual(1.0001);
  });

  it("magnifies pictures in colour by half at most, and grey ones not, where that is left to it", () => {
    const drawn = (channels: number, zoom: "auto" | number): Float32Array => {
      const settings = parseRecipe({ contrast: { weight: 1, zoom } }, "test").contrast;
      const pixels = normalTensor("colours", [2 * channels * 64]).data;
      const target = new Float32Array(pixels.length);
      drawView(pixels, target, 2, { ...picture, channels }, settings, new RandomStream(0, "view"));
      return target;
    };
    expect(drawn(3, "auto")).toEqual(drawn(3, 0.5));
    expect(drawn(3, "auto")).not.toEqual(drawn(3, 0));
    expect(drawn(1, "auto")).toEqual(drawn(1, 0));
  });

  it.each(["NCHW", "NHWC"] as const)("changes each channel by itself (%s)", (layout) => {
    const pixels = 12;
    const colours = normalTensor("colours", [pixels * 3]).data;
    const target = new Float32Array(colours.length);
    const settings = parseRecipe(
      { contrast: { weight: 1, flip: false, shift: 0, jitter: 0, colour: 0.4 } },
      "test",
    ).contrast;
    const geometry: PictureGeometry = { channels: 3, height: 3, width: 4, layout };
    drawView(colours, target, 1, geometry, settings, new RandomStream(0, "view"));
    const contrasts = [0, 1, 2].map((channel) => {
      const index = (pixel: number): number => (layout === "NCHW" ? channel * pixels + pixel : pixel * 3 + channel);
      const [a, b] = [index(0), index(1)];
      const contrast = (target[a] - target[b]) / (colours[a] - colours[b]);
      for (let pixel = 0; pixel < pixels; pixel++)
        expect(target[index(pixel)]).toBeCloseTo(target[a] + contrast * (colours[index(pixel)] - colours[a]), 3);
      return contrast;
    });
    for (const contrast of contrasts) expect(Math.abs(contrast - 1)).toBeLessThan(0.401);
    expect(Math.abs(contrasts[0] - contrasts[1])).toBeGreaterThan(0.01);
  });

  it.each([
    [0.25, { channels: 1, height: 8, width: 8, layout: "NCHW" }],
    [0.4, { channels: 3, height: 5, width: 7, layout: "NCHW" }],
    [0.4, { channels: 3, height: 7, width: 5, layout: "NHWC" }],
    [1, { channels: 2, height: 4, width: 3, layout: "NCHW" }],
    [1, { channels: 3, height: 1, width: 6, layout: "NHWC" }],
  ] as const)("draws the edge out where it shifts by %d, each picture by its own: %o", (shift, geometry) => {
    const { channels, height, width, layout } = geometry;
    const pixels = height * width;
    // Values tell where they come from: 100 · row + column, and a part of one for the channel.
    const at = (pixel: number, channel: number): number =>
      layout === "NCHW" ? channel * pixels + pixel : pixel * channels + channel;
    const original = new Float32Array(channels * pixels);
    for (let pixel = 0; pixel < pixels; pixel++)
      for (let channel = 0; channel < channels; channel++)
        original[at(pixel, channel)] = 100 * Math.floor(pixel / width) + (pixel % width) + channel / 4;
    const settings = parseRecipe({ contrast: { weight: 1, flip: false, shift, jitter: 0 } }, "test").contrast;
    const [down, right] = [height, width].map((side) => Math.floor(side * shift));
    const inside = (place: number, side: number): number => Math.min(Math.max(place, 0), side - 1);
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const target = new Float32Array(original.length);
      drawView(original, target, 1, geometry, settings, new RandomStream(seed, "view"));
      const fits: string[] = [];
      for (let y = -down; y <= down; y++)
        for (let x = -right; x <= right; x++) {
          const isShifted = original.every((_, index) => {
            const [pixel, channel] =
              layout === "NCHW"
                ? [index % pixels, Math.floor(index / pixels)]
                : [Math.floor(index / channels), index % channels];
            const row = inside(Math.floor(pixel / width) - y, height);
            return target[index] === original[at(row * width + inside((pixel % width) - x, width), channel)];
          });
          if (isShifted) fits.push(`${y},${x}`);
        }
      expect(fits).not.toEqual([]);
      seen.add(fits.join(" "));
    }
    expect(seen.size).toBeGreaterThan(10);
  });

  it("makes the same view with the channels first and last", () => {
    const [height, width, channels] = [5, 6, 3];
    const first = normalTensor("colours", [channels * height * width]).data;
    const last = new Float32Array(first.length);
    const pixels = height * width;
    const settings = parseRecipe({ contrast: { weight: 1, zoom: 0.5, colour: 0.4, shift: 0.3 } }, "test").contrast;
    for (let c = 0; c < channels; c++)
      for (let pixel = 0; pixel < pixels; pixel++) last[pixel * channels + c] = first[c * pixels + pixel];
    const [ofFirst, ofLast] = [new Float32Array(first.length), new Float32Array(first.length)];
    const geometry = { channels, height, width };
    drawView(first, ofFirst, 1, { ...geometry, layout: "NCHW" }, settings, new RandomStream(4, "view"));
    drawView(last, ofLast, 1, { ...geometry, layout: "NHWC" }, settings, new RandomStream(4, "view"));
    for (let c = 0; c < channels; c++)
      for (let pixel = 0; pixel < pixels; pixel++)
        expect(ofLast[pixel * channels + c]).toBe(ofFirst[c * pixels + pixel]);
    expect(ofFirst).not.toEqual(first);
  });

  it("draws by the stream alone", () => {
    expect(viewed({})).toEqual(viewed({}));
    expect(viewed({}, 1)).not.toEqual(viewed({}));
  });
});
