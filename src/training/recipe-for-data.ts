/** Which recipe stands for another on some data and networks. */
import type { Dataset } from "../data/dataset.js";
import { builtInRecipe, type Recipe } from "../recipe/recipe.js";
import { datasetGeometry } from "./picture-geometry.js";

/** The recipe that is used in place of the one that was asked for. */
export interface RecipeForData {
  readonly recipe: Recipe;
  /** Why it is another one, for people; undefined where it is not. */
  readonly because?: string;
}

/**
 * The recipe for this data and network: itself, or the one that it names for pictures under dense layers or in colour.
 *
 * @param isDense whether F has matrices alone, as isDense of src/recipe/feature-extractor.ts says
 */
export function recipeForData(
  recipe: Recipe,
  dataset: Pick<Dataset, "shape" | "record">,
  isDense: boolean,
): RecipeForData {
  const geometry = datasetGeometry(dataset);
  if (!geometry) return { recipe };
  const { densePictures, colourPictures } = recipe;
  if (isDense && densePictures !== null)
    return { recipe: builtInRecipe(densePictures), because: "these are pictures, and F has no convolutions" };
  const isColour = geometry.channels === 3 && geometry.height === geometry.width;
  if (isColour && colourPictures !== null)
    return { recipe: builtInRecipe(colourPictures), because: "these are pictures in colour" };
  return { recipe };
}
