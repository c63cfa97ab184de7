import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { studyCharts } from "../../src/study/charts.js";
import type { StudyPlan } from "../../src/study/plan.js";
import { writeReport } from "../../src/study/report.js";
import { StudyFolder } from "../../src/study/study-folder.js";
import { summarize } from "../../src/study/summary.js";
import { armsOf, planOf, recordOf, trialOf } from "../support/study-plan.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const origin = {
  headstart: "0",
  command: "headstart compare '<script>alert(1)</script>'",
  environment: { node: "v20" },
  workers: 2,
  files: { model: "a.onnx", unlabelled: null },
};

async function study(arms = ["he", "lecun"]) {
  const plan = planOf(await armsOf(...arms), { seeds: 3, labels: ["100", "all"] });
  const trials = plan.arms.flatMap(({ name }, place) =>
    [0, 1, 2].flatMap((seed) =>
      plan.labels.map((labels) =>
        recordOf(plan, { ...trialOf(plan, name, seed), labels }, 0.5 + place / 10 + seed / 100, {
          labelsUsed: labels === "all" ? 1000 : 100,
        }),
      ),
    ),
  );
  const results = {
    trials,
    planned: trials.length,
    pretrainings: new Map(),
    timing: { secondsPerStep: {} },
    tuned: {},
  };
  return { plan, results, summary: summarize(plan, results, 1000) };
}

test("writes one page that loads nothing, and the charts beside it", async () => {
  const { plan, results, summary } = await study();
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  await writeReport(folder, plan, summary, results, origin);
  const html = readFileSync(folder.file("report.html"), "utf8");
  expect(html).not.toMatch(/<(script|link|iframe)\b/);
  expect(html.match(/(?:src|href)="(?!data:)/g)).toBeNull();
  expect(html).toContain("learns faster");
  // Before anything else: what was found.
  expect(html.indexOf("helps")).toBeLessThan(html.indexOf("<svg"));
  expect(html).toContain("&lt;script&gt;alert(1)");
  for (const { name } of studyCharts(plan, summary))
    expect(existsSync(folder.file("charts", `${name}.svg`))).toBe(true);
  // What a larger plan drew does not stay beside a smaller one's.
  const one = { ...plan, labels: ["all"] };
  const less = { ...results, trials: results.trials.filter(({ labels }) => labels === "all"), planned: 6 };
  await writeReport(folder, one, summarize(one, less, 1000), less, origin);
  expect(readdirSync(folder.file("charts"))).toContain("accuracy.svg");
  expect(readdirSync(folder.file("charts"))).not.toContain("accuracy-2.svg");
});

test("says what is equal, and what its columns are", async () => {
  const pageOf = async (arms?: string[], changes: Partial<StudyPlan> = {}): Promise<string> => {
    const { plan, results, summary } = await study(arms);
    const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
    await writeReport(folder, { ...plan, ...changes }, summary, results, origin);
    return readFileSync(folder.file("report.html"), "utf8");
  };
  const plain = await pageOf();
  expect(plain).toContain("Only the start differs between the arms of a seed: heads, labelled samples");
  expect(plain).not.toContain("<th>training before</th>");
  const reading = { normalise: "none", columns: { age: "drop" } };
  const headed = await pageOf(["he", "he+self-training"], { tune: true, learningRates: [0.1, 0.01], reading });
  expect(headed).toContain("<th>data: normalise</th><td>none</td>");
  expect(headed).toContain("<th>data: columns</th><td>{&quot;age&quot;:&quot;drop&quot;}</td>");
  expect(headed).toContain("Only the start and the learning rate, which is chosen for each arm, differs");
  expect(headed).toContain("heads (but those of arms that name one), labelled samples");
  expect(headed).toContain("<th>training before</th>");
  // All rows of a table are as wide as its head.
  for (const [table] of headed.matchAll(/<table><thead>.*?<\/table>/gs)) {
    const heads = table.match(/<th>/g)?.length;
    for (const [row] of table.matchAll(/<tr>(?!<th>|<td><\/td>)<td.*?<\/tr>/gs))
      expect(row.match(/<td/g)).toHaveLength(heads ?? 0);
    for (const [, span] of table.matchAll(/colspan="(\d+)"/g)) expect(Number(span)).toBe((heads ?? 0) - 1);
  }
});

test("draws what there is to show", async () => {
  const { plan, summary } = await study();
  const charts = studyCharts(plan, summary);
  expect(charts.map(({ name }) => name)).toEqual([
    "differences-1",
    "accuracy-1",
    "loss-1",
    "test-loss-1",
    "accuracy-2",
    "loss-2",
    "test-loss-2",
    "steps-to-target-1",
    "steps-to-target-2",
    "labels",
    "cost",
    "activations",
    "gradients",
  ]);
  for (const { svg } of charts) {
    expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(svg).not.toMatch(/NaN|undefined/);
  }
  const accuracy = charts.find(({ name }) => name === "accuracy-1")?.svg ?? "";
  for (const arm of ["he", "lecun"]) expect(accuracy).toContain(`>${arm}</text>`);
});

test("names the measure throughout", async () => {
  const { plan, results } = await study(["he", "he+self-training", "lecun"]);
  const balanced: StudyPlan = { ...plan, measure: "balanced-accuracy" };
  const judged = { ...results, trials: results.trials.map((trial) => ({ ...trial, classSizes: [900, 100] })) };
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  await writeReport(folder, balanced, summarize(balanced, judged, 1000), judged, origin);
  const html = readFileSync(folder.file("report.html"), "utf8");
  // Once as the file's name, in a chart's id, and never alone in words.
  expect(html.match(/(?<!balanced[ -])accuracy/gi)).toBeNull();
  expect(html).toContain("Balanced accuracy: the share of a class");
  expect(html).toContain("Always naming the same class: 10.0 %");
  expect(html).toContain('<figure id="balanced-accuracy-1">');
  expect(readdirSync(folder.file("charts"))).toContain("balanced-accuracy-1.svg");
});

test("draws the same bytes again", async () => {
  const { plan, summary } = await study();
  expect(studyCharts(plan, summary)).toEqual(studyCharts(plan, summary));
});
