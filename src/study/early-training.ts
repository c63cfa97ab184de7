/** How fast a trial learned: the area under its curve of scores, and the steps to a target. */
import type { TrialPoint } from "./records.js";
import type { VerdictWord } from "./statistics/verdict.js";

/**
 * Weights of the points within some steps whose weighted sum of scores is the area under the curve, divided by the
 * steps: the trapezoidal rule over points that need not be evenly spaced. The weights add up to 1.
 */
function areaWeights(points: readonly TrialPoint[]): number[] {
  const last = points.length - 1;
  const length = points[last].step - points[0].step;
  if (length === 0) return points.map((_, index) => (index === last ? 1 : 0));
  return points.map(({ step }, index) => {
    const before = index === 0 ? 0 : step - points[index - 1].step;
    const after = index === last ? 0 : points[index + 1].step - step;
    return (before + after) / 2 / length;
  });
}

function within(points: readonly TrialPoint[], steps: number): readonly TrialPoint[] {
  return points.filter(({ step }) => step <= steps);
}

/** Mean score over the first steps of a trial, as many of them as are asked for. */
export function meanScore(points: readonly TrialPoint[], steps: number): number {
  const counted = within(points, steps);
  const weights = areaWeights(counted);
  return counted.reduce((sum, { score }, index) => sum + weights[index] * score, 0);
}

/**
 * The finest step that {@link meanScore} can be said to move by where single scores move by `resolution`: the
 * rounding of the points is independent, so their variances add up.
 */
export function meanResolution(points: readonly TrialPoint[], steps: number, resolution: number): number {
  const squares = areaWeights(within(points, steps)).reduce((sum, weight) => sum + weight ** 2, 0);
  return resolution * Math.sqrt(squares);
}

/** The first measured step at or above the target; undefined where there is none within the steps. */
export function stepsToTarget(points: readonly TrialPoint[], steps: number, target: number): number | undefined {
  return within(points, steps).find(({ score }) => score >= target)?.step;
}

const words: Readonly<Record<VerdictWord, string>> = {
  helps: "learns faster",
  hurts: "learns slower",
  "no difference shown": "no difference shown",
  unclear: "unclear",
};

/** What a verdict on the mean score over the steps is called. */
export function earlyWord(word: VerdictWord): string {
  return words[word];
}
