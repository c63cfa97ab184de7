import { describe, expect, it } from "vitest";
import { parseRecipe, type RecipeInput } from "../../src/recipe/recipe.js";
import { optimizerFeeds, scheduleFactor } from "../../src/training/optimizer-feeds.js";

const recipe = (input: RecipeInput) => parseRecipe({ reconstruction: { weight: 1 }, ...input }, "test");
const factors = (schedule: RecipeInput["schedule"], steps: number): number[] =>
  Array.from({ length: steps }, (_, step) => scheduleFactor(recipe({ schedule }).schedule, step, steps));

describe("scheduleFactor", () => {
  it("is one where nothing is scheduled", () => {
    expect(factors({}, 5)).toEqual([1, 1, 1, 1, 1]);
  });

  it("rises linearly to one", () => {
    expect(factors({ warmUp: 0.4 }, 10)).toEqual([0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1]);
  });

  it("falls as half a cosine", () => {
    const found = factors({ kind: "cosine" }, 4);
    [0, 1, 2, 3].forEach((step) => {
      expect(found[step]).toBeCloseTo((1 + Math.cos((Math.PI * step) / 4)) / 2, 12);
    });
  });

  it("rises, then falls", () => {
    const found = factors({ kind: "cosine", warmUp: 0.5 }, 8);
    expect(found.slice(0, 5)).toEqual([0.25, 0.5, 0.75, 1, 1]);
    expect(found[6]).toBeCloseTo(0.5, 12);
    expect(found.every((factor) => factor > 0 && factor <= 1)).toBe(true);
  });

  it("stays finite where all is warm-up, or there is one step", () => {
    expect(factors({ kind: "cosine", warmUp: 1 }, 3)).toEqual([1 / 3, 2 / 3, 1]);
    expect(factors({ kind: "cosine" }, 1)).toEqual([1]);
    expect(factors({ kind: "cosine", warmUp: 0.3 }, 1)).toEqual([1]);
  });
});

describe("optimizerFeeds", () => {
  it("gives the rate times its factor and Adam's corrections, counted from one", () => {
    const settings = recipe({ generatorOptimizer: { learningRate: 0.01, momentum: 0.5, secondMoment: 0.9 } });
    const feeds = optimizerFeeds("generator", settings.generatorOptimizer, 2, 0.5);
    expect(Object.keys(feeds)).toEqual([
      "generator/learning-rate",
      "generator/first-correction",
      "generator/second-correction",
    ]);
    const [rate, first, second] = Object.values(feeds).map(({ data }) => data[0]);
    expect(rate).toBeCloseTo(0.005, 8);
    expect(first).toBeCloseTo(1 - 0.5 ** 3, 6);
    expect(second).toBeCloseTo(1 - 0.9 ** 3, 6);
    expect(Object.values(feeds).every(({ shape }) => shape.length === 0)).toBe(true);
  });
});
