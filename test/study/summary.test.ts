import { expect, test } from "vitest";
import { meanResolution } from "../../src/study/early-training.js";
import { timingName } from "../../src/study/equal-time.js";
import type { StudyPlan } from "../../src/study/plan.js";
import { pretrainingKey } from "../../src/study/plan.js";
import type { PretrainingRecord, TrialRecord } from "../../src/study/records.js";
import type { StudyResults } from "../../src/study/study-results.js";
import { stepsDifference, summarize } from "../../src/study/summary.js";
import { armsOf, planOf, recordOf, trialOf } from "../support/study-plan.js";

function results(plan: StudyPlan, trials: TrialRecord[], changes: Partial<StudyResults> = {}): StudyResults {
  return {
    trials,
    planned: plan.arms.length * plan.seeds,
    pretrainings: new Map(),
    timing: { secondsPerStep: {} },
    tuned: {},
    ...changes,
  };
}

/** Noise that differs by seed and is equal for all arms, as heads and labels make it, and a little of each arm's own. */
const seedNoise = [0.03, -0.02, 0.01, -0.03, 0.02];
const ownNoise = [0.001, -0.002, 0.0015, -0.0005, 0.001];

async function study(accuracies: Record<string, number>, changes: Partial<StudyPlan> = {}) {
  const plan = planOf(await armsOf(...Object.keys(accuracies)), changes);
  const trials = Object.entries(accuracies).flatMap(([arm, accuracy], place) =>
    seedNoise.map((noise, seed) =>
      recordOf(plan, trialOf(plan, arm, seed), accuracy + noise + ownNoise[(seed + place) % 5]),
    ),
  );
  return { plan, trials };
}

test("tells arms that help, hurt and do nothing", async () => {
  const { plan, trials } = await study({ he: 0.7, lecun: 0.75, xavier: 0.65, orthogonal: 0.7 });
  const { comparisons, settings, warnings } = summarize(plan, results(plan, trials), 10_000);
  expect(comparisons.map(({ baseline, at }) => [baseline, at])).toEqual([
    ["he", "equal steps"],
    ["he", "equal time"],
  ]);
  expect(comparisons[0].arms.map(({ name, verdict }) => [name, verdict.verdict])).toEqual([
    ["lecun", "helps"],
    ["xavier", "hurts"],
    ["orthogonal", "no difference shown"],
  ]);
  expect(settings[0].arms[0].score.mean).toBeCloseTo(0.7 + 0.002 + 0.0002, 5);
  expect(settings[0].target).toBeCloseTo(0.1 + 0.9 * (0.7022 - 0.1), 3);
  expect(warnings).toEqual([]);
});

test("starts whose activations are not finite count in no mean of them", async () => {
  const { plan, trials } = await study({ he: 0.7, lecun: 0.75 });
  const none = { mean: null, standardDeviation: null };
  const changed = trials.map((trial) => {
    if (trial.arm === "he" && trial.seed > 0) return trial;
    return { ...trial, start: trial.start.map((layer) => ({ ...layer, ...none })) };
  });
  const { settings } = summarize(plan, results(plan, changed), 10_000);
  const [he, lecun] = settings[0].arms.map(({ start: [layer] }) => layer);
  expect(he).toMatchObject({ mean: 0, standardDeviation: 1, gradient: 0.01 });
  expect(lecun).toMatchObject({ ...none, gradient: 0.01 });
});

test("an arm that starts as the baseline does shows no difference", async () => {
  const { plan } = await study({ he: 0.7, "he+raw": 0.7 });
  const trials = plan.arms.flatMap(({ name }) =>
    seedNoise.map((noise, seed) => recordOf(plan, trialOf(plan, name, seed), 0.7 + noise)),
  );
  const [comparison] = summarize(plan, results(plan, trials), 10_000).comparisons;
  expect(comparison.arms[0].verdict).toMatchObject({
    verdict: "no difference shown",
    reasons: ["all 5 differences are exactly zero"],
  });
});

test("says that nothing was learned where labels do not belong to samples", async () => {
  const { plan, trials } = await study({ he: 0.1, lecun: 0.1 });
  expect(summarize(plan, results(plan, trials), 10_000).warnings).toEqual([
    expect.stringMatching(/no arm learned anything.*Do the labels belong/),
  ]);
});

