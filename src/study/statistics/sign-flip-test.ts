import type { RandomStream } from "../../random/stream.js";
import { requireSample } from "./sample-statistics.js";

/** Up to this many differences all 2ⁿ sign patterns are gone through. */
const mostExact = 16;

/**
 * The two-sided p-value of the paired permutation test (Fisher, 1935): if the arms are equal, each difference could as
 * well have had the other sign, so p is the share of sign patterns whose sum is at least as far from zero as the one
 * observed. Exact for up to 16 differences, else (1 + hits) / (1 + samples) over random patterns. It assumes nothing of
 * the differences' distribution, but cannot fall below 2/2ⁿ: with five seeds no lower than 0.0625, so it decides nothing
 * there; see {@link smallestSignFlipP}.
 *
 * @param stream where the random patterns come from when there are more than 16 differences
 */
export function signFlipP(differences: ArrayLike<number>, stream: RandomStream, samples = 20_000): number {
  requireSample(differences, 1);
  const count = differences.length;
  let observed = 0;
  let scale = 0;
  for (let index = 0; index < count; index++) {
    observed += differences[index];
    scale += Math.abs(differences[index]);
  }
  // Sums of the same numbers in another order differ in their last bits; they count as equal.
  const threshold = Math.abs(observed) - 1e-12 * scale;
  let hits = 0;
  if (count > mostExact) {
    for (let sample = 0; sample < samples; sample++) {
      let total = 0;
      let bits = 0;
      for (let index = 0; index < count; index++) {
        if (index % 32 === 0) bits = stream.uint32();
        total += bits & 1 ? differences[index] : -differences[index];
        bits >>>= 1;
      }
      if (Math.abs(total) >= threshold) hits++;
    }
    return (1 + hits) / (1 + samples);
  }
  // A pattern and its opposite have the same distance from zero: the last sign can stay.
  const patterns = 2 ** (count - 1);
  for (let pattern = 0; pattern < patterns; pattern++) {
    let total = differences[count - 1];
    for (let index = 0; index < count - 1; index++) {
      total += (pattern >> index) & 1 ? -differences[index] : differences[index];
    }
    if (Math.abs(total) >= threshold) hits++;
  }
  return hits / patterns;
}

/** The smallest p-value that {@link signFlipP} can give for this many differences, 2/2ⁿ. */
export function smallestSignFlipP(count: number): number {
  return 2 ** (1 - count);
}
