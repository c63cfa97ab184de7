/** The numbers that a run is given beside its recipe. */
import { userError } from "../errors.js";
import { parseRecipe, type Recipe } from "../recipe/recipe.js";
import { selfTrainingSteps } from "../training/self-training.js";

export interface RunSettings {
  readonly epochs?: number;
  readonly steps?: number;
  readonly minutes?: number;
  readonly batchSize?: number;
  readonly learningRate?: number;
  readonly discriminatorLearningRate?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly start?: string;
  readonly limit?: number;
  readonly checkpointEvery?: number;
}

const least = { steps: 1, seed: 0, threads: 1, limit: 2, checkpointEvery: 1 } as const;

/** @throws UserError naming the setting that is no number of its kind */
export function requireSettings(settings: RunSettings): void {
  requireWholeNumbers(settings, least);
  requireThreads("threads", settings.threads);
  const { minutes } = settings;
  if (minutes !== undefined && !(Number.isFinite(minutes) && minutes > 0))
    throw misfit("minutes", "a number above 0", minutes);
}

/**
 * @param least the least of each number that must be whole, where it is given
 * @throws UserError naming the first that is not
 */
export function requireWholeNumbers<Name extends string>(
  settings: { readonly [Each in NoInfer<Name>]?: number | undefined },
  least: Readonly<Record<Name, number>>,
): void {
  for (const name of Object.keys(least) as Name[]) {
    const value = settings[name];
    if (value === undefined || (Number.isSafeInteger(value) && value >= least[name])) continue;
    throw misfit(name, `a whole number of at least ${least[name]}`, value);
  }
}

/** Far more than any machine has cores for, and fewer than it has memory for. */
const mostThreads = 256;

/** @throws UserError where there are more threads, or workers of a thread each, than can be of use */
export function requireThreads(where: string, count: number | undefined): void {
  if (count !== undefined && count > mostThreads) throw misfit(where, `at most ${mostThreads}`, count);
}

/** @throws UserError where two or more settings are given of which one leaves no sense to the others */
export function requireOneOf(settings: Readonly<Record<string, unknown>>): void {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  if (given.length < 2) return;
  throw userError({
    where: given[1][0],
    required: `one of ${Object.keys(settings).join(", ")}`,
    got: given.map(([name, value]) => (value === true ? name : `${name} ${value}`)).join(" and "),
    advice: "Leave all but one of them out.",
  });
}

/** What decides by itself how data is read, and is so taken from a record where one is given. */
interface ReadingSettings {
  readonly fitted?: unknown;
  readonly normalise?: unknown;
  readonly columns?: unknown;
  readonly categories?: unknown;
}

/** @throws UserError where data is to be treated as a record says, and in another way too */
export function requireOneReading({ fitted, normalise, columns, categories }: ReadingSettings): void {
  if (fitted === undefined) return;
  for (const [where, value] of Object.entries({ normalise, columns, categories }))
    if (value !== undefined)
      throw userError({
        where,
        required: "nothing beside the transform of an earlier run, which says it",
        got: typeof value === "string" ? value : JSON.stringify(value),
        advice: `Leave ${where} or the transform out.`,
      });
}

/**
 * @param place what could ask for self-training, and what came in its place, in words
 * @throws UserError where steps of self-training are no number of steps, or nothing asks for it
 */
export function requireSelfTrainingSteps(
  steps: number | undefined,
  isAskedFor: boolean,
  { place, got }: { readonly place: string; readonly got: string },
): void {
  if (steps === undefined) return;
  const where = "self-training steps";
  if (!Number.isSafeInteger(steps) || steps < 1) throw misfit(where, "a whole number of at least 1", steps);
  if (isAskedFor) return;
  throw userError({
    where,
    required: `${place} with self-training, whose steps they are`,
    got,
    advice: "Ask for self-training, or leave its steps out.",
  });
}

/** Steps of self-training as plans and records have them: only where they are not as many as usual. */
export function unusualSelfTraining(steps: number | undefined): { readonly selfTrainingSteps?: number } {
  return steps === undefined || steps === selfTrainingSteps ? {} : { selfTrainingSteps: steps };
}

/**
 * @param given what a function of the library was given under these names
 * @throws UserError naming what is missing, for programs whose types nobody checks
 */
export function requireGiven(given: Readonly<Record<string, unknown>>): void {
  for (const [where, value] of Object.entries(given))
    if (value === undefined || value === null || value === "")
      throw userError({ where, required: "a value", got: "none", advice: "Give it among the options." });
}

/** The error of a setting that is not as required. */
export function misfit(where: string, required: string, got: number | string): Error {
  return userError({ where, required, got: String(got), advice: "Correct the setting." });
}

/** A recipe with what the settings say in place of its own. @throws UserError where that does not fit */
export function withSettings(recipe: Recipe, settings: RunSettings): Recipe {
  const { epochs, batchSize, learningRate, discriminatorLearningRate, start } = settings;
  return parseRecipe(
    {
      ...recipe,
      ...(epochs === undefined ? {} : { epochs }),
      ...(batchSize === undefined ? {} : { batchSize }),
      ...(start === undefined ? {} : { start }),
      ...(learningRate === undefined ? {} : { generatorOptimizer: { ...recipe.generatorOptimizer, learningRate } }),
      ...(discriminatorLearningRate === undefined
        ? {}
        : { discriminatorOptimizer: { ...recipe.discriminatorOptimizer, learningRate: discriminatorLearningRate } }),
    },
    "settings",
  );
}
