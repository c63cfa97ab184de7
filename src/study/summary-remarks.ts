/** What a summary remarks on: warnings about a study, and notes on what its numbers can bear. */
import { counted } from "../counted.js";
import { longestExtensionOf, timingName } from "./equal-time.js";
import { heldBack } from "./labels.js";
import { measureOf, showScore } from "./measure.js";
import { ratesOf, type StudyPlan, tuningSeedsOf } from "./plan.js";
import type { TrialRecord } from "./records.js";
import { stalledMargin } from "./run-trial.js";
import type { SettingSummary } from "./setting-summary.js";
import type { IntervalMethod } from "./statistics/coverage-methods.js";
import { trustworthy } from "./statistics/trustworthy.js";
import { fewestPairs } from "./statistics/verdict.js";
import type { StudyResults } from "./study-results.js";

/** A warning or note: its text, and beside it its kind and values, for whoever says it in another language. */
export interface Remark {
  readonly kind: string;
  readonly values: Readonly<Record<string, string | number>>;
  readonly text: string;
}

function remark(kind: string, values: Remark["values"], text: string): Remark {
  return { kind, values, text };
}

/** Steps that a trial says it made and was measured after. */
function stepsSeen({ stepsMade, points }: TrialRecord): number {
  return Math.min(stepsMade, points[points.length - 1]?.step ?? 0);
}

/** What is wrong with the study itself, not with an arm. */
export function warningsOf(plan: StudyPlan, results: StudyResults, settings: readonly SettingSummary[]): Remark[] {
  const warnings: Remark[] = [];
  const measure = measureOf(plan);
  const { planned } = results;
  const finished = results.trials.length;
  if (finished < planned)
    warnings.push(
      remark(
        "unfinished",
        { finished, planned },
        `${finished} of ${planned} trials are finished; the same command continues the study.`,
      ),
    );
  for (const { name, arms, chance } of settings)
    if (arms.every(({ score }) => score.mean <= chance + stalledMargin))
      warnings.push(
        remark(
          `nothing-learned.${measure.key}`,
          { setting: name, margin: measure.factor * stalledMargin, chance: showScore(measure, chance) },
          `${name}: no arm learned anything (none ends more than ${measure.factor * stalledMargin}${measure.differenceUnit && ` ${measure.differenceUnit}`} above ${showScore(measure, chance)}, which ${measure.chance} gives). Do the labels belong to the samples? Are there enough steps?`,
        ),
      );
  const short = results.trials.filter(
    (trial) => trial.diverged === null && (trial.steps !== plan.steps || stepsSeen(trial) < plan.steps),
  );
  for (const arm of new Set(short.map((trial) => trial.arm))) {
    const own = short.filter((trial) => trial.arm === arm);
    const made = Math.min(...own.map(stepsSeen));
    warnings.push(
      remark(
        "short",
        { arm, trials: own.length, made, steps: plan.steps },
        `${arm}: ${own.length} of its trials made ${made} of ${counted(plan.steps, "step")}: its comparisons are not at equal steps.`,
      ),
    );
  }
  const drawn = new Set(plan.arms.filter(({ head }) => head === undefined).map(({ name }) => name));
  for (const seed of new Set(results.trials.map((trial) => trial.seed)))
    for (const { name: network } of plan.networks) {
      const heads = new Set(
        results.trials
          .filter((trial) => trial.seed === seed && trial.network === network && drawn.has(trial.arm))
          .map(({ headHash }) => headHash),
      );
      if (heads.size > 1)
        warnings.push(
          remark(
            "unequal-heads",
            { network, seed },
            `${network}, seed ${seed}: the arms did not start from equal heads.`,
          ),
        );
    }
  const diverged = [...results.pretrainings.values()].filter(({ divergedAt }) => divergedAt !== undefined);
  for (const recipe of new Set(diverged.map((record) => record.recipe))) {
    const count = diverged.filter((record) => record.recipe === recipe).length;
    warnings.push(
      remark(
        "pretraining-diverged",
        { recipe, count },
        `${recipe}: ${count} of its pretrainings became non-finite; their trials count at chance.`,
      ),
    );
  }
  return warnings;
}

