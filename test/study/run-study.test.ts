import { join } from "node:path";
import { expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.js";
import { fullExtension, preparationSeconds, selfTrainingName, timingName } from "../../src/study/equal-time.js";
import { studyOptimizer } from "../../src/study/optimizer.js";
import { type StudyPlan, selfTrained, settingsOf } from "../../src/study/plan.js";
import { type Executor, type Job, type JobResult, runStudy } from "../../src/study/run-study.js";
import { StudyFolder } from "../../src/study/study-folder.js";
import { resultsSoFar } from "../../src/study/study-results.js";
import { armsOf, planOf, recordOf, trialOf } from "../support/study-plan.js";
import { temporaryFolder } from "../support/temporary-folder.js";

/** Does jobs by making their results up, and remembers them. */
function inventor(
  plan: StudyPlan,
  folder: StudyFolder,
  accuracy: (job: Extract<Job, { kind: "trial" }>) => number = () => 0.5,
) {
  const jobs: Job[] = [];
  let running = 0;
  const state = { most: 0, jobs };
  const executor: Executor = {
    workers: 2,
    usePlan: async () => {},
    close: async () => {},
    async run(job, onProgress): Promise<JobResult> {
      jobs.push(job);
      state.most = Math.max(state.most, ++running);
      onProgress(1, 2);
      await Promise.resolve();
      running--;
      if (job.kind === "timing") {
        const selfTrainingSeconds = plan.arms.some(selfTrained) ? { selfTrainingSeconds: 0.5 } : {};
        return { kind: "timing", secondsPerStep: 0.01, secondsPerEvaluation: 0.1, ...selfTrainingSeconds };
      }
      if (job.kind === "trial") return { kind: "trial", record: madeBy(plan, job, accuracy(job)) };
      const record = {
        key: job.key,
        network: job.network,
        recipe: job.arm,
        seed: job.seed,
        steps: 5,
        samples: 50,
        seconds: 2,
        metrics: {},
        warnings: [],
      };
      await folder.writeJson(join("pretraining", `${job.key}.json`), record);
      return { kind: "pretraining", record };
    },
  };
  return { executor, state };
}

/** The record of a trial's job, measured at the end of its extension too. */
function madeBy(plan: StudyPlan, { trial, extension }: Extract<Job, { kind: "trial" }>, score: number) {
  const record = recordOf(plan, trial, score);
  if (extension === 0) return record;
  const step = plan.steps + extension;
  return { ...record, stepsMade: step, points: [...record.points, { step, score, loss: 0.1, testLoss: 0.1 }] };
}

const kinds = (jobs: readonly Job[]) => {
  const counts: Record<string, number> = {};
  for (const { kind } of jobs) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
};

test("runs everything once, several at a time, and then only what is new", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const plan = planOf(await armsOf("he", "default", "default+raw"), { seeds: 2 });
  const first = inventor(plan, folder);
  const results = await runStudy({ plan, folder, executor: first.executor });
  expect(kinds(first.state.jobs)).toEqual({ pretraining: 2, timing: 1, trial: 6 });
  expect(first.state.most).toBe(2);
  expect(results.trials).toHaveLength(6);
  // 2 s of pretraining are 200 steps, within four times the 100; what was pretrained has none to catch up with.
  const extensions = first.state.jobs.flatMap((job) => (job.kind === "trial" ? [[job.trial.arm, job.extension]] : []));
  expect(Object.fromEntries(extensions)).toEqual({ he: 200, default: 0, "default+raw": 0 });

  const again = inventor(plan, folder);
  expect((await runStudy({ plan, folder, executor: again.executor })).trials).toEqual(results.trials);
  expect(again.state.jobs).toEqual([]);

  const larger = planOf(await armsOf("he", "default", "lecun"), { seeds: 3 });
  const more = inventor(larger, folder);
  expect((await runStudy({ plan: larger, folder, executor: more.executor })).trials).toHaveLength(9);
  expect(kinds(more.state.jobs)).toEqual({ pretraining: 1, trial: 5 });
});

test("a job without steps, such as a recipe's that trains nothing, counts once it is done", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const plan = planOf(await armsOf("he", "default"), { seeds: 1 });
  const { executor } = inventor(plan, folder);
  const done: number[] = [];
  await runStudy({
    plan,
    folder,
    executor: {
      ...executor,
      async run(job, onProgress) {
        if (job.kind === "pretraining") onProgress(0, 0);
        return executor.run(job, job.kind === "pretraining" ? () => {} : onProgress);
      },
    },
    onEvent: (event) => {
      if (event.type === "progress" && event.stage === "pretraining") done.push(event.done);
    },
  });
  expect(done).toEqual([0, 1]);
});

