import { expect, test } from "vitest";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { builtInRecipe, parseRecipe } from "../../src/recipe/recipe.js";
import { kindOf, recipeForData } from "../../src/training/recipe-for-data.js";
import { toyDataset, toyNetwork } from "../support/toy-data.js";

const colour = toyDataset([3, 8, 8]);
const plain = { isDense: false, isDepthwise: false, hasDecoder: false };

test("the default is rotation for square pictures, grey or in colour, and itself otherwise", () => {
  const recipe = builtInRecipe("default");
  for (const dataset of [colour, toyDataset([1, 16, 16]), toyDataset([16, 16, 1])])
    expect(recipeForData(recipe, dataset, plain)).toEqual({
      recipe: builtInRecipe("rotation"),
      because: "these are square pictures",
    });
  for (const shape of [[3, 8, 6], [1, 15, 15], [1, 16, 28], [5, 28, 28], [12], [2, 16]])
    expect(recipeForData(recipe, toyDataset(shape), plain)).toEqual({ recipe });
});

test("under dense layers the default is clusters for all pictures, and itself otherwise", () => {
  const recipe = builtInRecipe("default");
  const flat = { ...toyDataset([64]), record: { picture: { channels: 1, height: 8, width: 8, layout: "NCHW" } } };
  for (const dataset of [colour, flat, toyDataset([1, 8, 8]), toyDataset([3, 8, 6])])
    expect(recipeForData(recipe, dataset, { ...plain, isDense: true })).toEqual({
      recipe: builtInRecipe("clusters"),
      because: "these are pictures, and F has no convolutions",
    });
  for (const shape of [[12], [2, 16]])
    expect(recipeForData(recipe, toyDataset(shape), { ...plain, isDense: true })).toEqual({ recipe });
});

test("under depthwise convolutions the default is visual-words for square pictures in colour alone", () => {
  const recipe = builtInRecipe("default");
  const kind = { ...plain, isDepthwise: true };
  for (const dataset of [colour, toyDataset([8, 8, 3])])
    expect(recipeForData(recipe, dataset, kind)).toEqual({
      recipe: builtInRecipe("visual-words"),
      because: "these are square pictures in colour, and F has depthwise convolutions",
    });
  expect(recipeForData(recipe, toyDataset([1, 28, 28]), kind).recipe.name).toBe("rotation");
  expect(recipeForData(recipe, toyDataset([3, 8, 6]), kind)).toEqual({ recipe });
  expect(recipeForData(recipe, colour, { ...kind, hasDecoder: true }).recipe.name).toBe("rotation");
});

test("of F it counts whether it has depthwise convolutions over two axes", () => {
  const shapes = {
    mobilenet: [3, 32, 32],
    mobilenetv2: [3, 32, 32],
    cnn: [3, 32, 32],
    cnn1d: [2, 32],
    mlp: [12],
  } as const;
  for (const template of ["mobilenet", "mobilenetv2", "cnn", "cnn1d", "mlp"] as const) {
    const features = featureExtractor(toyNetwork({ template, inputShape: shapes[template] }));
    expect(kindOf(features).isDepthwise, template).toBe(template.startsWith("mobilenet"));
  }
});

test("recipes that name no other are themselves", () => {
  const mine = parseRecipe({ reconstruction: { weight: 1 } }, "mine");
  for (const recipe of [mine, builtInRecipe("contrast"), builtInRecipe("paper")])
    for (const isDense of [false, true])
      expect(recipeForData(recipe, colour, { ...plain, isDense })).toEqual({ recipe });
});

test.each(["squarePictures", "densePictures", "depthwisePictures"])(
  "an unknown recipe in %s is named with the nearest",
  (key) => {
    expect(() => parseRecipe({ reconstruction: { weight: 1 }, [key]: "rotatoin" }, "mine.json")).toThrow(
      new RegExp(`mine\\.json: ${key}: required one of .*got rotatoin\\. Did you mean rotation`),
    );
  },
);

test("in front of a decoder the default's rotation begins from PyTorch's weights, and a recipe that was asked for as it says", () => {
  const kind = { ...plain, hasDecoder: true };
  const { recipe, because } = recipeForData(builtInRecipe("default"), colour, kind);
  const rotation = builtInRecipe("rotation");
  expect(recipe).toEqual({ ...rotation, start: "pytorch-default", principalComponents: "none" });
  expect(because).toContain("a decoder follows F");
  expect(recipeForData(rotation, colour, kind)).toEqual({ recipe: rotation });
  expect(recipeForData(builtInRecipe("default"), toyDataset([2, 16]), kind).recipe.name).toBe("default");
});
