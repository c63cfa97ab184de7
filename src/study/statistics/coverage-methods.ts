import type { RandomStream } from "../../random/stream.js";
import { bootstrapInterval, pooledInterquartileMean } from "./bootstrap.js";
import { kaplanMeier } from "./kaplan-meier.js";
import { pairedT } from "./paired-t.js";
import { probabilityOfImprovement } from "./probability-of-improvement.js";
import { type Coverage, type CoverageScenario, simulateCoverage } from "./simulate-coverage.js";
import { wilsonInterval } from "./wilson.js";

/** The intervals whose coverage is measured. */
export type IntervalMethod =
  | "mean difference, paired t"
  | "interquartile mean, one setting"
  | "interquartile mean, several settings"
  | "interquartile mean, percentile ends"
  | "probability of improvement"
  | "median steps to target"
  | "rate";

/** An easy case, which most studies are like, and a hard one. */
export type CoverageCase = "usual" | "hard";

/** How {@link measureCoverage} simulates. */
export interface CoverageOptions {
  /** Simulated studies; 4,000 by default. */
  studies?: number;
  /** Bootstrap resamples in each; 2,000 by default. */
  resamples?: number;
  seed?: number;
}

/**
 * The coverage of one method's 95 % interval by simulation.
 *
 * | method | usual case | hard case |
 * | --- | --- | --- |
 * | mean difference, paired t | normal differences | exponential differences (skewness 2) |
 * | interquartile mean (several settings: four, grouped by seed) | normal scores | exponential scores |
 * | interquartile mean, percentile ends: as rliable, one setting | normal scores | exponential scores |
 * | probability of improvement | normal scores, one standard deviation apart | exponential scores, as far apart |
 * | median steps to target | exponential steps, all trials reach it | the same, 37 % of the trials censored |
 * | rate | a fifth of the trials | one in twenty |
 */
export function measureCoverage(
  method: IntervalMethod,
  testedCase: CoverageCase,
  seeds: number,
  { studies = 4000, resamples = 2000, seed = 0 }: CoverageOptions = {},
): Coverage {
  // Each method has its own kind of sample, which only its scenario needs to know.
  const simulate = <Sample>(scenario: CoverageScenario<Sample>) => simulateCoverage(scenario, { studies, seed });
  const hard = testedCase === "hard";
  const score = hard ? exponential : normal;
  switch (method) {
    case "mean difference, paired t":
      return simulate({
        draw: (stream) => several(seeds, () => score(stream)),
        interval: (differences) => pairedT(differences).interval,
        truth: hard ? 1 : 0,
      });
    case "interquartile mean, one setting":
    case "interquartile mean, several settings":
    case "interquartile mean, percentile ends":
      return simulate({
        draw: (stream) => {
          const settings = method === "interquartile mean, several settings" ? 4 : 1;
          return Array.from({ length: settings }, () => several(seeds, () => score(stream)));
        },
        interval: (strata, stream) =>
          bootstrapInterval([strata], pooledInterquartileMean, {
            stream,
            resamples,
            ends: method === "interquartile mean, percentile ends" ? "percentile" : "expanded",
          }),
        truth: hard ? exponentialInterquartileMean : 0,
      });
    case "probability of improvement":
      return simulate({
        draw: (stream) => [[several(seeds, () => score(stream) + 1)], [several(seeds, () => score(stream))]] as const,
        interval: (arms, stream) => bootstrapInterval(arms, probabilityOfImprovement, { stream, resamples }),
        // P(X + 1 > Y): Φ(1/√2) for normal X and Y, 1 − e⁻¹/2 for exponential ones.
        truth: hard ? 1 - Math.exp(-1) / 2 : 0.7602499389065233,
      });
    case "median steps to target":
      return simulate({
        draw: (stream) => Array.from({ length: seeds }, () => exponential(stream)),
        interval: (steps) => {
          const last = hard ? 1 : Infinity;
          return kaplanMeier(steps.map((step) => ({ steps: Math.min(step, last), reached: step < last })))
            .medianInterval;
        },
        truth: Math.LN2,
      });
    case "rate": {
      const rate = hard ? 0.05 : 0.2;
      return simulate({
        draw: (stream) => several(seeds, () => (stream.uniform() < rate ? 1 : 0)).filter((hit) => hit === 1).length,
        interval: (hits) => wilsonInterval(hits, seeds),
        truth: rate,
      });
    }
  }
}

function several(count: number, draw: () => number): Float64Array {
  return Float64Array.from({ length: count }, draw);
}

function normal(stream: RandomStream): number {
  return stream.normal();
}

function exponential(stream: RandomStream): number {
  return -Math.log(1 - stream.uniform());
}

/** The mean of the exponential distribution between its quartiles: 2·∫ −log u du over u from ¼ to ¾, 2·[u − u·log u]. */
const exponentialInterquartileMean = 2 * (0.75 - 0.75 * Math.log(0.75) - 0.25 + 0.25 * Math.log(0.25));