const longestOf = ({ points }: { points: readonly { step: number }[] }) => points[points.length - 1].step;

test("arms that are added later give the others the time that they would have had at once", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const alone = planOf(await armsOf("he"), { seeds: 2 });
  const first = await runStudy({ plan: alone, folder, executor: inventor(alone, folder).executor });
  expect(first.trials.map(longestOf)).toEqual([100, 100]);

  const larger = planOf(await armsOf("he", "default"), { seeds: 2 });
  const more = inventor(larger, folder);
  const results = await runStudy({ plan: larger, folder, executor: more.executor });
  expect(kinds(more.state.jobs)).toEqual({ pretraining: 2, timing: 1, trial: 4 });
  expect(results.trials.map((trial) => [trial.arm, longestOf(trial)])).toEqual([
    ["he", 300],
    ["default", 100],
    ["he", 300],
    ["default", 100],
  ]);
  // Each of them again, once: the longer record stands behind the shorter one, and counts.
  const again = inventor(larger, folder);
  expect((await runStudy({ plan: larger, folder, executor: again.executor })).trials).toEqual(results.trials);
  expect(again.state.jobs).toEqual([]);
  const back = inventor(alone, folder);
  expect((await runStudy({ plan: alone, folder, executor: back.executor })).trials.map(longestOf)).toEqual([300, 300]);
  expect(back.state.jobs).toEqual([]);
});

test("a trial that is too short for equal total time is not finished, unless it has nothing to train on from", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const plan = planOf(await armsOf("he", "default"), { seeds: 1 });
  const { timing, pretrainings } = await runStudy({ plan, folder, executor: inventor(plan, folder).executor });
  // 300 steps are due; the mean of the seconds may move by a tenth.
  for (const [diverged, last, counts] of [
    [null, 100, false],
    ["loss above its start", 100, false],
    ["non-finite", 100, true],
    ["pretraining", 100, true],
    [null, 269, false],
    [null, 270, true],
  ] as const) {
    const record = recordOf(plan, trialOf(plan, "he", 0), 0.5, { diverged });
    const points = [...record.points, { step: last, score: 0.5, loss: null }];
    const trials = new Map([[record.key, { ...record, points }]]);
    expect(resultsSoFar(plan, trials, pretrainings, timing).trials, `${diverged}, ${last}`).toHaveLength(+counts);
  }
});

test("steps for equal total time end at the limit", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  // 200 steps would fit into the seconds of pretraining.
  const plan = planOf(await armsOf("he", "default"), { seeds: 1, longestExtension: 1.5 });
  const results = await runStudy({ plan, folder, executor: inventor(plan, folder).executor });
  expect(results.trials.map(longestOf)).toEqual([250, 100]);
  const [{ network, arm, optimizer }] = results.trials;
  expect(fullExtension(plan, { network, arm, optimizer }, results.pretrainings, results.timing)).toBe(200);
});

test("counts self-training as time that others have left", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const plan = planOf(await armsOf("he", "he+self-training", "default", "default+self-training"), { seeds: 1 });
  const { executor, state } = inventor(plan, folder);
  const { timing, pretrainings } = await runStudy({ plan, folder, executor });
  const extensions = state.jobs.flatMap((job) => (job.kind === "trial" ? [[job.trial.arm, job.extension]] : []));
  // 2 s of pretraining and half a second of self-training, at 100 steps a second.
  const expected = { he: 250, "he+self-training": 200, default: 50, "default+self-training": 0 };
  expect(Object.fromEntries(extensions)).toEqual(expected);
  const { name } = plan.networks[0];
  const seconds = plan.arms.map((arm) => preparationSeconds(plan, name, arm.name, pretrainings, timing));
  expect(seconds).toEqual([0, 0.5, 2, 2.5]);
  // Where nothing is extended, the time is told all the same.
  const short = planOf(await armsOf("he", "he+self-training"), { seeds: 1, longestExtension: 0 });
  const other = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const results = await runStudy({ plan: short, folder: other, executor: inventor(short, other).executor });
  expect(preparationSeconds(short, name, "he+self-training", results.pretrainings, results.timing)).toBe(0.5);
  // Other steps take another time, which is measured once.
  const longer = { ...short, selfTrainingSteps: 9 };
  for (const [again, timings] of [
    [longer, 1],
    [longer, 0],
    [short, 0],
  ] as const) {
    const { executor: next, state: made } = inventor(again, other);
    const { timing: of } = await runStudy({ plan: again, folder: other, executor: next });
    expect(made.jobs.filter(({ kind }) => kind === "timing")).toHaveLength(timings);
    expect(preparationSeconds(again, name, "he+self-training", results.pretrainings, of)).toBe(0.5);
  }
});

