import { RandomStream } from "../../random/stream.js";

/** What {@link simulateCoverage} draws and asks. */
export interface CoverageScenario<Sample> {
  /** Draws the data of one study. */
  draw: (stream: RandomStream) => Sample;
  /** The interval of one study; an undefined end is one that the data do not bound. */
  interval: (sample: Sample, stream: RandomStream) => { low: number | undefined; high: number | undefined };
  /** The value that the interval should cover. */
  truth: number;
}

/** How often intervals held what they should. */
export interface Coverage {
  /** The share of studies whose interval held the truth, ends included. */
  coverage: number;
  /** The share whose interval lay above the truth. */
  above: number;
  /** The share whose interval lay below the truth. */
  below: number;
  /** The simulation's own standard error of the coverage. */
  error: number;
}

/**
 * The coverage of an interval by simulation: draws many studies from a known truth and counts how often the interval
 * holds it. The same seed gives the same numbers.
 */
export function simulateCoverage<Sample>(
  { draw, interval, truth }: CoverageScenario<Sample>,
  { studies = 4000, seed = 0 }: { studies?: number; seed?: number } = {},
): Coverage {
  const samples = new RandomStream(seed, "coverage/samples");
  const resamples = new RandomStream(seed, "coverage/resamples");
  let above = 0;
  let below = 0;
  // A truth on the interval's end counts as covered, whichever way the end was rounded.
  const slack = 1e-9 * Math.max(1, Math.abs(truth));
  for (let study = 0; study < studies; study++) {
    const { low = -Infinity, high = Infinity } = interval(draw(samples), resamples);
    if (low > truth + slack) above++;
    else if (high < truth - slack) below++;
  }
  const coverage = 1 - (above + below) / studies;
  return {
    coverage,
    above: above / studies,
    below: below / studies,
    error: Math.sqrt((coverage * (1 - coverage)) / studies),
  };
}

/** The share of studies drawn from equal arms in which `calls` says that some arm differs. */
export function simulateFalsePositives<Sample>(
  { draw, calls }: { draw: (stream: RandomStream) => Sample; calls: (sample: Sample, stream: RandomStream) => boolean },
  { studies = 4000, seed = 0 }: { studies?: number; seed?: number } = {},
): number {
  const samples = new RandomStream(seed, "false positives/samples");
  const others = new RandomStream(seed, "false positives/tests");
  let called = 0;
  for (let study = 0; study < studies; study++) if (calls(draw(samples), others)) called++;
  return called / studies;
}