test("says which arm had fewer steps, and which trials are missing", async () => {
  const { plan, trials } = await study({ he: 0.7, lecun: 0.7 });
  const cheated = trials.map((trial) => (trial.arm === "lecun" ? { ...trial, stepsMade: 50 } : trial)).slice(0, 9);
  const { warnings, remarks } = summarize(plan, results(plan, cheated), 10_000);
  expect(remarks.warnings).toEqual([
    { kind: "unfinished", values: { finished: 9, planned: 10 } },
    { kind: "short", values: { arm: "lecun", trials: 4, made: 50, steps: 100 } },
  ]);
  expect(warnings).toContainEqual(expect.stringMatching(/^lecun: 4 of its trials made 50 of 100 steps/));
  expect(warnings).toContainEqual(expect.stringMatching(/^9 of 10 trials are finished/));
});

test("says where heads were not equal", async () => {
  const { plan, trials } = await study({ he: 0.7, lecun: 0.7 });
  const { warnings } = summarize(
    plan,
    results(plan, [{ ...trials[0], headHash: "other" }, ...trials.slice(1)]),
    10_000,
  );
  expect(warnings).toEqual([expect.stringMatching(/net, seed 0: the arms did not start from equal heads/)]);
});

test("a head of an arm's own is no fault, but asks for a control", async () => {
  const alone = await study({ he: 0.7, "default+class-means": 0.75 });
  const others = alone.trials.map((trial) => ({ ...trial, headHash: trial.arm }));
  const { warnings, remarks } = summarize(alone.plan, results(alone.plan, others), 10_000);
  expect(warnings).toEqual([]);
  const kind = "head-without-control";
  expect(remarks.notes).toContainEqual({ kind, values: { arm: "default+class-means" } });
  const both = await study({ he: 0.7, "he+class-means": 0.72, "default+class-means": 0.75 });
  const controlled = summarize(both.plan, results(both.plan, both.trials), 10_000);
  expect(controlled.remarks.notes.filter((note) => note.kind === kind)).toEqual([]);
  // The file's own weights are no random start.
  const own = await study({ he: 0.7, "file+class-means": 0.72, "default+class-means": 0.75 });
  const uncontrolled = summarize(own.plan, results(own.plan, own.trials), 10_000).remarks.notes;
  expect(uncontrolled).toContainEqual({ kind, values: { arm: "default+class-means" } });
});

test("trials that never reach the target stay in, as censored", async () => {
  const { plan, trials } = await study({ he: 0.7, lecun: 0.3 });
  const [he, lecun] = summarize(plan, results(plan, trials), 10_000).settings[0].arms;
  expect(he.stepsToTarget.reached).toBe(5);
  expect(he.stepsToTarget.median).toBeGreaterThan(0);
  expect(lecun.stepsToTarget).toMatchObject({ reached: 0, median: null });
});

test("an arm that ends where the baseline does, but gets there sooner, learns faster", async () => {
  const plan = planOf(await armsOf("he", "lecun", "xavier"));
  const trials = seedNoise.flatMap((noise, seed) =>
    plan.arms.map(({ name }, place) => {
      const record = recordOf(plan, trialOf(plan, name, seed), 0.7 + noise + ownNoise[(seed + place) % 5]);
      if (name !== "lecun") return record;
      const last = record.points.length - 1;
      const points = record.points.map((point, index) =>
        index === 0 || index === last ? point : { ...point, score: record.score - 0.02 },
      );
      return { ...record, points };
    }),
  );
  const [steps, time] = summarize(plan, results(plan, trials), 10_000).comparisons;
  expect(steps.arms.map(({ verdict }) => verdict.verdict)).toEqual(["no difference shown", "no difference shown"]);
  const [faster, alike] = steps.early;
  expect([faster.verdict.verdict, alike.verdict.verdict]).toEqual(["helps", "no difference shown"]);
  expect(faster.test?.mean).toBeGreaterThan(0.2);
  expect(faster.stepsToTarget.difference?.high).toBeLessThan(-50);
  expect(faster.stepsToTarget.trials).toBe(10);
  expect(alike.stepsToTarget.difference?.mean).toBeCloseTo(0, -1);
  // Four tests at once, two quantities of two arms.
  expect(faster.adjustedP).toBeCloseTo(4 * (faster.test?.p ?? 0), 12);
  expect(time.early).toEqual([]);
});

test("a trial that never reaches the target counts with all steps in the difference", async () => {
  const { plan, trials } = await study({ he: 0.7, lecun: 0.3 });
  const [{ early }] = summarize(plan, results(plan, trials), 10_000).comparisons;
  const [{ stepsToTarget }] = early;
  expect(stepsToTarget).toMatchObject({ missed: 5, trials: 10 });
  expect(stepsToTarget.difference?.mean).toBeGreaterThan(0);
  expect(stepsToTarget.difference?.mean).toBeLessThan(plan.steps);
});

