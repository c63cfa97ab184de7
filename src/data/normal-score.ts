/**
 * Where a value lies in a distribution, as a normal deviate: Φ⁻¹(share of the distribution below the value), the share
 * between two knots taken as linear. Of several equal knots the middle counts. Values outside become the outermost
 * deviates.
 *
 * @param knots the distribution's values at evenly spaced shares, ascending, at least two
 */
export function normalScore(value: number, knots: readonly number[]): number {
  const last = knots.length - 1;
  // The first knot that is not below the value, and the first above it.
  const from = firstWhere(knots, (knot) => knot >= value);
  const to = firstWhere(knots, (knot) => knot > value);
  let place: number;
  if (from < to) place = (from + to - 1) / 2;
  else if (from === 0) place = 0;
  else if (from > last) place = last;
  else place = from - 1 + (value - knots[from - 1]) / (knots[from] - knots[from - 1]);
  // Half a knot's share at each end keeps the outermost values finite.
  return inverseNormal((place + 0.5) / (last + 1));
}

function firstWhere(knots: readonly number[], holds: (knot: number) => boolean): number {
  let [low, high] = [0, knots.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(knots[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Φ⁻¹ by Acklam's rational approximation (2003), relative error below 1.2e-9. */
export function inverseNormal(share: number): number {
  const a = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239,
  ];
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572];
  const c = [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ];
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
  const polynomial = (coefficients: readonly number[], x: number) =>
    coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
  const tail = 0.02425;
  if (share < tail) {
    const q = Math.sqrt(-2 * Math.log(share));
    return polynomial(c, q) / (polynomial(d, q) * q + 1);
  }
  if (share > 1 - tail) return -inverseNormal(1 - share);
  const q = share - 0.5;
  const r = q * q;
  return (polynomial(a, r) * q) / (polynomial(b, r) * r + 1);
}
