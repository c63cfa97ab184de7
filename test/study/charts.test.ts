import { expect, test } from "vitest";
import { logTicks, studyCharts } from "../../src/study/charts.js";
import { summarize } from "../../src/study/summary.js";
import { armsOf, planOf, recordOf, trialOf } from "../support/study-plan.js";

test.each([
  ["a few powers of ten", [0.004, 2.6], [0.01, 0.1, 1]],
  ["a decade", [0.02, 0.3], [0.02, 0.05, 0.1, 0.2]],
  ["close values", [0.998, 1.33], [1, 1.1, 1.2, 1.3]],
  ["closer ones", [1.301, 1.339], [1.31, 1.32, 1.33]],
  ["one value", [0.5, 0.5], [0.5]],
])("ticks of a logarithmic axis over %s", (_, values, ticks) => {
  expect(logTicks(values)).toEqual(ticks);
});

test("a dozen arms have a colour each", async () => {
  const names = ["he", "lecun", "xavier", "orthogonal"].flatMap((name) => [
    name,
    `${name}+calibrated`,
    `${name}+zero-head`,
  ]);
  const plan = planOf(await armsOf(...names), { seeds: 3 });
  const trials = names.flatMap((name, place) =>
    [0, 1, 2].map((seed) => recordOf(plan, trialOf(plan, name, seed), 0.5 + place / 50 + seed / 100)),
  );
  const results = { trials, planned: 36, pretrainings: new Map(), timing: { secondsPerStep: {} }, tuned: {} };
  const chart = studyCharts(plan, summarize(plan, results, 10_000)).find(({ name }) => name === "accuracy");
  expect(new Set(chart?.svg.match(/#[0-9a-f]{6}/g)).size).toBeGreaterThanOrEqual(12);
});
