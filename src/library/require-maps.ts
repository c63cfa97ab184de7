/** Whether a study's data has the maps of classes that its networks are trained and judged by. */
import { counted } from "../counted.js";
import { noClass, positionsByClass } from "../data/label-maps.js";
import { type UserError, userError } from "../errors.js";
import { sizeOf } from "../graph/tensor.js";
import type { StudyData } from "../study/run-trial.js";
import type { CompareOptions } from "./compare-types.js";
import { requireNamesOfOutputs } from "./require-names-of-outputs.js";

/** @throws UserError unless there are maps of the output's positions, of two classes at least and of no more than there are scores */
export function requireMaps(
  options: CompareOptions,
  { train, test }: StudyData,
  outputs: number,
  positions: readonly number[],
): void {
  if (options.classNames) requireNamesOfOutputs(options.classNames, outputs);
  for (const [where, maps] of [
    [options.data, train.maps],
    [options.test, test.maps],
  ] as const) {
    if (!maps) throw noMaps(where);
    const isFlat = positions.length === 1 || maps.shape.length === 1;
    if (!(isFlat ? sizeOf(maps.shape) === sizeOf(positions) : String(maps.shape) === String(positions)))
      throw userError({
        where,
        required: `a class for each of ${positions.join("x")} positions, as the network's output has`,
        got: `maps of ${maps.shape.join("x")}`,
        advice:
          "Give maps of that size or, of pictures, larger ones, which are brought to it; or a network of a smaller output.",
      });
    const sizes = positionsByClass(maps);
    if (sizes.length > outputs)
      throw userError({
        where,
        required: `at most the ${counted(outputs, "class", "classes")} that the model has scores for`,
        got: `the class ${sizes.length - 1}, counted from 0`,
        advice: `Give a model for as many classes as the maps have, or write ${noClass} where there is none.`,
      });
    if (sizes.filter((count) => count > 0).length < 2)
      throw userError({
        where,
        required: "positions of two classes at least",
        got: sizes.length === 0 ? "none with a class" : "one class alone",
        advice: "Give maps of every class.",
      });
  }
}

/** What is said where a network gives a class for each position, and the data has none. */
function noMaps(where: string): UserError {
  return userError({
    where,
    required:
      "a class for each position of the samples, as the network gives them: an array [N, height, width], or masks of pictures",
    got: "none",
    advice: "Say where they are with --label-column, or --test-label-column for the test data (docs/data.md).",
  });
}