test("says differences in steps with their signs", () => {
  expect(stepsDifference({ mean: -12.4, low: -20.2, high: 3.6 })).toBe("-12 (-20 to +4)");
  expect(stepsDifference({ mean: 12.4, low: null, high: null })).toBe("+12");
});

test("at equal total time an arm without pretraining counts where its longer training led", async () => {
  const plan = planOf(await armsOf("he", "default"));
  const pretrainings = new Map<string, PretrainingRecord>();
  for (let seed = 0; seed < 5; seed++) {
    const key = pretrainingKey(plan, "net", plan.arms[1], seed);
    pretrainings.set(key, {
      key,
      network: "net",
      recipe: "default",
      seed,
      steps: 10,
      samples: 100,
      seconds: 1,
      metrics: {},
      warnings: [],
    });
  }
  const timing = { secondsPerStep: { [timingName(plan, "net", plan.optimizers[0])]: 0.01 } };
  const trials = seedNoise.flatMap((noise, seed) => {
    const short = recordOf(plan, trialOf(plan, "he", seed), 0.6 + noise);
    const points = [
      ...short.points,
      { step: 150, score: 0.7 + noise, loss: 0.1 },
      { step: 250, score: 0.8 + noise, loss: 0.1 },
    ];
    return [
      { ...short, points, stepsMade: 250 },
      recordOf(plan, trialOf(plan, "default", seed), 0.7 + noise + ownNoise[seed]),
    ];
  });
  const { comparisons, settings } = summarize(plan, results(plan, trials, { pretrainings, timing }), 10_000);
  expect(comparisons.map(({ arms }) => arms[0].verdict.verdict)).toEqual(["helps", "hurts"]);
  // 1 s of pretraining is 100 steps: at step 200, half-way from 0.7 to 0.8.
  expect(settings[0].arms[0]).toMatchObject({ timeSteps: 200, timeStepsMade: 250 });
  expect(settings[0].arms[0].scoreAtEqualTime.mean).toBeCloseTo(0.752, 5);
});

test("counts steps to the best arm's level where the baseline stalls", async () => {
  const { plan, trials } = await study({ he: 0.1, lecun: 0.8 });
  const [{ target, arms }] = summarize(plan, results(plan, trials), 10_000).settings;
  expect(target).toBeCloseTo(0.1 + 0.9 * (0.8022 - 0.1), 3);
  expect(arms.map(({ stepsToTarget }) => stepsToTarget.reached)).toEqual([0, 5]);
});

test("numbers that are predicted: the higher R² helps, and its target and errors are the study's own", async () => {
  const { plan, trials } = await study({ he: 0.5, lecun: 0.7 }, { task: "regression", targets: ["price"] });
  const measured = trials.map((trial) => ({
    ...trial,
    chance: 0,
    points: trial.points.map((point) => ({ ...point, rmse: [100 * (1 - point.score)] })),
  }));
  const summary = summarize(plan, results(plan, measured), 10_000);
  expect(summary).toMatchObject({ measure: "r2", targets: ["price"] });
  expect(summary.comparisons[0].arms[0].verdict.verdict).toBe("helps");
  const [he, lecun] = summary.settings[0].arms;
  expect(he.rmse?.[0].mean).toBeCloseTo(100 * (1 - he.score.mean), 9);
  expect(lecun.rmse?.[0].mean).toBeLessThan(he.rmse?.[0].mean ?? 0);
});

test("R² of a trial that explodes does not outweigh the others, and what diverged is worth chance alike", async () => {
  const { plan, trials } = await study({ he: 0.5, lecun: 0.6, xavier: 0.6 }, { task: "regression", targets: ["y"] });
  const low = (trial: TrialRecord, score: number, diverged: TrialRecord["diverged"]): TrialRecord => ({
    ...trial,
    score,
    diverged,
    points: trial.points.map((point) => (point.step < 50 ? point : { ...point, score })),
  });
  const numbers = trials.map((trial): TrialRecord => {
    const own = { ...trial, chance: 0 };
    if (own.arm === "lecun" && own.seed === 0) return low(own, -1e35, null);
    return own.arm === "xavier" ? low(own, own.seed % 2 === 0 ? -1e35 : 0, "loss above its start") : own;
  });
  const [, lecun, xavier] = summarize(plan, results(plan, numbers), 10_000).settings[0].arms;
  const others = numbers.filter(({ arm, seed }) => arm === "lecun" && seed > 0);
  const sum = others.reduce((total, { score }) => total + score, 0);
  expect(lecun.score.mean).toBeCloseTo((sum - 1) / 5, 9);
  expect(lecun.meanScore.mean).toBeGreaterThan(-1);
  expect(xavier.score).toMatchObject({ mean: 0, low: 0, high: 0 });
});

