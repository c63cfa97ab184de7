import { RandomStream } from "../../random/stream.js";
import { type BootstrapInterval, bootstrapInterval, meanOfStrata, pooledInterquartileMean } from "./bootstrap.js";
import { holm } from "./holm.js";
import {
  type PairedDifferences,
  pairedDifferencesOverSettings,
  type ScoresBySeed,
  scoresOfSeeds,
} from "./paired-differences.js";
import { type PairedT, pairedT } from "./paired-t.js";
import { probabilityOfImprovement } from "./probability-of-improvement.js";
import { signFlipP } from "./sign-flip-test.js";
import { type DifferenceUnit, fewestPairs, type Verdict, verdict } from "./verdict.js";

/** One arm's scores: a map by seed for each setting, the settings in the same order for all arms. */
export interface ArmScores {
  name: string;
  settings: readonly ScoresBySeed[];
}

/** What {@link compareArms} needs to know. */
export interface ComparisonOptions {
  /** Whether a higher score is better (accuracy) or a lower one (loss); true by default. */
  higherIsBetter?: boolean;
  /** The smallest difference that matters, in the unit of the scores; see {@link verdict}. */
  minimumEffect?: number;
  /** How the verdicts' grounds write differences. */
  shownAs?: DifferenceUnit;
  /** The smallest step that a score can move by, see {@link pairedT}. */
  resolution?: number;
  level?: number;
  /** Bootstrap resamples; 10,000 by default. */
  resamples?: number;
  /** The seed of the resampling. */
  seed?: number;
}

/** How one arm compares with the baseline. */
export interface ArmComparison {
  name: string;
  /** How much better the arm is, one number a seed: averaged over settings, positive where the arm is better. */
  differences: PairedDifferences;
  /** The mean over settings of the arm's mean scores, and of the baseline's, over the paired seeds. */
  mean: number | undefined;
  baselineMean: number | undefined;
  /** The interquartile means of all paired scores with their intervals. */
  interquartileMean: BootstrapInterval | undefined;
  baselineInterquartileMean: BootstrapInterval | undefined;
  /** The chance that the arm's trial beats the baseline's, with its interval. */
  probabilityOfImprovement: BootstrapInterval | undefined;
  /** The test that decides and the mean difference's interval. */
  test: PairedT | undefined;
  /** The exact permutation test's p-value, beside it; see {@link signFlipP} for what few seeds allow. */
  signFlipP: number | undefined;
  /** The t-test's p-value after Holm's correction over all arms that could be tested. */
  adjustedP: number | undefined;
  verdict: Verdict;
}

/**
 * Compares arms with a baseline, paired by seed. The seed is the unit throughout: an arm's difference for a seed is its
 * mean over the settings, the t-test and its interval run over those, and the bootstrap draws whole seeds. What is
 * undefined in the result needs more pairs (one for the means, two for intervals, three for a test).
 *
 * @throws RangeError if a score is not finite or an arm lacks settings
 */
export function compareArms(
  baseline: ArmScores,
  arms: readonly ArmScores[],
  options: ComparisonOptions = {},
): ArmComparison[] {
  return compareQuantities([{ baseline, arms, options }])[0];
}

/** One quantity that arms are scored by, with their scores. */
export interface ScoredQuantity {
  baseline: ArmScores;
  arms: readonly ArmScores[];
  options?: ComparisonOptions;
}

/**
 * Compares arms by several quantities at once: each as {@link compareArms} does, but Holm's correction runs over all tests
 * of all quantities together, so that the chance of any false difference among all of them stays at its level.
 *
 * @returns for each quantity its arms
 * @throws RangeError as {@link compareArms}
 */
export function compareQuantities(quantities: readonly ScoredQuantity[]): ArmComparison[][] {
  const untested = quantities.map(untestedArms);
  const tested = untested.flat().filter((arm) => arm.test !== undefined);
  const adjusted = holm(tested.map((arm) => arm.test!.p));
  return untested.map((arms, index) => {
    const { minimumEffect = 0.01, level = 0.95, shownAs } = quantities[index].options ?? {};
    return arms.map((arm) => {
      const adjustedP = arm.test && adjusted[tested.indexOf(arm)];
      return {
        ...arm,
        adjustedP,
        verdict: verdict({
          differences: arm.differences.differences,
          adjustedP: adjustedP ?? 1,
          interval: arm.test?.interval ?? { low: -Infinity, high: Infinity, level },
          minimumEffect,
          ...(shownAs === undefined ? {} : { shownAs }),
        }),
      };
    });
  });
}

/** All that takes no correction. */
function untestedArms({
  baseline,
  arms,
  options = {},
}: ScoredQuantity): Omit<ArmComparison, "adjustedP" | "verdict">[] {
  const { higherIsBetter = true, resolution = 0, level = 0.95, resamples = 10_000, seed = 0 } = options;
  const sign = higherIsBetter ? 1 : -1;
  return arms.map(({ name, settings }) => {
    const raw = pairedDifferencesOverSettings(settings, baseline.settings);
    // "+ 0" turns the −0 of an equal pair into 0.
    const differences = { ...raw, differences: raw.differences.map((difference) => sign * difference + 0) };
    const pairs = raw.seeds.length;
    const own = settings.map((scores) => scoresOfSeeds(scores, raw.seeds));
    const other = baseline.settings.map((scores) => scoresOfSeeds(scores, raw.seeds));
    const bootstrap = (purpose: string) => ({
      stream: new RandomStream(seed, `bootstrap/${purpose}/${name}`),
      resamples,
      level,
    });
    const few = pairs < 2;
    return {
      name,
      differences,
      mean: pairs === 0 ? undefined : meanOfStrata(own),
      baselineMean: pairs === 0 ? undefined : meanOfStrata(other),
      interquartileMean: few ? undefined : bootstrapInterval([own], pooledInterquartileMean, bootstrap("arm")),
      baselineInterquartileMean: few
        ? undefined
        : bootstrapInterval([other], pooledInterquartileMean, bootstrap("baseline")),
      probabilityOfImprovement: few
        ? undefined
        : bootstrapInterval(
            higherIsBetter ? [own, other] : [other, own],
            probabilityOfImprovement,
            bootstrap("improvement"),
          ),
      // A mean over settings rounds less than a single score: resolution²/12 divided by their number.
      test:
        pairs < fewestPairs
          ? undefined
          : pairedT(differences.differences, { level, resolution: resolution / Math.sqrt(settings.length) }),
      signFlipP:
        pairs < fewestPairs
          ? undefined
          : signFlipP(differences.differences, new RandomStream(seed, `sign flips/${name}`)),
    };
  });
}
