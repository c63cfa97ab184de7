/** The numbers and lists that a study is given. */
import { userError } from "../errors.js";
import { mostSamplesAStep } from "../recipe/recipe.js";
import { type Arm, isTrained } from "../study/arm.js";
import { type Labelled, labelledSamples, parseLabelAmount } from "../study/labels.js";
import { classMeasures } from "../study/measure.js";
import { studyOptimizer } from "../study/optimizer.js";
import { type StudyPlan, studySchedules } from "../study/plan.js";
import { augmentations } from "../training/augmentation.js";
import type { CompareOptions } from "./compare-types.js";
import { misfit, requireThreads, requireWholeNumbers } from "./run-settings.js";

/** Least whole numbers. */
const wholes = {
  steps: 5,
  seeds: 1,
  batchSize: 2,
  pretrainingSeeds: 1,
  workers: 1,
  limit: 2,
  testLimit: 2,
  unlabelledLimit: 2,
} as const;

/** What other numbers must be, in words, and whether one is. */
const numbers = {
  pilot: ["a number above 0", (value) => value > 0],
  pretrainingEpochs: ["a number above 0", (value) => value > 0],
  longestExtension: ["a number of at least 0", (value) => value >= 0],
  targetRmse: ["a number of at least 0", (value) => value >= 0],
  target: ["a number from 0 to 1", (value) => value >= 0 && value <= 1],
  minimumEffect: ["a number above 0, at most 1", (value) => value > 0 && value <= 1],
} as const satisfies Partial<Record<keyof CompareOptions, readonly [string, (value: number) => boolean]>>;

/**
 * Looks at what can be seen without the data, for programs whose types nobody checks.
 *
 * @throws UserError naming the setting that does not fit
 */
export function requireStudySettings(options: CompareOptions): void {
  requireWholeNumbers(options, wholes);
  requireThreads("workers", options.workers);
  if (options.measure !== undefined && !classMeasures.includes(options.measure))
    throw misfit("measure", `one of ${classMeasures.join(", ")}`, options.measure);
  if (options.schedule !== undefined && !studySchedules.includes(options.schedule))
    throw misfit("schedule", studySchedules.join(" or "), options.schedule);
  const { batchSize } = options;
  if (batchSize !== undefined && batchSize > mostSamplesAStep)
    throw misfit("batchSize", `at most ${mostSamplesAStep}`, batchSize);
  for (const [name, [required, fits]] of Object.entries(numbers)) {
    const value = options[name as keyof typeof numbers];
    if (value === undefined || (Number.isFinite(value) && fits(value))) continue;
    throw misfit(name, required, value);
  }
  for (const name of ["arms", "labels", "optimizers", "learningRates", "augment"] as const)
    if (options[name] !== undefined && !Array.isArray(options[name])) throw misfit(name, "a list", `${options[name]}`);
  for (const rate of options.learningRates ?? [])
    if (!(Number.isFinite(rate) && rate > 0)) throw misfit("learningRates", "numbers above 0", rate);
  if (options.tune && new Set(options.learningRates ?? []).size < 2)
    throw misfit("tune", "two or more learning rates to choose from", options.learningRates?.[0] ?? "none");
  for (const kind of options.augment ?? [])
    if (!augmentations.includes(kind)) throw misfit("augment", `some of ${augmentations.join(", ")}`, kind);
  for (const name of ["labels", "optimizers"] as const)
    if (options[name]?.length === 0) throw misfit(name, "one or more", "none");
  options.labels?.forEach(parseLabelAmount);
  options.optimizers?.forEach(studyOptimizer);
}

/** @throws UserError where it is said how arms are pretrained, and none is */
export function requirePretrained({ pretrainingEpochs, pretrainingSeeds }: CompareOptions, arms: readonly Arm[]): void {
  const isMade = arms.some(({ source }) => source.kind === "recipe");
  const unused = {
    pretrainingEpochs: arms.some(isTrained) ? undefined : pretrainingEpochs,
    pretrainingSeeds: isMade ? undefined : pretrainingSeeds,
  };
  for (const [where, value] of Object.entries(unused))
    if (value !== undefined)
      throw userError({
        where,
        required: "an arm that is pretrained",
        got: arms.map(({ name }) => name).join(", "),
        advice: `Add one, such as default, or leave ${where} out.`,
      });
}

/** Says that a discriminator was asked for which no arm has; undefined where one has it. */
export function unusedDiscriminatorNote({ discriminator }: CompareOptions, arms: readonly Arm[]): string | undefined {
  const isUsed = arms.some((arm) => isTrained(arm) && arm.source.recipe.adversarial.weight > 0);
  if (discriminator === undefined || isUsed) return undefined;
  return "none of the arms is trained with a discriminator, so the one that was asked for is not used";
}

/** @throws UserError where there are not as many labels as the plan asks for, or too few to choose learning rates by */
export function requireLabelAmounts({ labels, tune }: Pick<StudyPlan, "labels" | "tune">, data: Labelled): void {
  for (const amount of labels) {
    const { length } = labelledSamples(data, amount, 0);
    if (tune && length < 2)
      throw userError({
        where: "labels",
        required: "two or more where learning rates are chosen, to train on one and choose by the other",
        got: `"${amount}", which is ${length}`,
        advice: "Ask for more labels, or leave --tune out.",
      });
  }
}