test("measures a step anew for whatever it depends on, and for nothing else", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const arms = await armsOf("he+self-training", "default");
  const plan = planOf(arms, { seeds: 1 });
  const timings = async (changes: Partial<StudyPlan>): Promise<number> => {
    const changed = { ...plan, ...changes };
    const { executor, state } = inventor(changed, folder);
    const { timing } = await runStudy({ plan: changed, folder, executor });
    const names = settingsOf(changed).map(({ network, optimizer }) => timingName(changed, network, optimizer));
    for (const name of names) expect(timing.secondsPerStep).toHaveProperty([name], 0.01);
    return state.jobs.filter(({ kind }) => kind === "timing").length;
  };
  expect(await timings({ optimizers: [studyOptimizer("adam"), studyOptimizer("sgd")] })).toBe(2);
  const other = { ...studyOptimizer("adam"), learningRate: 0.5 };
  expect(await timings({ labels: ["10"], steps: 50, learningRates: [0.1, 0.2], optimizers: [other] })).toBe(0);
  for (const change of [
    { batchSize: 4096 },
    { device: "webgpu" as const },
    { features: "x" },
    { headstart: "0.0.1" },
    { networks: [{ ...plan.networks[0], hash: "x" }] },
    { optimizers: [{ ...plan.optimizers[0], kind: "adamw" as const }] },
  ]) {
    expect(await timings(change), JSON.stringify(change)).toBe(1);
    const changed = { ...plan, ...change };
    expect(timingName(changed, "net", changed.optimizers[0])).not.toBe(timingName(plan, "net", plan.optimizers[0]));
  }
  const selfTrainings = [
    plan,
    { ...plan, selfTrainingSteps: 9 },
    { ...plan, device: "webgpu" as const },
    { ...plan, networks: [{ ...plan.networks[0], hash: "x" }] },
  ].map((of) => selfTrainingName(of, "net"));
  expect(new Set(selfTrainings).size).toBe(4);
  expect(selfTrainingName({ ...plan, batchSize: 9 }, "net")).toBe(selfTrainings[0]);
});

test("an interrupted study keeps what is finished", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const plan = planOf(await armsOf("he", "lecun"), { seeds: 4 });
  const controller = new AbortController();
  const { executor } = inventor(plan, folder);
  let done = 0;
  const running = runStudy({
    plan,
    folder,
    executor,
    signal: controller.signal,
    onEvent: (event) => event.type === "trial" && ++done === 3 && controller.abort(),
  });
  await expect(running).rejects.toThrow(InterruptedError);
  const kept = (await folder.readTrials()).size;
  expect(kept).toBeGreaterThanOrEqual(3);
  expect(kept).toBeLessThan(8);
  const rest = inventor(plan, folder);
  expect((await runStudy({ plan, folder, executor: rest.executor })).trials).toHaveLength(8);
  expect(rest.state.jobs).toHaveLength(8 - kept);
});

test("a deadline ends with whole trials and says how many were planned", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const plan = planOf(await armsOf("he", "lecun"), { seeds: 4 });
  const results = await runStudy({ plan, folder, executor: inventor(plan, folder).executor, deadline: 0 });
  expect(results).toMatchObject({ trials: [], planned: 8 });
});

test("the seeds that a verdict takes have longer", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const plan = planOf(await armsOf("he", "lecun"), { seeds: 5 });
  const { executor } = inventor(plan, folder);
  const late = await runStudy({ plan, folder, executor, deadline: 0, lastDeadline: Number.POSITIVE_INFINITY });
  expect(late.trials.map(({ seed }) => seed)).toEqual([0, 0, 1, 1, 2, 2]);
  // Rates are chosen all the same: a choice from some of its trials would be another.
  const tuned = { ...plan, tune: true, learningRates: [0.1, 0.01] };
  const choosing = inventor(tuned, folder);
  await runStudy({ plan: tuned, folder, executor: choosing.executor, deadline: 0, lastDeadline: 0 });
  expect(choosing.state.jobs.filter((job) => job.kind === "trial" && job.trial.purpose === "tuning")).toHaveLength(8);
});

