/**
 * Holm's adjusted p-values (1979, "A simple sequentially rejective multiple test procedure"): with the p-values in
 * ascending order, the i-th of m is multiplied by m − i + 1, made no smaller than the one before, and cut at 1. Calling
 * an arm different where its adjusted value is at most α keeps the chance of one false call among all arms at α or
 * below, whatever the dependence between them (all arms share the baseline's trials).
 *
 * @returns the adjusted values in the order of the input
 */
export function holm(pValues: readonly number[]): number[] {
  for (const p of pValues) {
    if (!(p >= 0 && p <= 1)) throw new RangeError(`p-values from 0 to 1 are required, got ${p}`);
  }
  const order = pValues.map((_, index) => index).sort((a, b) => pValues[a] - pValues[b]);
  const adjusted = new Array<number>(pValues.length);
  let reached = 0;
  order.forEach((index, rank) => {
    reached = Math.max(reached, Math.min(1, (pValues.length - rank) * pValues[index]));
    adjusted[index] = reached;
  });
  return adjusted;
}
