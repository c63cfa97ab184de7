import { type Dataset, sizeOf } from "./dataset.js";

/** Most bytes of samples that are held: those of 128 pictures of 224 pixels, or of 6,000 of 32. */
const mostHeld = 80e6;

/**
 * The same data set, with some of its samples kept in memory as they are delivered, once one of them has been asked for:
 * for those who measure the same samples again and again. Where reading takes no time, or the samples are too many, it is
 * the data set itself.
 */
export function holdingSamples(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const size = sizeOf(dataset.shape);
  const distinct = [...new Set(Array.from(indices))];
  if (dataset.prepare === undefined || distinct.length * size * 4 > mostHeld) return dataset;
  const places = new Map(distinct.map((index, place) => [index, place]));
  let held: Promise<Float32Array> | undefined;
  const hold = async (): Promise<Float32Array> => {
    const samples = new Float32Array(distinct.length * size);
    await dataset.read(distinct, samples);
    return samples;
  };
  const others = (wanted: ArrayLike<number>) => Array.from(wanted).filter((index) => !places.has(index));
  return {
    ...dataset,
    async read(wanted, target) {
      if (others(wanted).length > 0) return dataset.read(wanted, target);
      held ??= hold();
      const samples = await held;
      for (let at = 0; at < wanted.length; at++) {
        const from = places.get(wanted[at])! * size;
        target.set(samples.subarray(from, from + size), at * size);
      }
    },
    prepare(wanted) {
      const needed = others(wanted);
      if (needed.length > 0) dataset.prepare?.(needed);
    },
  };
}
