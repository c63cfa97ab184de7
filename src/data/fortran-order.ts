import { GrowingFile } from "./cache-folder.js";
import type { OpenFile } from "./file-samples.js";
import { checkInterrupted } from "./read-bytes.js";

/**
 * Writes an array of a file anew in C order, where it lies in Fortran order: there the first axis, which counts the
 * samples, runs fastest, and a sample's values are spread over the whole file. Many samples are gathered at a time, from
 * a strip of each column.
 *
 * @param source where the array begins, its shape, and the bytes of a value
 * @param memory bytes that the samples gathered at a time may take
 */
export async function writeInCOrder(
  source: { file: OpenFile; start: number; dims: readonly number[]; valueBytes: number },
  folder: string,
  memory: number,
  signal?: AbortSignal,
): Promise<OpenFile> {
  const { file, start, dims, valueBytes } = source;
  const [count, ...shape] = dims;
  const size = shape.reduce((product, length) => product * length, 1);
  const step = Math.max(1, Math.min(count, Math.floor(memory / (size * valueBytes))));
  const samples = new Uint8Array(step * size * valueBytes);
  const scratch = new Uint8Array(step * valueBytes);
  const written = new GrowingFile(folder);
  try {
    for (let first = 0; first < count; first += step) {
      const taken = Math.min(step, count - first);
      for (let value = 0; value < size; value++) {
        if (value % 1024 === 0) checkInterrupted(signal);
        const column = fortranPlace(value, shape);
        const strip = await file.bytes(start + (column * count + first) * valueBytes, taken * valueBytes, scratch);
        for (let sample = 0, from = 0, put = value * valueBytes; sample < taken; sample++, put += size * valueBytes) {
          for (let byte = 0; byte < valueBytes; byte++) samples[put + byte] = strip[from++];
        }
      }
      written.append(samples.subarray(0, taken * size * valueBytes));
    }
  } catch (error) {
    written.discard();
    throw error;
  }
  return written.keepWhileOpen();
}

/** Where in Fortran order the value stands that has a place in C order. */
function fortranPlace(value: number, shape: readonly number[]): number {
  let [place, stride, rest] = [0, shape.reduce((product, length) => product * length, 1), value];
  // In C order the last axis runs fastest; in Fortran order it has the largest stride.
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    stride /= shape[axis];
    place += (rest % shape[axis]) * stride;
    rest = Math.floor(rest / shape[axis]);
  }
  return place;
}
