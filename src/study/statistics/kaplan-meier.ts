import { normalQuantile } from "./distributions.js";
import { type Interval, requireLevel } from "./interval.js";

/** A trial's way to the target. */
export interface TimeToTarget {
  /** The step at which the target was reached, or the last step of a trial that never reached it (censored). */
  steps: number;
  reached: boolean;
}

/** One step of the survival curve. */
export interface SurvivalPoint {
  steps: number;
  /** Trials that were still on their way just before. */
  atRisk: number;
  /** How many reached the target here. */
  reached: number;
  /** The estimated share of trials which have not reached the target after this many steps. */
  share: number;
  /** The share's interval; 0 to 0 once all trials have reached the target, where the formula has no value. */
  interval: Interval;
}

/** What {@link kaplanMeier} finds. */
export interface SurvivalCurve {
  /** One point for each number of steps at which a trial reached the target, ascending. */
  points: SurvivalPoint[];
  /** The least number of steps by which half of the trials reached the target; undefined if half never did. */
  median: number | undefined;
  /**
   * The median's interval. An end is undefined where the trials do not bound it: with few trials, or many that never
   * reached the target, the upper end is "more than was run".
   */
  medianInterval: { low: number | undefined; high: number | undefined; level: number };
}

/**
 * The share of trials still on their way to the target as a function of steps, with trials that never reached it
 * counted as censored at their last step (Kaplan and Meier, 1958): S(t) = ∏ (1 − dᵢ/nᵢ) over the steps i ≤ t at which dᵢ
 * of nᵢ remaining trials reached it. The share's interval is Greenwood's on the scale log(−log S) (Kalbfleisch and
 * Prentice, 1980), S^exp(±z·σ) with σ² = Σ dᵢ/(nᵢ(nᵢ − dᵢ)) / log²S; the median's interval holds the steps at which it
 * contains one half (Brookmeyer and Crowley, 1982). Where all trials reached the target the interval ends at the last of
 * them, as in lifelines; R's survfit leaves it open there.
 */
export function kaplanMeier(trials: readonly TimeToTarget[], level = 0.95): SurvivalCurve {
  requireLevel(level);
  for (const { steps } of trials) {
    if (!(steps >= 0 && Number.isFinite(steps))) throw new RangeError(`steps from 0 are required, got ${steps}`);
  }
  const z = normalQuantile((1 + level) / 2);
  const times = [...new Set(trials.filter((trial) => trial.reached).map((trial) => trial.steps))].sort((a, b) => a - b);
  const points: SurvivalPoint[] = [];
  let share = 1;
  let greenwood = 0;
  for (const steps of times) {
    // A trial that was censored at this very step was still on its way when the others reached the target.
    const atRisk = trials.filter((trial) => trial.steps >= steps).length;
    const reached = trials.filter((trial) => trial.reached && trial.steps === steps).length;
    share *= (atRisk - reached) / atRisk;
    greenwood += reached / (atRisk * (atRisk - reached));
    const spread = (z * Math.sqrt(greenwood)) / Math.abs(Math.log(share));
    const interval =
      atRisk === reached
        ? { low: 0, high: 0, level }
        : { low: share ** Math.exp(spread), high: share ** Math.exp(-spread), level };
    points.push({ steps, atRisk, reached, share, interval });
  }
  return {
    points,
    median: points.find((point) => isHalf(point.share))?.steps,
    medianInterval: {
      low: points.find((point) => isHalf(point.interval.low))?.steps,
      high: points.find((point) => isHalf(point.interval.high))?.steps,
      level,
    },
  };
}

/** At most one half; products such as 3/4·2/3 may miss it by rounding. */
function isHalf(share: number): boolean {
  return share <= 0.5 + 1e-12;
}