/** What the numbers can bear. */
export function notesOf(
  plan: StudyPlan,
  settings: readonly SettingSummary[],
  { trials, pretrainings, timing }: StudyResults,
  testCount: number,
): Remark[] {
  // What the comparisons rest on: the seeds that are finished in all settings of an arm.
  const seeds = Math.min(plan.seeds, ...settings.flatMap(({ arms }) => arms.map((arm) => arm.seeds.length)));
  const several = settings.length > 1;
  const notes = [
    trustNote("mean difference, paired t", seeds),
    trustNote("probability of improvement", seeds),
    trustNote(several ? "interquartile mean, several settings" : "interquartile mean, one setting", seeds),
    ...testDataNotes(plan, settings, testCount, trials[0]?.classSizes),
    ...tuningNotes(plan, settings),
    ...baselineNotes(plan, settings),
    ...worseningNotes(plan, settings),
  ];
  const random = plan.arms.filter(({ source }) => source.kind === "initializer" && source.initializer !== "file");
  for (const { name: arm, head } of plan.arms)
    if (head !== undefined && !random.some((other) => other.head === head))
      notes.push(
        remark(
          "head-without-control",
          { arm },
          `${arm}: its difference from other arms is also that of its head; a random start with the same head beside it would tell the two apart.`,
        ),
      );
  for (const { name: arm, source } of plan.arms)
    if (source.kind === "weights" || (source.kind === "initializer" && source.initializer === "file"))
      notes.push(
        remark(
          "foreign-weights",
          { arm },
          `${arm}: what these weights were trained on is not known here; if the test samples were among it, this arm's scores are too high.`,
        ),
      );
  const { pretrainingSeeds: shared = plan.seeds } = plan;
  if (shared < plan.seeds && pretrainings.size > 0)
    notes.push(
      remark(
        "shared-pretrainings",
        { seeds: plan.seeds, pretrainings: shared },
        `${counted(plan.seeds, "seed")} share ${counted(shared, "pretraining")} of each recipe: the intervals leave out how pretraining itself varies.`,
      ),
    );
  const most = plan.steps + longestExtensionOf(plan);
  for (const { name, setting, arms } of settings) {
    const cut = arms.filter(({ timeSteps, timeStepsMade }) => timeSteps > Math.max(most, timeStepsMade));
    if (cut.length === 0 || timing.secondsPerStep[timingName(plan, setting.network, setting.optimizer)] === undefined)
      continue;
    const [{ arm, timeSteps: steps, timeStepsMade: made }] = [...cut].sort((a, b) => b.timeSteps - a.timeSteps);
    notes.push(
      remark(
        "cut-short",
        { setting: name, arm, steps, made },
        `${name}: at equal total time ${arm} would have had ${counted(steps, "step")}; it made ${made} (--longest-extension).`,
      ),
    );
  }
  return notes;
}

/** The most frequent class has so large a share where the others hardly count in accuracy. */
const imbalance = 0.75;

/** What the test data can tell: samples that are few, and classes that are unequal. */
function testDataNotes(
  plan: StudyPlan,
  settings: readonly SettingSummary[],
  samples: number,
  classSizes: readonly number[] | undefined,
): Remark[] {
  if (plan.task === "regression") return [];
  // Positions of one sample do not vary by themselves.
  if (plan.task === "segmentation") return [];
  const notes: Remark[] = [];
  const variances = settings.flatMap(({ arms }) => arms.map(({ score: { mean } }) => mean * (1 - mean)));
  // A mean of the classes' shares varies as one share of so many samples does.
  const balanced = plan.measure === "balanced-accuracy" ? classSizes : undefined;
  const telling = balanced ? balanced.length ** 2 / balanced.reduce((sum, size) => sum + 1 / size, 0) : samples;
  // Of a share of so many samples, by the normal distribution.
  const margin = 1.96 * Math.sqrt(Math.max(0, ...variances) / telling);
  if (margin > plan.minimumEffect)
    notes.push(
      remark(
        "test-samples",
        { samples, margin: Number((100 * margin).toFixed(1)) },
        `The intervals tell how seeds vary, on the same ${samples} test samples: on as many others scores could be ${(100 * margin).toFixed(1)} points higher or lower, and differences between arms would be others, too.`,
      ),
    );
  // All settings have the same test data.
  const chance = settings[0]?.chance ?? 0;
  if (chance >= imbalance)
    notes.push(
      remark(
        "imbalanced",
        { chance: showScore(measureOf(plan), chance) },
        `Always naming the most frequent class gives ${showScore(measureOf(plan), chance)}: accuracy says little of the other classes here; --measure balanced-accuracy lets all classes count alike.`,
      ),
    );
  return notes;
}

