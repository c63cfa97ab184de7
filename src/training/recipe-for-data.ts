/** Which recipe stands for another on some data and networks. */
import type { Dataset } from "../data/dataset.js";
import { type FeatureExtractor, isDense, isDepthwisePicture } from "../recipe/feature-extractor.js";
import { builtInRecipe, type Recipe } from "../recipe/recipe.js";
import { datasetGeometry } from "./picture-geometry.js";

/**
 * Grey pictures with shorter sides are left to the recipe itself: those of 8 pixels were measured to lose by rotation, those of
 * 14 to lose or not to gain, and those of 28 to gain or not to lose (docs/log.md).
 */
const smallestGrey = 16;

/** The recipe that is used in place of the one that was asked for. */
export interface RecipeForData {
  readonly recipe: Recipe;
  /** Why it is another one, for people; undefined where it is not. */
  readonly because?: string;
}

/** What of a network decides on its recipe. */
export interface FeaturesKind {
  /** F has matrices alone. */
  readonly isDense: boolean;
  /** F has depthwise convolutions over two axes. */
  readonly isDepthwise: boolean;
  /** A decoder stands behind F. */
  readonly hasDecoder: boolean;
  /** Set where F looks vectors up by its samples' integers: how many there are, from 0 on. */
  readonly vocabulary?: number;
}

/** The kind of an F whose end nobody has named. */
export function kindOf(features: FeatureExtractor): FeaturesKind {
  const { vocabulary } = features.network;
  return {
    isDense: isDense(features),
    isDepthwise: features.layers.some(isDepthwisePicture),
    hasDecoder: features.enlargement !== undefined,
    ...(vocabulary === undefined ? {} : { vocabulary }),
  };
}

/**
 * Where a decoder stands behind F, rotation was measured to do best, or least harm, from small weights, and principal components
 * to cost accuracy once training is long (docs/log.md).
 */
const inFrontOfDecoder = { start: "pytorch-default", principalComponents: "none" } as const;

/** The recipe for this data and network: itself, or the one that it names for pictures, under dense layers or square. */
export function recipeForData(
  recipe: Recipe,
  dataset: Pick<Dataset, "shape" | "record">,
  kind: FeaturesKind,
): RecipeForData {
  const { densePictures, squarePictures, depthwisePictures, tokens } = recipe;
  if (kind.vocabulary !== undefined && tokens !== null)
    return { recipe: builtInRecipe(tokens), because: "samples are tokens, by which F looks vectors up" };
  const geometry = datasetGeometry(dataset);
  if (!geometry) return { recipe };
  if (kind.isDense && densePictures !== null)
    return { recipe: builtInRecipe(densePictures), because: "these are pictures, and F has no convolutions" };
  const { channels, height, width } = geometry;
  if (height === width && channels === 3 && kind.isDepthwise && !kind.hasDecoder && depthwisePictures !== null)
    return {
      recipe: builtInRecipe(depthwisePictures),
      because: "these are square pictures in colour, and F has depthwise convolutions",
    };
  const isLargeEnough = channels === 3 || (channels === 1 && height >= smallestGrey);
  if (height === width && isLargeEnough && squarePictures !== null) {
    const square = builtInRecipe(squarePictures);
    return kind.hasDecoder
      ? { recipe: { ...square, ...inFrontOfDecoder }, because: "these are square pictures, and a decoder follows F" }
      : { recipe: square, because: "these are square pictures" };
  }
  return { recipe };
}
