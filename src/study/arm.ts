/** Arms: the ways to get initial weights that a study compares, and the small language that names them. */
import type { Dataset } from "../data/dataset.js";
import { userError } from "../errors.js";
import { initializerNames, parseInitializer } from "../initializers/initializers.js";
import { nearest } from "../nearest.js";
import { builtInRecipes, openedUnits, type Recipe, substitutes, trainsFeatures } from "../recipe/recipe.js";
import type { HeadStart } from "../training/head-start.js";
import { type FeaturesKind, recipeForData } from "../training/recipe-for-data.js";

/** What is done to F's weights before supervised training. */
export type Conditioning = Recipe["conditioning"];

/** One way to get F's initial weights. */
export interface Arm {
  /** As the user wrote it, such as "he+calibrated". */
  readonly name: string;
  readonly source:
    | { readonly kind: "initializer"; readonly initializer: string }
    | { readonly kind: "recipe"; readonly recipe: Recipe }
    | { readonly kind: "weights"; readonly file: string; readonly hash: string };
  readonly conditioning: Conditioning;
  /** What the head starts from; absent: drawn by the study's initializer, from the same numbers for all arms. */
  readonly head?: HeadStart;
}

const none: Conditioning = { spectrumExponent: null, scale: "none", samples: 512 };
const calibrated: Conditioning = { ...none, scale: "unit" };

/** What may follow an arm's source after a plus sign: what is done to F, */
const conditionings: Readonly<Record<string, Conditioning>> = {
  raw: none,
  calibrated,
  "layer-calibrated": { ...none, scale: "layer" },
  conditioned: { ...calibrated, spectrumExponent: 0.5 },
  opened: { ...calibrated, ...openedUnits },
};

/** and after that, or at once, where the head starts. */
const heads: Readonly<Record<string, HeadStart>> = {
  "zero-head": "zero",
  "class-means": "class-means",
  "linear-discriminant": "linear-discriminant",
  "self-training": "self-training",
};

/**
 * The arms of a study where the user names none: what frameworks draw, the published initialisers, the control that
 * scales a random start on the data (after Mishkin and Matas, 2016), the one without training, and the recipes.
 */
export const defaultArms: readonly string[] = [
  "pytorch-default",
  "lecun",
  "xavier",
  "he",
  "orthogonal",
  "he+calibrated",
  "principal-components",
  "autoencoder",
  "paper",
  "default",
];

/** The arms of a pilot: the framework's default, the control, the product. */
export const pilotArms: readonly string[] = ["pytorch-default", "he+calibrated", "default"];

/** What a pilot compares besides, where labels are classes, the network allows it, and there is time. */
export const selfTrainedPilotArms: readonly string[] = ["he+calibrated+self-training", "default+self-training"];

/** Where an arm's recipe or weights come from. */
export interface ArmSources {
  /** A recipe by name or file. */
  readonly recipe: (name: string) => Promise<Recipe>;
  /** The hash of a file of weights. */
  readonly weightsHash: (file: string) => Promise<string>;
}

/**
 * Reads an arm: `SOURCE`, and after plus signs, each where it is wanted, a conditioning and a head.
 * The source is an initializer's name, `file` (as the model has its weights), a recipe's name or JSON file, or
 * `weights:FILE.safetensors`; the conditioning is raw, calibrated (each unit scaled on the data), layer-calibrated,
 * conditioned (the spectrum flattened by half, then calibrated) or opened (calibrated around a mean at which units in front
 * of ReLU pass nearly all samples). Without one a recipe does its own and everything else is raw. The head is
 * zero-head, class-means, linear-discriminant or self-training, see {@link HeadStart}; without one it is drawn, alike for all arms.
 *
 * @throws UserError naming what is known
 */
export async function parseArm(name: string, sources: ArmSources): Promise<Arm> {
  const { source: sourceName, conditioning, head } = partsOf(name);
  const source = await parseSource(name, sourceName, sources);
  const own = source.kind === "recipe" ? source.recipe.conditioning : none;
  return {
    name,
    source,
    conditioning: conditioning ?? own,
    ...(head === undefined ? {} : { head }),
  };
}

/** Whether an arm's weights come of training without labels, and not of a start that a recipe only conditions. */
export function isTrained(arm: Arm): arm is Arm & { source: { kind: "recipe" } } {
  return arm.source.kind === "recipe" && trainsFeatures(arm.source.recipe);
}

