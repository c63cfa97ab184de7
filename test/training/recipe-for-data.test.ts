import { expect, test } from "vitest";
import { builtInRecipe, parseRecipe } from "../../src/recipe/recipe.js";
import { recipeForData } from "../../src/training/recipe-for-data.js";
import { toyDataset } from "../support/toy-data.js";

const colour = toyDataset([3, 8, 8]);

test("the default is rotation for square pictures in colour, and itself otherwise", () => {
  const recipe = builtInRecipe("default");
  expect(recipeForData(recipe, colour)).toEqual(builtInRecipe("rotation"));
  for (const shape of [[1, 8, 8], [3, 8, 6], [12], [2, 16]])
    expect(recipeForData(recipe, toyDataset(shape))).toBe(recipe);
});

test("recipes that name no other are themselves", () => {
  const mine = parseRecipe({ reconstruction: { weight: 1 } }, "mine");
  for (const recipe of [mine, builtInRecipe("contrast"), builtInRecipe("paper")])
    expect(recipeForData(recipe, colour)).toBe(recipe);
});

test("an unknown recipe is named with the nearest", () => {
  expect(() => parseRecipe({ reconstruction: { weight: 1 }, colourPictures: "rotatoin" }, "mine.json")).toThrow(
    /mine\.json: colourPictures: required one of .*got rotatoin\. Did you mean rotation/,
  );
});