test("the target is no more than all, and no difference in steps is said where no trial reaches it", async () => {
  const { plan, trials } = await study({ he: 0.99, lecun: 0.99 });
  const stalled = trials.map((trial) => ({ ...trial, chance: 0.99 }));
  expect(summarize(plan, results(plan, stalled), 10_000).settings[0].target).toBe(1);
  const low = trials.map((trial) => ({ ...trial, points: trial.points.map((point) => ({ ...point, score: 0.5 })) }));
  const { stepsToTarget } = summarize(plan, results(plan, low), 10_000).comparisons[0].early[0];
  expect(stepsToTarget).toEqual({ difference: null, missed: 10, trials: 10 });
});

test("says what few or unequal test samples can tell, and only then", async () => {
  const { plan, trials } = await study({ he: 0.7, lecun: 0.75 });
  const kinds = (testCount: number, of = trials) =>
    summarize(plan, results(plan, of), testCount, 20).remarks.notes.map(({ kind }) => kind);
  expect(kinds(100_000)).not.toContain("test-samples");
  const { notes, remarks } = summarize(plan, results(plan, trials), 100, 20);
  // 1.96·√(0.7·0.3 / 100), of the arm's mean that is nearest to a half.
  expect(remarks.notes).toContainEqual({ kind: "test-samples", values: { samples: 100, margin: 9 } });
  expect(notes).toContainEqual(expect.stringMatching(/on the same 100 test samples: .* 9\.0 points higher or lower/));
  expect(kinds(100)).not.toContain("imbalanced");
  expect(
    kinds(
      100,
      trials.map((trial) => ({ ...trial, chance: 0.9 })),
    ),
  ).toContain("imbalanced");
  const numbers = { ...plan, task: "regression" as const, targets: ["y"] };
  const ofNumbers = summarize(numbers, results(numbers, trials), 100, 20).remarks.notes;
  expect(ofNumbers.filter(({ kind }) => ["test-samples", "imbalanced"].includes(kind))).toEqual([]);
});

test("of balanced accuracy, a test sample of the rarest class is the step, and rare classes make the margin wide", async () => {
  const { plan, trials } = await study({ he: 0.7, lecun: 0.7 }, { measure: "balanced-accuracy" });
  const sized = (classSizes: number[]) => {
    const own = trials.map((trial) => ({ ...trial, score: trial.arm === "he" ? 0.7 : 0.8, classSizes }));
    return summarize(plan, results(plan, own), 1000, 20);
  };
  const spread = (classSizes: number[]) => sized(classSizes).comparisons[0].arms[0].test?.standardDeviation;
  const margins = (classSizes: number[]) =>
    sized(classSizes).remarks.notes.flatMap(({ kind, values }) => (kind === "test-samples" ? [values] : []));
  expect(sized([990, 10]).measure).toBe("balanced-accuracy");
  expect(spread([990, 10])).toBeCloseTo(1 / 20 / Math.sqrt(6), 9);
  // 1.96 times the root of 0.7·0.3·(1/990 + 1/10) / 4.
  expect(margins([990, 10])).toEqual([{ samples: 1000, margin: 14.3 }]);
  // Of classes of equal sizes it is accuracy.
  expect(spread([500, 500])).toBeCloseTo(1 / 1000 / Math.sqrt(6), 9);
  expect(margins([500, 500])).toEqual([{ samples: 1000, margin: 2.8 }]);
});

test("says where a chosen learning rate is the last that was tried, and that the choice was made once", async () => {
  const plan = planOf(await armsOf("he", "lecun", "xavier"), { tune: true, learningRates: [0.1, 0.01, 0.001] });
  const chosen: Record<string, number> = { he: 0.1, lecun: 0.01, xavier: 0.1 };
  const trials = plan.arms.flatMap(({ name }) =>
    seedNoise.map((noise, seed) => {
      const trial = trialOf(plan, name, seed);
      return recordOf(plan, { ...trial, optimizer: { ...trial.optimizer, learningRate: chosen[name] } }, 0.7 + noise);
    }),
  );
  const { notes } = summarize(plan, results(plan, trials), 10_000, 20).remarks;
  expect(notes.filter(({ kind }) => /rate-at-edge|tuned-once/.test(kind))).toEqual([
    { kind: "rate-at-edge.largest", values: { setting: "all labels", arms: "he, xavier", rate: 0.1 } },
    { kind: "tuned-once", values: { seeds: 2, labels: 60 } },
  ]);
});

