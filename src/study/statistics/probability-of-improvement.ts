import type { Strata } from "./bootstrap.js";

/**
 * The probability that a trial of X beats a trial of Y in the same stratum, averaged over strata: in each, the share of
 * all pairs with x > y, ties counted half (the Mann-Whitney statistic divided by the number of pairs; Agarwal et al.,
 * 2021, section 4.3). 0.5 means no difference. It says how often X wins, not by how much. Give it to
 * `bootstrapInterval([x, y], probabilityOfImprovement, …)` for its interval, which shrinks to a point where one arm wins
 * every pair, however few they are.
 */
export function probabilityOfImprovement(x: Strata, y: Strata): number {
  if (x.length !== y.length || x.length === 0) {
    throw new RangeError(`the same strata are required of both arms, got ${x.length} and ${y.length}`);
  }
  let total = 0;
  for (let stratum = 0; stratum < x.length; stratum++) {
    const left = x[stratum];
    const right = y[stratum];
    let wins = 0;
    for (let i = 0; i < left.length; i++) {
      for (let j = 0; j < right.length; j++) {
        if (left[i] > right[j]) wins += 1;
        else if (left[i] === right[j]) wins += 0.5;
      }
    }
    total += wins / (left.length * right.length);
  }
  return total / x.length;
}
