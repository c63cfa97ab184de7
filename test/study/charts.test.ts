import { expect, test } from "vitest";
import { studyCharts } from "../../src/study/charts.js";
import { shortened } from "../../src/study/plot-svg.js";
import { summarize } from "../../src/study/summary.js";
import { armsOf, planOf, recordOf, trialOf } from "../support/study-plan.js";

test("names of arms have room beside the charts, paths of files cut in their middle", async () => {
  const path = `weights:/data/${"runs/".repeat(12)}weights.safetensors`;
  const names = ["he", "orthogonal+calibrated+linear-discriminant", path];
  const plan = planOf(await armsOf(...names), { seeds: 3 });
  const trials = names.flatMap((name, place) =>
    [0, 1, 2].map((seed) => recordOf(plan, trialOf(plan, name, seed), 0.5 + place / 50 + seed / 100)),
  );
  const results = { trials, planned: 9, pretrainings: new Map(), timing: { secondsPerStep: {} }, tuned: {} };
  const charts = studyCharts(plan, summarize(plan, results, 10_000));
  for (const { name, svg } of charts) {
    expect(svg, name).not.toContain(path);
    expect(svg, name).toContain(">orthogonal+calibrated+linear-discriminant</text>");
    expect(svg, name).toContain(`>${shortened(path)}</text>`);
  }
  // The axis begins behind the longest of the names.
  const cost = charts.find(({ name }) => name === "cost")?.svg ?? "";
  const axis = /y-axis tick label".*?translate\(([\d.]+),/.exec(cost)?.[1];
  expect(Number(axis)).toBeGreaterThan(6 * 41);
});

test("a row is as high in a chart of one arm as in others", async () => {
  const heightWith = async (names: string[]): Promise<number> => {
    const plan = planOf(await armsOf("he", ...names), { seeds: 3 });
    const trials = plan.arms.flatMap(({ name }, place) =>
      [0, 1, 2].map((seed) => recordOf(plan, trialOf(plan, name, seed), 0.5 + place / 50 + seed / 100)),
    );
    const results = { trials, planned: 9, pretrainings: new Map(), timing: { secondsPerStep: {} }, tuned: {} };
    const charts = studyCharts(plan, summarize(plan, results, 10_000));
    return Number(/ height="(\d+)"/.exec(charts.find(({ name }) => name === "differences-1")?.svg ?? "")?.[1]);
  };
  const one = await heightWith(["lecun"]);
  expect(await heightWith(["lecun", "xavier"])).toBe(one + 26);
  // Margins take 64.
  expect(one).toBe(64 + 26);
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
