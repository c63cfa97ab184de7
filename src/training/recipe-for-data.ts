import type { Dataset } from "../data/dataset.js";
import { builtInRecipe, type Recipe } from "../recipe/recipe.js";
import { datasetGeometry } from "./picture-geometry.js";

/** The recipe for this data: itself, or the one that it names for square pictures in colour. */
export function recipeForData(recipe: Recipe, dataset: Pick<Dataset, "shape" | "record">): Recipe {
  const { channels, height, width } = datasetGeometry(dataset) ?? {};
  const inColour = channels === 3 && height === width;
  return inColour && recipe.colourPictures !== null ? builtInRecipe(recipe.colourPictures) : recipe;
}
