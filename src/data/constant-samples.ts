/** Finds data of which all samples are the same. */
import { type Dataset, sizeOf } from "./dataset.js";
import { checkInterrupted } from "./read-bytes.js";

/** Most values that are read at once. */
const mostValues = 2 ** 20;

/**
 * Says in a sentence that all samples are the same, which is nearly always a slip. Samples are read until one differs from
 * the first: of usual data no more than two.
 *
 * @returns undefined where they differ, or there is only one
 */
export async function constantNote(
  { count, shape, record, read }: Pick<Dataset, "count" | "shape" | "record" | "read">,
  signal?: AbortSignal,
): Promise<string | undefined> {
  if (count < 2) return undefined;
  const size = sizeOf(shape);
  const first = new Float32Array(size);
  await read([0], first);
  for (let done = 1, step = 1; done < count; done += step) {
    checkInterrupted(signal);
    step = Math.min(2 * step, count - done, Math.max(1, Math.floor(mostValues / size)));
    const samples = new Float32Array(step * size);
    await read(
      Array.from({ length: step }, (_, place) => done + place),
      samples,
    );
    if (samples.some((value, at) => value !== first[at % size])) return undefined;
  }
  const { min, max } = (record.measured as { min: number[]; max: number[] } | undefined) ?? { min: [], max: [] };
  const one = min.length > 0 && [...min, ...max].every((value) => value === min[0]);
  const same = one
    ? `every value of all ${count.toLocaleString("en")} samples is ${min[0]}`
    : `all ${count.toLocaleString("en")} samples are the same`;
  return `${same}: there is nothing to learn from them; see that this is the data you mean`;
}
