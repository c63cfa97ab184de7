import { userError } from "../errors.js";
import { labelsOption } from "./labels-option.js";

const sampleNames = ["x", "images", "data", "X", "x_train", "X_train", "train_images", "arr_0"];
const labelNames = ["y", "labels", "label", "targets", "Y", "y_train", "Y_train", "train_labels"];

/** Whether an array's name alone says that it holds samples. */
export function isSamplesName(name: string): boolean {
  return sampleNames.includes(name);
}

/** Whether an array's name alone says that it holds labels. */
export function isLabelsName(name: string): boolean {
  return labelNames.includes(name);
}

/**
 * Which of a file's named arrays are the samples and the labels: samples are the array of two or more axes, or of a
 * usual name where there are several (x, images, data, X, x_train); labels the array of a usual name (y, labels,
 * y_train) or of the name asked for.
 *
 * @param arrays shapes by name
 * @param spare whether the labels asked for may be missing
 * @throws UserError if it is not clear which array is meant
 */
export function chooseArrays(
  arrays: ReadonlyMap<string, readonly number[]>,
  where: string,
  labels?: string,
  spare = false,
): { samples: string; labels?: string } {
  if (labels !== undefined && !spare && !arrays.has(labels)) {
    throw userError({
      where,
      required: `an array named ${labels} for the labels`,
      got: [...arrays.keys()].join(", ") || "none",
      advice: `Name one of these (${labelsOption})`,
    });
  }
  const asked = labels !== undefined && arrays.has(labels) ? labels : undefined;
  const labelName = asked ?? labelNames.find((name) => arrays.has(name));
  const deep = [...arrays.keys()].filter((name) => name !== labelName && (arrays.get(name)?.length ?? 0) >= 2);
  const chosen = deep.length === 1 ? deep[0] : sampleNames.find((name) => deep.includes(name));
  if (chosen === undefined) {
    throw userError({
      where,
      required: `one array of samples, or one of the names ${sampleNames.join(", ")}`,
      got: [...arrays].map(([name, dims]) => `${name} [${dims.join(", ")}]`).join(", ") || "no array",
      advice: "Save the samples under one of these names, or alone as NPY",
    });
  }
  return { samples: chosen, ...(labelName === undefined ? {} : { labels: labelName }) };
}
