import { expect, test } from "vitest";
import { seedsToTune, settingsOf, tuningSeedsOf } from "../../src/study/plan.js";
import type { TrialRecord } from "../../src/study/records.js";
import { bestRates, tuningName, tuningOf } from "../../src/study/tuning.js";
import { armsOf, planOf, recordOf } from "../support/study-plan.js";

test("an arm's rate is that of the highest sum over the tuning seeds, of equals the smallest", async () => {
  const plan = planOf(await armsOf("he", "lecun"), { tune: true, seeds: 5, learningRates: [0.1, 0.001, 0.01] });
  const settings = settingsOf(plan);
  const candidates = tuningOf(plan, settings);
  const scores: Record<string, Record<number, readonly number[]>> = {
    // The best single trial is at 0.1, the best of two at 0.01.
    he: { 0.1: [0.9, 0.1], 0.01: [0.6, 0.6], 0.001: [0.5, 0.5] },
    lecun: { 0.1: [0.5, 0.7], 0.01: [0.6, 0.6], 0.001: [0.3, 0.8] },
  };
  const trials = candidates.flatMap(({ rates }) =>
    rates.flatMap(({ keys }) =>
      keys.map(({ trial, key }): [string, TrialRecord] => [
        key,
        recordOf(plan, trial, scores[trial.arm][trial.optimizer.learningRate][trial.seed]),
      ]),
    ),
  );
  // Two of the five seeds, at three rates, of two arms: each by trials of its own that see no test data.
  expect(new Map(trials).size).toBe(12);
  expect(trials.every(([, { purpose }]) => purpose === "tuning")).toBe(true);
  expect(bestRates(candidates, new Map(trials))).toEqual({
    [tuningName(settings[0], "he")]: 0.01,
    [tuningName(settings[0], "lecun")]: 0.01,
  });
});

test("more seeds choose where labels are few, but no more than there are", async () => {
  expect([1000, 250, 249, 120, 100, 2].map(seedsToTune)).toEqual([2, 2, 3, 5, 5, 5]);
  const plan = planOf(await armsOf("he"), { tune: true, seeds: 3, learningRates: [0.1, 0.01] });
  // As plans of earlier versions have it.
  expect(tuningSeedsOf(plan)).toEqual([0, 1]);
  expect(tuningSeedsOf({ ...plan, tuningSeeds: 5 })).toEqual([0, 1, 2]);
  const [{ rates }] = tuningOf({ ...plan, tuningSeeds: 5 }, settingsOf(plan));
  expect(rates.map(({ keys }) => keys.map(({ trial }) => trial.seed))).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ]);
});
