import { type Dataset, sizeOf } from "../../src/data/dataset.js";

/** All samples of a data set, as delivered. */
export async function readAll(dataset: Dataset): Promise<Float32Array> {
  const target = new Float32Array(dataset.count * sizeOf(dataset.shape));
  await dataset.read(
    Array.from({ length: dataset.count }, (_, index) => index),
    target,
  );
  return target;
}
