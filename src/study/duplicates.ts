/** Samples that two data sets share: what is tested must not have been trained on. */
import { createHash } from "node:crypto";
import { type Dataset, sizeOf } from "../data/dataset.js";
import { letOthersRun } from "../training/let-others-run.js";

const batch = 256;

/**
 * The indices of samples that also stand in the other data set, value for value as delivered. Both must be normalised
 * alike: then equal raw samples are equal here too.
 *
 * @throws InterruptedError where the signal aborts
 */
export async function duplicatesOf(dataset: Dataset, other: Dataset, signal?: AbortSignal): Promise<number[]> {
  const known = new Set(await sampleHashes(other, signal));
  const found: number[] = [];
  (await sampleHashes(dataset, signal)).forEach((hash, index) => {
    if (known.has(hash)) found.push(index);
  });
  return found;
}

async function sampleHashes(dataset: Dataset, signal: AbortSignal | undefined): Promise<string[]> {
  const size = sizeOf(dataset.shape);
  const samples = new Float32Array(batch * size);
  const hashes: string[] = [];
  for (let start = 0; start < dataset.count; start += batch) {
    await letOthersRun(signal, "looking for test samples among the others");
    const count = Math.min(batch, dataset.count - start);
    const indices = Uint32Array.from({ length: count }, (_, place) => start + place);
    await dataset.read(indices, samples.subarray(0, count * size));
    for (let place = 0; place < count; place++) {
      const bytes = new Uint8Array(samples.buffer, place * size * 4, size * 4);
      hashes.push(createHash("sha1").update(bytes).digest("base64"));
    }
  }
  return hashes;
}
