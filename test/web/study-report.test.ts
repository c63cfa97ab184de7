import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type StudyPlan, settingsOf, trialKey } from "../../src/study/plan.js";
import type { TrialRecord } from "../../src/study/records.js";
import { summarize } from "../../src/study/summary.js";
import type { StudySelection } from "../../src/web/protocol.js";
import { StudyReports } from "../../src/web/study-report.js";
import { armsOf, planOf, recordOf, trialOf } from "../support/study-plan.js";
import { lines, temporaryFolder } from "./lab-folder.js";

const noise = [0.03, -0.02, 0.01];

/** A plan of two arms and four settings, lecun better than he with 300 labels only, and its 24 trials. */
async function study(changes: Partial<StudyPlan> = {}) {
  const plan = planOf(await armsOf("he", "lecun"), {
    labels: ["300", "all"],
    learningRates: [0.001, 0.01],
    seeds: 3,
    ...changes,
  });
  const trials = noise.flatMap((wave, seed) =>
    settingsOf(plan).flatMap(({ network, labels, optimizer, learningRate }) =>
      plan.arms.map(({ name: arm }) => {
        const rate = learningRate === "tuned" ? 0.001 : learningRate;
        const trial = {
          network,
          arm,
          labels,
          optimizer: { ...optimizer, learningRate: rate },
          seed,
          purpose: "test" as const,
        };
        const better = arm === "lecun" && labels === "300" ? 0.1 + 0.001 * seed : 0;
        return recordOf(plan, trial, 0.6 + wave + better);
      }),
    ),
  );
  const folder = await temporaryFolder();
  const write = async (count: number): Promise<void> => {
    await writeFile(join(folder, "study.json"), JSON.stringify({ plan, testSamples: 1000 }));
    await writeFile(join(folder, "trials.jsonl"), lines(trials.slice(0, count)));
  };
  const finish = async (): Promise<void> => {
    const results = { trials, planned: 24, pretrainings: new Map(), timing: { secondsPerStep: {} }, tuned: {} };
    await writeFile(join(folder, "summary.json"), JSON.stringify(summarize(plan, results, 1000)));
  };
  const reports = new StudyReports();
  const read = (selection: StudySelection = {}) => reports.read(folder, "study", selection);
  return { folder, plan, write, finish, read };
}

const words = ({ summary }: Awaited<ReturnType<StudyReports["read"]>>) =>
  summary?.comparisons[0].arms.map(({ name, verdict }) => [name, verdict.verdict]);

describe("StudyReports", () => {
  test("judges the trials that have finished, and says that this is provisional until the summary is of them all", async () => {
    const { write, finish, read } = await study();
    await write(0);
    expect(await read()).toMatchObject({ provisional: true, trials: 0, planned: 24, summary: null, problems: [] });
    await write(16);
    const half = await read();
    expect(half).toMatchObject({ provisional: true, trials: 16, planned: 24 });
    expect(words(half)).toEqual([["lecun", "unclear"]]);
    expect(half.summary?.comparisons[0].arms[0].verdict.grounds).toEqual([
      { kind: "few-pairs", pairs: 2, required: 3 },
    ]);
    await write(24);
    expect(await read()).toMatchObject({ provisional: true, trials: 24 });
    await finish();
    const done = await read();
    expect(done).toMatchObject({ provisional: false, trials: 24, planned: 24 });
    expect(words(done)).toEqual([["lecun", "helps"]]);
  });

  test("of a trial that was made again, the later record counts", async () => {
    const { folder, plan, write, read } = await study({ labels: ["300"], learningRates: [0.001] });
    await write(6);
    const again = recordOf(plan, trialOf(plan, "he", 0), 0.9, {
      key: trialKey(plan, { ...trialOf(plan, "he", 0), optimizer: { ...plan.optimizers[0], learningRate: 0.001 } }),
    });
    const before = await read();
    await appendFile(join(folder, "trials.jsonl"), lines([again]));
    const after = await read();
    expect(after).toMatchObject({ trials: 6, planned: 6 });
    const mean = ({ summary }: typeof after) => summary?.settings[0].arms[0].score.mean ?? 0;
    expect(mean(after) - mean(before)).toBeCloseTo((0.9 - 0.63) / 3, 9);
  });

  test("an enlarged study's summary is not final any more", async () => {
    const { folder, plan, write, finish, read } = await study();
    await write(24);
    await finish();
    await writeFile(join(folder, "study.json"), JSON.stringify({ plan: { ...plan, seeds: 5 }, testSamples: 1000 }));
    expect(await read()).toMatchObject({ provisional: true, trials: 24, planned: 40 });
  });

  test("a summary by another measure than the plan's is not shown for it", async () => {
    const { folder, plan, write, finish, read } = await study();
    await write(24);
    await finish();
    const balanced = { ...plan, measure: "balanced-accuracy" };
    await writeFile(join(folder, "study.json"), JSON.stringify({ plan: balanced, testSamples: 1000 }));
    // None of these trials was measured so.
    expect(await read()).toMatchObject({ provisional: true, trials: 0, planned: 24, summary: null });
    const path = join(folder, "trials.jsonl");
    const measured = (await readFile(path, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as TrialRecord)
      .map((trial) => ({
        ...trial,
        points: trial.points.map((point) => ({ ...point, balancedAccuracy: 0.25 })),
        classSizes: [900, 50, 50],
      }));
    await writeFile(path, lines(measured));
    const report = await read();
    expect(report).toMatchObject({ provisional: true, trials: 24 });
    expect(report.summary?.settings[0].arms[0].score.mean).toBeCloseTo(0.25, 12);
  });

  test("judges the chosen settings alone", async () => {
    const { write, finish, read } = await study();
    await write(24);
    await finish();
    const few = await read({ labels: "300" });
    expect(few).toMatchObject({ provisional: false, trials: 12, planned: 12 });
    expect(words(few)).toEqual([["lecun", "helps"]]);
    const all = await read({ labels: "all", learningRate: "0.01" });
    expect(all).toMatchObject({ trials: 6, planned: 6 });
    expect(words(all)).toEqual([["lecun", "no difference shown"]]);
    expect(all.summary?.settings.map(({ setting }) => [setting.labels, setting.learningRate])).toEqual([["all", 0.01]]);
    expect(await read({ labels: "17" })).toMatchObject({ trials: 0, planned: 0, summary: null });
  });

  test("a study that tunes its rates has no verdicts before they are chosen", async () => {
    const { write, read } = await study({ tune: true });
    await write(12);
    expect(await read()).toMatchObject({ provisional: true, trials: 0, planned: 12, summary: null });
  });

  test("a plan of another version is a problem that has a name", async () => {
    const { folder, write, read } = await study();
    await write(4);
    await writeFile(join(folder, "study.json"), JSON.stringify({ plan: { networks: 3 }, testSamples: 1000 }));
    const { summary, problems } = await read();
    expect(summary).toBeNull();
    expect(problems).toEqual([{ path: "study/study.json", reason: expect.any(String) }]);
  });
});