/** Takes what follows the plus signs off, from the end, since the path of a file may have plus signs too. */
function partsOf(name: string): {
  source: string;
  conditioning?: Conditioning;
  head?: HeadStart;
} {
  const [head, beforeHead] = lastSuffix(name, heads);
  const [conditioning, source] = lastSuffix(beforeHead, conditionings);
  const plus = source.lastIndexOf("+");
  if (plus >= 0 && !/^weights:|\.json$/i.test(source)) {
    const suffix = source.slice(plus + 1);
    const known = [...Object.keys(conditionings), ...Object.keys(heads)];
    throw userError({
      where: `arm ${name}`,
      required: `one of ${Object.keys(conditionings).join(", ")} after the plus sign, or ${Object.keys(heads).join(" or ")}, or one of each in this order`,
      got: `"${suffix}"`,
      advice: Object.hasOwn(heads, suffix)
        ? "Name the head once, and last."
        : Object.hasOwn(conditionings, suffix)
          ? "Name one conditioning alone."
          : `Did you mean ${nearest(suffix, known)}?`,
    });
  }
  return {
    source,
    ...(conditioning ? { conditioning } : {}),
    ...(head ? { head } : {}),
  };
}

/** What the last suffix stands for, and the name without it; the whole name where it is none of these. */
function lastSuffix<Kind>(name: string, known: Readonly<Record<string, Kind>>): [Kind | undefined, string] {
  const plus = name.lastIndexOf("+");
  const suffix = name.slice(plus + 1);
  return plus >= 0 && Object.hasOwn(known, suffix) ? [known[suffix], name.slice(0, plus)] : [undefined, name];
}

async function parseSource(name: string, head: string, sources: ArmSources): Promise<Arm["source"]> {
  if (head.startsWith("weights:")) {
    const file = head.slice("weights:".length);
    return { kind: "weights", file, hash: await sources.weightsHash(file) };
  }
  if (Object.hasOwn(builtInRecipes, head) || /\.json$/i.test(head))
    return { kind: "recipe", recipe: await sources.recipe(head) };
  if (head === "file") return { kind: "initializer", initializer: head };
  try {
    return { kind: "initializer", initializer: parseInitializer(head).name };
  } catch {
    const known = [...Object.keys(builtInRecipes), "file", ...initializerNames()];
    throw userError({
      where: `arm ${name}`,
      required: "an initializer, file, a recipe's name or JSON file, or weights:FILE.safetensors",
      got: `"${head}"`,
      advice: `Did you mean ${nearest(head, known)}? Known names are ${known.join(", ")}.`,
    });
  }
}

/** A recipe that has taken the place of the one that was asked for. */
export interface ReplacedRecipe {
  readonly asked: Recipe;
  readonly recipe: Recipe;
  /** See {@link recipeForData}. */
  readonly because: string;
}

/**
 * Arms with the recipes that theirs name for this data and network, see {@link recipeForData}, and which those are.
 *
 * @param kind what of the networks decides on a recipe
 * @param epochs in place of the recipes' own
 */
export function armsForData(
  arms: readonly Arm[],
  unlabelled: Dataset,
  kind: FeaturesKind,
  epochs?: number,
): { arms: Arm[]; replaced: ReplacedRecipe[] } {
  const replaced = new Map<string, ReplacedRecipe>();
  const own = arms.map((arm) => {
    if (arm.source.kind !== "recipe") return arm;
    const asked = arm.source.recipe;
    const { recipe, because } = recipeForData(asked, unlabelled, kind);
    if (because !== undefined) replaced.set(asked.name, { asked, recipe, because });
    const conditioning = arm.conditioning === asked.conditioning ? recipe.conditioning : arm.conditioning;
    const lasting = epochs === undefined ? recipe : { ...recipe, epochs, minimumSteps: 0 };
    return { ...arm, source: { ...arm.source, recipe: lasting }, conditioning };
  });
  return { arms: own, replaced: [...replaced.values()] };
}

/**
 * What training a recipe depends on: all of it but its name, what it is on other data, and, where its start is not
 * conditioned too, what is done afterwards.
 */
export function pretrainingPart(recipe: Recipe): Partial<Recipe> & { startConditioning?: Conditioning } {
  const { name: _, conditioning, ...rest } = recipe;
  const own: Partial<Recipe> = rest;
  for (const key of substitutes) delete own[key];
  return recipe.conditionStart === false ? own : { ...own, startConditioning: conditioning };
}
