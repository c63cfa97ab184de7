/** How many steps a run makes. */
import { userError } from "../errors.js";
import type { Weights } from "../recipe/initial-values.js";
import { type Recipe, trainsFeatures } from "../recipe/recipe.js";
import { pretrain, pretrainingSteps, startOfFeatures } from "../training/pretrain.js";
import type { InitializeEvent, InitializeOptions, RunRecord } from "./initialize-types.js";
import { type Training, telling } from "./recorded-training.js";
import { RunFolder, runFiles } from "./run-folder.js";

/** @throws UserError where a recipe without steps is given a number of them */
function requireNoDuration({ steps, epochs, minutes }: InitializeOptions, recipe: Recipe): void {
  for (const [where, value] of Object.entries({ steps, epochs, minutes }))
    if (value !== undefined)
      throw userError({
        where,
        required: `a recipe that trains, which ${recipe.name} does not`,
        got: `${value}`,
        advice: `Leave ${where} out, or take another recipe.`,
      });
}

/** How long a run trains. */
export interface Duration {
  readonly steps: number;
  /** The weights that training starts from, where they had to be known. */
  readonly start?: Weights;
}

/** Number of steps: as asked, or by epochs, or as many as fit in the minutes by a measurement. */
export async function durationOf(
  options: InitializeOptions,
  path: string,
  training: Training,
  emit: (event: InitializeEvent) => void,
): Promise<Duration> {
  const { recipe } = training;
  if (!trainsFeatures(recipe)) requireNoDuration(options, recipe);
  if (options.resume) {
    const folder = await RunFolder.open(path);
    const record = (await folder.readJson(runFiles.record)) as Partial<RunRecord>;
    if (options.steps === undefined && typeof record.steps === "number") return { steps: record.steps };
  }
  if (options.steps !== undefined) return { steps: options.steps };
  if (options.minutes !== undefined) {
    const trial = 12;
    const moments: number[] = [];
    const start = await startOfFeatures({ ...training, onProgress: telling(emit, "start") });
    await pretrain({
      ...training,
      start,
      steps: trial,
      onStep: ({ step }) => {
        moments.push(performance.now());
        emit({ type: "measuring", what: "pace", done: step, total: trial });
      },
    });
    const milliseconds = (moments[trial - 1] - moments[3]) / (trial - 4);
    return { steps: Math.max(1, Math.round((options.minutes * 60000) / milliseconds)), start };
  }
  // Epochs that were asked for are kept to; the recipe's own make way for its least number of steps.
  const kept = options.epochs === undefined ? recipe : { ...recipe, minimumSteps: 0 };
  return { steps: pretrainingSteps(kept, training.dataset.count) };
}