test("says where the baseline fails, and not where all arms do", async () => {
  const { plan, trials } = await study({ he: 0.7, lecun: 0.8 });
  const noted = (stalled: (trial: TrialRecord) => boolean) =>
    summarize(
      plan,
      results(
        plan,
        trials.map((trial) => (stalled(trial) ? { ...trial, stalled: true, diverged: "non-finite" as const } : trial)),
      ),
      100_000,
      20,
    ).remarks.notes.filter(({ kind }) => kind === "baseline-fails");
  expect(noted(({ arm, seed }) => arm === "he" && seed < 2)).toEqual([
    {
      kind: "baseline-fails",
      values: { setting: "all labels", baseline: "he", diverged: 2, stalled: 2, trials: 5 },
    },
  ]);
  expect(noted(({ arm }) => arm === "lecun")).toEqual([]);
  expect(noted(() => true)).toEqual([]);
});

test("says where supervised steps take away from a start that classifies already", async () => {
  const { plan, trials } = await study({ he: 0.7, "he+self-training": 0.7, lecun: 0.7 });
  // As much above its end before the first step, and a little more or less by seed.
  const startingAt = (drop: number, of = trials) =>
    of.map((trial) => {
      if (trial.arm !== "he+self-training") return trial;
      const [first, ...others] = trial.points;
      return { ...trial, points: [{ ...first, score: trial.score + drop + ownNoise[trial.seed] }, ...others] };
    });
  const noted = (own: TrialRecord[]) => {
    const { notes, remarks } = summarize(plan, results(plan, own), 10_000, 20);
    return remarks.notes.flatMap(({ kind, values }, index) => (kind === "steps-cost" ? [[values, notes[index]]] : []));
  };
  const values = { setting: "all labels", arm: "he+self-training", before: "73.2 %", after: "70.2 %", steps: 100 };
  expect(noted(startingAt(0.03))).toEqual([
    [
      values,
      expect.stringMatching(/has 73\.2 % before its first supervised step and 70\.2 % after 100: take its start/),
    ],
  ]);
  // The interval holds zero; two pairs decide nothing; a start at chance is nothing to keep.
  expect(noted(startingAt(0.0005))).toEqual([]);
  expect(noted(startingAt(0.03).filter(({ seed }) => seed < 2))).toEqual([]);
  const failed = trials.map((trial) => ({ ...trial, score: 0.09 }));
  expect(noted(startingAt(0.015, failed))).toEqual([]);
});

test("says how many pretrainings seeds share", async () => {
  const shared = async (pretrainingSeeds: number): Promise<string[]> => {
    const { plan, trials } = await study({ he: 0.7, default: 0.75 }, { pretrainingSeeds });
    const record: PretrainingRecord = {
      ...{ key: "k", network: "net", recipe: "default", seed: 0, steps: 1, samples: 1, seconds: 1 },
      ...{ metrics: {}, warnings: [] },
    };
    const { notes, remarks } = summarize(
      plan,
      results(plan, trials, { pretrainings: new Map([["k", record]]) }),
      10_000,
    );
    return notes.filter((_, index) => remarks.notes[index].kind === "shared-pretrainings");
  };
  expect(await shared(1)).toEqual([expect.stringContaining("5 seeds share 1 pretraining of each recipe: ")]);
  expect(await shared(2)).toEqual([expect.stringContaining("5 seeds share 2 pretrainings of each recipe: ")]);
  expect(await shared(5)).toEqual([]);
});

test("says that nobody knows what given weights have seen", async () => {
  const { plan, trials } = await study({ he: 0.7, "weights:mine.safetensors": 0.75, file: 0.7 });
  const { notes } = summarize(plan, results(plan, trials), 10_000, 20).remarks;
  expect(notes.filter(({ kind }) => kind === "foreign-weights").map(({ values }) => values.arm)).toEqual([
    "weights:mine.safetensors",
    "file",
  ]);
});

