import { userError } from "../errors.js";
import { arrayDataset } from "./array-dataset.js";
import { checkOptions } from "./check-options.js";
import { type Dataset, type OpenOptions, sizeOf } from "./dataset.js";
import { requireTypedArray } from "./sample-array.js";

/**
 * A data set of an array that the caller has in memory.
 *
 * @param x the samples, one after another; it is kept, not copied, unless a limit takes a part
 * @param shape of one sample, as the model takes it: [C, H, W] (or [H, W, C] with the layout NHWC), [C, L], [features]
 * @param labels a class number for each sample; −1 is a class as any other, as in data of −1 and +1
 * @param options as for files; the default normalisation is "none", because the caller's numbers are taken as meant
 * @throws UserError if lengths do not fit or a value is NaN or infinite
 */
export function memoryDataset(
  x: Float32Array,
  shape: readonly number[],
  labels?: ArrayLike<number>,
  options: Pick<OpenOptions, "layout" | "normalise" | "fitted" | "limit" | "signal"> & {
    where?: string | undefined;
  } = {},
): Dataset {
  checkOptions(options);
  const where = options.where ?? "samples in memory";
  requireTypedArray(x, where);
  if (labels !== undefined && typeof labels.length !== "number")
    throw userError({
      where,
      required: "labels as the third argument, or undefined for none",
      got: "something else",
      advice: "Options are the fourth argument",
    });
  const count = x.length / sizeOf(shape);
  if (!Number.isInteger(count) || (labels !== undefined && labels.length !== count)) {
    throw userError({
      where,
      required: `whole samples of ${sizeOf(shape)} values${labels === undefined ? "" : " and a label for each"}`,
      got: `${x.length} values${labels === undefined ? "" : ` and ${labels.length} labels`}`,
      advice: "Check the shape",
    });
  }
  return arrayDataset(
    { data: x, dims: [count, ...shape] },
    labels && { array: { data: Float64Array.from(labels), dims: [labels.length] }, where: `labels of ${where}` },
    where,
    "memory",
    { normalise: "none", ...options, shape },
  );
}
