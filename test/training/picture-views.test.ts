import { describe, expect, it } from "vitest";
import { RandomStream } from "../../src/random/stream.js";
import { parseRecipe, type RecipeInput } from "../../src/recipe/recipe.js";
import { drawView } from "../../src/training/picture-views.js";
import { normalTensor } from "../support/run-graph.js";

const picture = { channels: 1, height: 8, width: 8, layout: "NCHW" } as const;
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

  it("draws by the stream alone", () => {
    expect(viewed({})).toEqual(viewed({}));
    expect(viewed({}, 1)).not.toEqual(viewed({}));
  });
});
