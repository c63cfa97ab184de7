/** Arms: the ways to get initial weights that a study compares, and the small language that names them. */
import { userError } from "../errors.js";
import { initializerNames, parseInitializer } from "../initializers/initializers.js";
import { nearest } from "../nearest.js";
import { builtInRecipes, type Recipe } from "../recipe/recipe.js";

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
}

const none: Conditioning = { spectrumExponent: null, scale: "none", samples: 512 };

/** What may follow an arm's source after a plus sign. */
const suffixes: Readonly<Record<string, Conditioning>> = {
  raw: none,
  calibrated: { spectrumExponent: null, scale: "unit", samples: 512 },
  "layer-calibrated": { spectrumExponent: null, scale: "layer", samples: 512 },
  conditioned: { spectrumExponent: 0.5, scale: "unit", samples: 512 },
};

/**
 * The arms of a study where the user names none: what frameworks draw, the published initialisers, the control that
 * scales a random start on the data (after Mishkin and Matas, 2016), and the recipes.
 */
export const defaultArms: readonly string[] = [
  "pytorch-default",
  "lecun",
  "xavier",
  "he",
  "orthogonal",
  "he+calibrated",
  "autoencoder",
  "paper",
  "default",
];

/** The arms of a pilot: the framework's default, the control, the product. */
export const pilotArms: readonly string[] = ["pytorch-default", "he+calibrated", "default"];

/** Where an arm's recipe or weights come from. */
export interface ArmSources {
  /** A recipe by name or file. */
  readonly recipe: (name: string) => Promise<Recipe>;
  /** The hash of a file of weights. */
  readonly weightsHash: (file: string) => Promise<string>;
}

/**
 * Reads an arm: `SOURCE` or `SOURCE+CONDITIONING`. The source is an initializer's name, `file` (as the model has its
 * weights), a recipe's name or JSON file, or `weights:FILE.safetensors`; the conditioning is raw, calibrated (each unit
 * scaled on the data), layer-calibrated or conditioned (the spectrum flattened by half, then calibrated). Without one a
 * recipe does its own and everything else is raw.
 *
 * @throws UserError naming what is known
 */
export async function parseArm(name: string, sources: ArmSources): Promise<Arm> {
  const plus = name.lastIndexOf("+");
  const head = plus < 0 ? name : name.slice(0, plus);
  const suffix = plus < 0 ? undefined : name.slice(plus + 1);
  if (suffix !== undefined && !Object.hasOwn(suffixes, suffix))
    throw userError({
      where: `arm ${name}`,
      required: `one of ${Object.keys(suffixes).join(", ")} after the plus sign`,
      got: `"${suffix}"`,
      advice: `Did you mean ${nearest(suffix, Object.keys(suffixes))}?`,
    });
  const source = await parseSource(name, head, sources);
  const own = source.kind === "recipe" ? source.recipe.conditioning : none;
  return { name, source, conditioning: suffix === undefined ? own : suffixes[suffix] };
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

/** What training a recipe depends on: all of it but its name and what is done afterwards. */
export function pretrainingPart(recipe: Recipe): Omit<Recipe, "conditioning" | "name"> {
  const { conditioning: _, name: __, ...rest } = recipe;
  return rest;
}
