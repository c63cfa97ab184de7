/** Refuses recipes that are for samples of another kind. */
import type { Dataset } from "../data/dataset.js";
import { userError } from "../errors.js";
import type { Network } from "../ops/network.js";
import { type Task, usesGenerator } from "../recipe/pretraining-graph.js";
import { describesPictures, type Recipe } from "../recipe/recipe.js";
import { datasetGeometry } from "./picture-geometry.js";
import { possibleTurns } from "./picture-rotation.js";

/**
 * @param task what the recipe's "auto" became for this data
 * @throws UserError where the recipe asks of the samples what they do not have
 */
export function requireRecipeForSamples(
  recipe: Recipe,
  task: Task,
  dataset: Pick<Dataset, "shape" | "record">,
  network: Network,
): void {
  if (network.vocabulary !== undefined) requireRecipeForTokens(recipe, task, network);
  const got = `samples of ${network.sampleShape.join("x")} values`;
  if (network.vocabulary === undefined && recipe.topics.weight > 0)
    throw userError({
      where: "recipe: topics",
      required: "samples of tokens, which a network with an embedding reads",
      got,
      advice: "Take another recipe, such as default.",
    });
  const isOfTurns = task === "rotation";
  if ((isOfTurns || describesPictures(recipe)) && !datasetGeometry(dataset))
    throw userError({
      where: isOfTurns ? "recipe: selfSupervision.task" : "recipe: orientations and visualWords",
      required: isOfTurns ? "pictures for the rotation task" : "pictures, of which they tell",
      got,
      advice: isOfTurns ? "Take the task auto or swapped-values." : "Take another recipe, such as contrast.",
    });
  if (isOfTurns) requireWholeTurns(recipe, dataset);
}

/** Tokens are numbers by name only: nothing lies between two of them. */
function requireRecipeForTokens(recipe: Recipe, task: Task, { where, input }: Network): void {
  const { corruption } = recipe;
  const misfits = [
    usesGenerator(recipe) && "adversarial or reconstruction, whose G would have to write tokens",
    task === "clusters" && "selfSupervision.task clusters, which compares samples' numbers",
    corruption.kind !== "none" && corruption.kind !== "swapped-values" && `corruption.kind ${corruption.kind}`,
  ].filter((misfit) => misfit !== false);
  if (misfits.length === 0) return;
  throw userError({
    where: `recipe ${recipe.name}`,
    required: `a recipe for tokens, which ${input.name} of ${where} takes: topics, or the losses contrast and swapped-values alone`,
    got: misfits.join("; "),
    advice: "Take the recipe topics, or begin behind the embedding, with its output as --input and vectors as samples.",
  });
}

/** Whether a step can hold its samples in all their turns. */
function requireWholeTurns(
  { selfSupervision, contrast, batchSize }: Recipe,
  dataset: Pick<Dataset, "shape" | "record">,
): void {
  if (!selfSupervision.allTurns) return;
  const where = "recipe: selfSupervision.allTurns";
  if (contrast.weight > 0)
    throw userError({
      where,
      required: "false beside contrast, whose views are turned alike, once",
      got: "true",
      advice: "Leave it out, or set contrast.weight to 0.",
    });
  const turns = possibleTurns(datasetGeometry(dataset)).length;
  if (batchSize % turns !== 0)
    throw userError({
      where,
      required: `a batch of a multiple of ${turns} samples, each in ${turns} turns`,
      got: `batchSize ${batchSize}`,
      advice: "Change the batch size.",
    });
}
