import { describe, expect, it, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { builtInRecipe, builtInRecipes, parseRecipe, type RecipeInput } from "../../src/recipe/recipe.js";

const trains = { reconstruction: { weight: 1 } };

function complaint(input: unknown): string {
  try {
    parseRecipe(input, "recipe.json");
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  }
  return "no error";
}

describe("parseRecipe", () => {
  it("fills in what is missing", () => {
    const recipe = parseRecipe({ ...trains, generatorOptimizer: { kind: "sgd" } }, "recipe.json");
    expect(recipe).toMatchObject({
      name: "custom",
      adversarial: { weight: 0, loss: "relativistic" },
      generatorOptimizer: { kind: "sgd", momentum: 0.9, learningRate: 1e-3 },
      conditioning: { spectrumExponent: null, scale: "none" },
      update: "alternating",
      start: "he",
      batchSize: 128,
    });
    expect(parseRecipe(recipe, "again")).toEqual(recipe);
    expect(parseRecipe(JSON.parse(JSON.stringify(recipe)), "from JSON")).toEqual(recipe);
  });

  it.each([
    [
      { ...trains, batchsize: 3 },
      /^recipe\.json: required no other keys than name, squarePictures, densePictures, depthwisePictures, tokens, adversarial, .*, got "batchsize"\. Did you mean "batchSize"\?$/,
    ],
    [
      { ...trains, adversarial: { los: "hinge" } },
      /^recipe\.json: adversarial: required no other keys than loss, .*, got "los"\. Did you mean "loss"\?$/,
    ],
    [
      { ...trains, adversarial: { loss: "hing" } },
      'recipe.json: adversarial.loss: required one of minimax, non-saturating, least-squares, hinge, wasserstein, relativistic, got "hing". Did you mean "hinge"?',
    ],
    [
      { ...trains, adversarial: { weight: -1 } },
      "recipe.json: adversarial.weight: required a number of at least 0, got -1. Give another value.",
    ],
    [
      { ...trains, generatorOptimizer: { learningRate: 0 } },
      "recipe.json: generatorOptimizer.learningRate: required a number above 0, got 0. Give another value.",
    ],
    [
      { ...trains, generatorOptimizer: { momentum: 1 } },
      "recipe.json: generatorOptimizer.momentum: required a number of at most 0.9999, got 1. Give another value.",
    ],
    [{ ...trains, batchSize: 1.5 }, "recipe.json: batchSize: required a whole number, got 1.5. Give another value."],
    [
      { ...trains, batchSize: "many" },
      'recipe.json: batchSize: required a finite number, got "many". Give another value.',
    ],
    [
      { ...trains, epochs: Number.POSITIVE_INFINITY },
      "recipe.json: epochs: required a finite number, got Infinity. Give another value.",
    ],
    [{ ...trains, epochs: Number.NaN }, "recipe.json: epochs: required a finite number, got NaN. Give another value."],
    [{ ...trains, name: 3 }, "recipe.json: name: required a text, got 3. Give another value."],
    [
      { ...trains, mirror: { tied: "yes" } },
      'recipe.json: mirror.tied: required true or false, got "yes". Give another value.',
    ],
    [{ ...trains, schedule: "cosine" }, /schedule: required an object of settings, got "cosine"\. /],
    [{ ...trains, schedule: null }, /schedule: required an object of settings, got null\. /],
    [{ ...trains, reconstruction: [1] }, /reconstruction: required an object of settings, got a list\. /],
    [[], "recipe.json: required an object of settings, got a list. Give another value."],
    ["paper", 'recipe.json: required an object of settings, got "paper". Give another value.'],
    [null, "recipe.json: required an object of settings, got null. Give another value."],
    [{}, /^recipe\.json: required a loss with a weight above 0 .*, got none\. Give one a weight\.$/],
    [
      { selfSupervision: { task: "none", weight: 1 } },
      /^recipe\.json: required a loss with a weight above 0 .*, got none\. /,
    ],
    [{ ...trains, start: "xaviar" }, /required the name of an initializer, got "xaviar"\. Did you mean xavier\?/],
  ])("%j: %s", (input, expected) => {
    const message = complaint(input);
    if (typeof expected === "string") expect(message).toBe(expected);
    else expect(message).toMatch(expected);
  });

  it("takes no key from an object's prototype", () => {
    expect(complaint(JSON.parse('{"__proto__": {"epochs": 1}, "reconstruction": {"weight": 1}}'))).toMatch(
      /no other keys|no error/,
    );
    expect(complaint({ ...trains, constructor: 1 })).toContain("no other keys");
  });
});

test.each(["orientations", "visualWords"] as const)("%s are asked for of pictures as they are alone", (key) => {
  const turns = { task: "rotation", weight: 1, allTurns: true } as const;
  const described = { [key]: { weight: 1 } };
  for (const input of [
    described,
    { selfSupervision: turns, ...described },
    { selfSupervision: { ...turns, allTurns: false, weight: 0 }, ...described },
    { reconstruction: { weight: 1 }, ...described },
  ])
    expect(parseRecipe(input, "test")[key].weight).toBe(1);
  for (const input of [
    { selfSupervision: { ...turns, allTurns: false }, ...described },
    { selfSupervision: { ...turns, task: "auto", allTurns: false }, ...described },
    { selfSupervision: turns, contrast: { weight: 1 }, ...described },
    { contrast: { weight: 1 }, ...described },
  ] as RecipeInput[])
    expect(() => parseRecipe(input, "r.json")).toThrow(
      new RegExp(`^r\\.json: ${key}\\.weight: required pictures that are told as they are`),
    );
});

describe("builtInRecipe", () => {
  it.each(Object.keys(builtInRecipes))("%s is whole and named", (name) => {
    expect(builtInRecipe(name).name).toBe(name);
  });

  it("paper is the paper's: minimax alone, weights as they are", () => {
    expect(builtInRecipe("paper")).toMatchObject({
      adversarial: { loss: "minimax", weight: 1, r1: 0, r2: 0, gradientPenalty: 0, instanceNoise: 0 },
      reconstruction: { weight: 0 },
      selfSupervision: { task: "none", weight: 0 },
      contrast: { weight: 0 },
      conditioning: { spectrumExponent: null, scale: "none" },
      update: "alternating",
      movingAverage: 0,
    });
  });

  it("default contains the game", () => {
    expect(builtInRecipe("default").adversarial.weight).toBeGreaterThan(0);
  });

  it.each(["papper", "toString", "__proto__", ""])("%j is unknown", (name) => {
    expect(() => builtInRecipe(name)).toThrow(
      /^--recipe: required one of paper, adversarial, autoencoder, rotation, visual-words, topics, principal-components, opened, clusters, contrast, default or a JSON file, got .*Did you mean/,
    );
  });
});