test("equal differences are no surer than the test samples' number and the settings allow", async () => {
  const plan = planOf(await armsOf("he", "lecun"), { seeds: 3, labels: ["100", "all"] });
  // By ten points in every seed, after the last step only.
  const trials = plan.labels.flatMap((labels) =>
    plan.arms.flatMap(({ name }) =>
      [0, 1, 2].map((seed) => {
        const record = recordOf(plan, { ...trialOf(plan, name, seed), labels }, 0.7);
        if (name === "he") return record;
        return {
          ...record,
          score: 0.8,
          points: record.points.map((point) => ({ ...point, score: point.score + 0.1 })),
        };
      }),
    ),
  );
  const compared = (of: StudyPlan, testCount: number) => {
    const own = trials.filter(({ labels }) => of.labels.includes(labels));
    const [{ arms, early }] = summarize(of, results(of, own), testCount, 20).comparisons;
    return { spread: arms[0].test?.standardDeviation, early: early[0].test?.standardDeviation, arm: arms[0] };
  };
  const one = { ...plan, labels: ["all"] };
  const coarse = compared(one, 10);
  // Of each of two scores, a rounding variance of a twelfth of the squared step: pairedT's floor.
  expect(coarse.spread).toBeCloseTo(0.1 / Math.sqrt(6), 9);
  expect(coarse.early).toBeCloseTo(meanResolution(trials[0].points, plan.steps, 0.1) / Math.sqrt(6), 9);
  expect(coarse.early).toBeLessThan(0.1 / Math.sqrt(6));
  expect(coarse.arm.verdict.verdict).toBe("unclear");
  expect(compared(plan, 10).spread).toBeCloseTo(0.1 / Math.sqrt(6) / Math.sqrt(2), 9);
  const fine = compared(one, 1000);
  expect(fine.spread).toBeCloseTo(0.001 / Math.sqrt(6), 9);
  expect(fine.arm.verdict.verdict).toBe("helps");
  // R² moves without steps.
  expect(compared({ ...one, task: "regression", targets: ["y"] }, 10).spread).toBeCloseTo(0, 9);
});

test("without pretraining equal time has the verdicts of equal steps", async () => {
  const { plan, trials } = await study({ he: 0.7, lecun: 0.71, xavier: 0.705 });
  const [steps, time] = summarize(plan, results(plan, trials), 10_000).comparisons;
  expect(time.arms).toEqual(steps.arms);
});

test("an arm with time left stops where training on would do harm", async () => {
  const plan = planOf(await armsOf("he", "default"), { seeds: 3 });
  const trials = plan.arms.flatMap(({ name }) =>
    [0, 1, 2].map((seed) => {
      const record = recordOf(plan, trialOf(plan, name, seed), 0.84 + seed / 1000);
      const later = { step: 500, score: 0.8, loss: 0.1, testLoss: 1 };
      return name === "he" ? { ...record, points: [...record.points, later] } : record;
    }),
  );
  const pretrainings = new Map(
    [0, 1, 2].map((seed) => {
      const key = pretrainingKey(plan, "net", plan.arms[1], seed);
      const record = { key, network: "net", recipe: "default", seed, steps: 1, samples: 8, seconds: 4 };
      return [key, { ...record, metrics: {}, warnings: [] }];
    }),
  );
  const timing = { secondsPerStep: { [timingName(plan, "net", plan.optimizers[0])]: 0.01 } };
  const { settings, comparisons } = summarize(plan, { trials, planned: 6, pretrainings, timing, tuned: {} }, 1000);
  const [he, pretrained] = settings[0].arms;
  expect(he).toMatchObject({ timeSteps: 500, timeStop: 100, scoreAtEqualTime: he.score });
  expect(pretrained).toMatchObject({ timeSteps: 100, timeStop: 100 });
  // Trained to the end, he would have fallen behind by four points.
  expect(comparisons[1].arms[0].verdict.verdict).toBe("no difference shown");

  // Where it is best lies between, and was not measured by the first of the trials, which had nothing to train on from.
  const between = trials.map((trial) => {
    if (trial.arm !== "he") return trial;
    if (trial.seed === 0) return { ...trial, points: trial.points.filter(({ step }) => step <= 100) };
    return {
      ...trial,
      points: [...trial.points.slice(0, -1), { step: 200, score: 0.9, loss: 0.1 }, ...trial.points.slice(-1)],
    };
  });
  const best = summarize(plan, { trials: between, planned: 6, pretrainings, timing, tuned: {} }, 1000).settings[0]
    .arms[0];
  expect(best.timeStop).toBe(200);
});