test("tunes each arm's rate with the same trials, never on test data", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const plan = planOf(await armsOf("he", "lecun"), { seeds: 3, tune: true, learningRates: [0.1, 0.01, 0.001] });
  const best: Record<string, number> = { he: 0.1, lecun: 0.001 };
  const { executor, state } = inventor(plan, folder, ({ trial }) =>
    trial.optimizer.learningRate === best[trial.arm] ? 0.9 : 0.2,
  );
  const results = await runStudy({ plan, folder, executor });
  const trials = state.jobs.flatMap((job) => (job.kind === "trial" ? [job.trial] : []));
  const tuning = trials.filter(({ purpose }) => purpose === "tuning");
  for (const arm of ["he", "lecun"]) expect(tuning.filter((trial) => trial.arm === arm)).toHaveLength(6);
  expect(results.trials).toHaveLength(6);
  for (const { arm, purpose, optimizer } of results.trials)
    expect([purpose, optimizer.learningRate]).toEqual(["test", best[arm]]);
});

test("trials that were judged by accuracy are judged by balanced accuracy without running again", async () => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const plan = planOf(await armsOf("he", "lecun"), { seeds: 2, tune: true, learningRates: [0.1, 0.01] });
  const balanced: StudyPlan = { ...plan, measure: "balanced-accuracy" };
  /** By accuracy the larger rate is the better one, by balanced accuracy the smaller. */
  const measuring = (own: StudyPlan) => {
    const { executor, state } = inventor(own, folder, ({ trial }) => 0.9 + trial.optimizer.learningRate / 10);
    const run: Executor["run"] = async (job, onProgress) => {
      const result = await executor.run(job, onProgress);
      if (result.kind !== "trial") return result;
      const points = result.record.points.map((point) => ({ ...point, balancedAccuracy: 1.5 - point.score }));
      return { kind: "trial", record: { ...result.record, points, classSizes: [9, 1] } };
    };
    return { executor: { ...executor, run }, state };
  };
  const first = measuring(plan);
  const byAccuracy = await runStudy({ plan, folder, executor: first.executor });
  expect(kinds(first.state.jobs)).toEqual({ trial: 12 });
  expect(byAccuracy.trials.map(({ score }) => score)).toEqual([0.91, 0.91, 0.91, 0.91]);

  const second = measuring(balanced);
  const scores: number[] = [];
  const byBalance = await runStudy({
    plan: balanced,
    folder,
    executor: second.executor,
    onEvent: (event) => event.type === "trial" && scores.push(event.record.score),
  });
  // Other rates are chosen, by the same tuning trials.
  expect(second.state.jobs.map((job) => job.kind === "trial" && job.trial.purpose)).toEqual(Array(4).fill("test"));
  expect(byBalance.trials.map(({ optimizer }) => optimizer.learningRate)).toEqual(Array(4).fill(0.01));
  for (const { score, chance } of byBalance.trials) expect([score, chance]).toEqual([expect.closeTo(0.599, 9), 0.5]);
  expect(scores).toEqual(byBalance.trials.map(({ score }) => score));
  expect(resultsSoFar(balanced, await folder.readTrials(), new Map(), byBalance.timing)).toEqual(byBalance);

  const back = measuring(plan);
  expect((await runStudy({ plan, folder, executor: back.executor })).trials).toEqual(byAccuracy.trials);
  expect(back.state.jobs).toEqual([]);
  // What an earlier version measured knows no balanced accuracy: it is made again.
  const old = await StudyFolder.open(join(temporaryFolder(), "old"), false);
  await runStudy({ plan, folder: old, executor: inventor(plan, old).executor });
  const again = measuring(balanced);
  expect((await runStudy({ plan: balanced, folder: old, executor: again.executor })).trials).toHaveLength(4);
  expect(kinds(again.state.jobs)).toEqual({ trial: 12 });
});

test.each([false, true])("a study's files alone give what its run gives, tuned: %s", async (tune) => {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const plan = planOf(await armsOf("he", "default"), { seeds: 2, learningRates: [0.001, 0.1], tune });
  const { executor } = inventor(plan, folder, ({ trial }) => 0.5 + trial.optimizer.learningRate);
  const results = await runStudy({ plan, folder, executor });
  const trials = await folder.readTrials();
  const { pretrainings, timing } = results;
  expect(resultsSoFar(plan, trials, pretrainings, timing)).toEqual(results);
  const last = results.trials.at(-1)?.key ?? "";
  trials.delete(last);
  const fewer = resultsSoFar(plan, trials, pretrainings, timing);
  expect(fewer.planned).toBe(results.planned);
  expect(fewer.trials).toEqual(results.trials.slice(0, -1));
});