/** What rests on learning rates that were chosen. */
function tuningNotes(plan: StudyPlan, settings: readonly SettingSummary[]): Remark[] {
  if (!plan.tune) return [];
  const notes: Remark[] = [];
  for (const { name: setting, setting: of, arms } of settings) {
    const rates = ratesOf(plan, of.optimizer);
    for (const rate of new Set([Math.min(...rates), Math.max(...rates)])) {
      const own = arms.filter(({ learningRate }) => learningRate === rate).map(({ arm }) => arm);
      if (own.length === 0) continue;
      const end = rate === Math.min(...rates) ? "smallest" : "largest";
      notes.push(
        remark(
          `rate-at-edge.${end}`,
          { setting, arms: own.join(", "), rate },
          `${setting}: the learning rate chosen for ${own.join(", ")} is the ${end} that was tried, ${rate}; a better one may lie beyond it.`,
        ),
      );
    }
  }
  const seeds = tuningSeedsOf(plan).length;
  const labels = Math.min(...settings.flatMap(({ arms }) => arms.map(({ labelsUsed }) => heldBack(labelsUsed))));
  if (settings.length > 0)
    notes.push(
      remark(
        "tuned-once",
        { seeds, labels },
        `Learning rates were chosen once for all seeds, on the first ${seeds === 1 ? "seed" : `${seeds} seeds`} by ${counted(labels, "label")} each where they were fewest: the intervals leave out how that choice varies.`,
      ),
    );
  return notes;
}

/** Where an arm may look good because the baseline fails altogether; where all of them stall, a warning says more. */
function baselineNotes({ baselines: [baseline] }: StudyPlan, settings: readonly SettingSummary[]): Remark[] {
  return settings.flatMap(({ name: setting, arms }) => {
    const own = arms.find(({ arm }) => arm === baseline);
    if (!own || arms.every(({ stalled }) => stalled.count === stalled.trials)) return [];
    const [diverged, stalled, trials] = [own.diverged.count, own.stalled.count, own.seeds.length];
    if (diverged + stalled === 0) return [];
    return [
      remark(
        "baseline-fails",
        { setting, baseline, diverged, stalled, trials },
        `${setting}: of the ${trials} trials of ${baseline}, ${diverged} diverged and ${stalled} stalled: what arms gain over it is that, too; other learning rates, more steps or another --baseline may be a fairer opponent.`,
      ),
    ];
  });
}

/** Where supervised steps take away from a start that classifies already, as one by self-training may from few labels. */
function worseningNotes(plan: StudyPlan, settings: readonly SettingSummary[]): Remark[] {
  const measure = measureOf(plan);
  return settings.flatMap(({ name: setting, chance, arms }) =>
    arms.flatMap(({ arm, seeds, score, change }) => {
      const start = score.mean - change.mean;
      const worse = seeds.length >= fewestPairs && change.high !== null && change.high < 0;
      if (!worse || start <= chance + stalledMargin) return [];
      const [before, after] = [start, score.mean].map((own) => showScore(measure, own));
      return [
        remark(
          "steps-cost",
          { setting, arm, before, after, steps: plan.steps },
          `${setting}: ${arm} has ${before} before its first supervised step and ${after} after ${plan.steps}: take its start as it is, or fewer steps, chosen by labels held back.`,
        ),
      ];
    }),
  );
}

/** How far a method's intervals can be relied on. */
function trustNote(method: IntervalMethod, seeds: number): Remark {
  const { holds, from, measured, note } = trustworthy(method, seeds);
  const kind = holds ? "interval-holds" : measured ? "interval-narrow" : "interval-unknown";
  const covered = measured ? { usual: measured.usual, hard: measured.hard } : {};
  return remark(kind, { method, seeds, from, ...covered }, note);
}
