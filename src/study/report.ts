/** report.html: one page that needs nothing else, offline and on paper. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { counted } from "../counted.js";
import type { Chart } from "./chart-drawing.js";
import { studyCharts } from "./charts.js";
import { earlyWord } from "./early-training.js";
import {
  leastR2,
  type Measure,
  measureOf,
  showDifference,
  showEffect,
  showError,
  showMean,
  showScore,
} from "./measure.js";
import { armOf, evaluationSteps, prepares, pretrainingKey, type StudyPlan } from "./plan.js";
import { stalledMargin } from "./run-trial.js";
import type { ArmInSetting, MeanOverSeeds, Rate, SettingSummary } from "./setting-summary.js";
import type { ArmComparison } from "./statistics/compare-arms.js";
import { fileNameOf, type StudyFolder, studyFiles } from "./study-folder.js";
import type { StudyResults } from "./study-results.js";
import { type Comparison, percent, type StudySummary, stepsDifference } from "./summary.js";

/** What the report says of how the study was made. */
export interface ReportOrigin {
  readonly headstart: string;
  readonly command: string | null;
  readonly environment: Readonly<Record<string, string | number>>;
  readonly workers: number;
  readonly files: Readonly<Record<string, string | null>>;
}

/** Writes the charts as SVG files, and the report with all of them in it. */
export async function writeReport(
  folder: StudyFolder,
  plan: StudyPlan,
  summary: StudySummary,
  results: StudyResults,
  origin: ReportOrigin,
): Promise<void> {
  const charts = studyCharts(plan, summary);
  // Another plan of the same folder may have drawn others.
  await folder.remove(studyFiles.charts);
  for (const { name, svg } of charts) await folder.write(join(studyFiles.charts, `${name}.svg`), `${svg}\n`);
  await folder.write(studyFiles.report, page(plan, summary, origin, charts, await picturesOf(folder, plan, results)));
}

/** A picture in the page. */
interface Picture {
  readonly group: "reconstructions" | "filters";
  readonly title: string;
  /** A data URL. */
  readonly source: string;
}

async function picturesOf(folder: StudyFolder, plan: StudyPlan, { pretrainings }: StudyResults): Promise<Picture[]> {
  const pictures: Picture[] = [];
  const add = async (group: Picture["group"], title: string, ...path: string[]): Promise<void> => {
    const bytes = await readFile(folder.file(...path)).catch(() => undefined);
    if (bytes) pictures.push({ group, title, source: `data:image/png;base64,${bytes.toString("base64")}` });
  };
  for (const { name: network } of plan.networks.slice(0, 4)) {
    const place = plan.networks.length > 1 ? ` (${network})` : "";
    const shown = new Set<string>();
    for (const { name } of plan.arms) {
      const arm = armOf(plan, name);
      if (arm.source.kind !== "recipe") continue;
      const key = pretrainingKey(plan, network, arm, 0);
      if (shown.has(key) || !pretrainings.has(key)) continue;
      shown.add(key);
      await add("reconstructions", `${name}${place}`, studyFiles.pretraining, `${key}.png`);
    }
    for (const { name } of plan.arms)
      await add(
        "filters",
        `${name}${place}`,
        studyFiles.pictures,
        `filters-${fileNameOf(network)}-${fileNameOf(name)}.png`,
      );
  }
  return pictures;
}

function page(
  plan: StudyPlan,
  summary: StudySummary,
  origin: ReportOrigin,
  charts: readonly Chart[],
  pictures: readonly Picture[],
): string {
  const measure = measureOf(plan);
  const title = `Study: ${plan.networks.length > 1 ? `${plan.networks.length} networks` : plan.networks[0].name}`;
  const chartsOf = (...prefixes: string[]): string =>
    charts
      .filter(({ name }) => prefixes.some((prefix) => name === prefix || name.startsWith(`${prefix}-`)))
      .map(figure)
      .join("\n");
  const sections: [string, string][] = [
    ["Verdicts", verdictSection(plan, summary) + chartsOf("differences")],
    ["Convergence by depth and activation", chartsOf("grid")],
    [
      `${measure.title} by setting`,
      summary.settings.map((setting) => settingTable(setting, plan)).join("\n") + columnsNote(plan),
    ],
    ["Curves", chartsOf(measure.key, "rmse", "loss", "test-loss")],
    ["Steps to the target", chartsOf("steps-to-target")],
    [`${measure.title} against the number of labels`, chartsOf("labels")],
    ["Cost", chartsOf("cost")],
    ["Activations and gradients before supervised training", chartsOf("activations", "gradients")],
    ["Samples beside what the generator makes of them", pictureSection(pictures, "reconstructions")],
    ["Filters of the first layer before supervised training", pictureSection(pictures, "filters")],
    ["How this was made", originSection(plan, origin, summary)],
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="color-scheme" content="light">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p>${summary.trials} of ${summary.planned} trials: ${counted(plan.arms.length, "arm")}, ${counted(plan.seeds, "seed")}, ${counted(summary.settings.length, "setting")}. ${whatIsEqual(plan)}</p>
${summary.warnings.map((warning) => `<p class="warning"><strong>Warning.</strong> ${escaped(warning)}</p>`).join("\n")}
${sections
  .filter(([, content]) => content !== "")
  .map(([heading, content]) => `<section>\n<h2>${escaped(heading)}</h2>\n${content}\n</section>`)
  .join("\n")}
</body>
</html>
`;
}

/** What all arms of a seed have in common. */
function whatIsEqual(plan: StudyPlan): string {
  const own = plan.arms.some(({ head }) => head !== undefined) ? " (but those of arms that name one)" : "";
  const rates = plan.tune ? " and the learning rate, which is chosen for each arm," : "";
  return `Only the start${rates} differs between the arms of a seed: heads${own}, labelled samples and their order are equal.`;
}

/** What is judged where it is not accuracy. */
function scoreNote({ task, measure, targets = [], standardise }: StudyPlan): string {
  if (measure === "balanced-accuracy")
    return "Balanced accuracy: the share of a class's test samples (where each position has a class: of its positions) that is named right, mean over the classes that the test data has. ";
  if (task === "segmentation")
    return measure === undefined
      ? "IoU: of the positions of all test samples that are of a class and those that are named so, the intersection divided by the union, mean over the classes that the test data has. "
      : "Accuracy: the share of the positions of all test samples that is named right. ";
  if (task !== "regression") return "";
  return `R²: the share of the test targets' variance that is predicted${targets.length > 1 ? `, mean over ${targets.join(", ")}` : ""}; a lower squared error is a higher R². Below ${leastR2} it counts as ${leastR2}, that of a diverged trial as 0. ${standardise === false ? "Targets are trained on as they are, since the network's output is bounded." : "For training, targets are scaled to mean 0 and deviation 1 over each trial's own training samples; errors are in the data's units."} `;
}

function verdictSection(plan: StudyPlan, summary: StudySummary): string {
  const measure = measureOf(plan);
  const tables = summary.comparisons
    .filter(({ arms, at }) => arms.length > 0 && (at === "equal steps" || prepares(plan)))
    .flatMap((comparison) => [
      verdictTable(comparison, plan),
      ...(comparison.early.length > 0 ? [earlyTable(comparison, plan)] : []),
    ]);
  return `${tables.join("\n")}
${summary.notes.map((note) => `<p class="note">${escaped(note)}</p>`).join("\n")}
<p class="note">${escaped(scoreNote(plan))}A difference smaller than ${showEffect(measure, plan.minimumEffect)} counts as none that matters. p: Student's paired t-test after Holm's correction over the arms of a table, at equal steps over both quantities, ${measure.name} at the end and mean ${measure.name}; another baseline, or equal total time, is corrected by itself. Intervals are each arm's own, without a correction. Improvement: the chance that the arm's trial beats the baseline's (Agarwal et al., 2021).</p>`;
}

function verdictTable({ baseline, at, arms }: Comparison, plan: StudyPlan): string {
  const measure = measureOf(plan);
  const heading =
    at === "equal steps"
      ? `Against ${baseline}, after ${plan.steps} supervised steps`
      : `Against ${baseline}, at equal total time: arms with less training before trained on meanwhile`;
  const rows = arms.map((arm) => {
    const { verdict, probabilityOfImprovement: improvement, differences } = arm;
    const others = [improvement ? percent(improvement.estimate) : "", String(differences.seeds.length)];
    return comparisonRow(arm, measure, verdict.verdict, others);
  });
  return titledTable(heading, [...comparisonHeads(measure), "improvement", "pairs"], rows);
}

function earlyTable({ baseline, early }: Comparison, plan: StudyPlan): string {
  const { steps } = plan;
  const measure = measureOf(plan);
  const rows = early.map((arm) => {
    const { difference, missed, trials } = arm.stepsToTarget;
    const others = [difference ? stepsDifference(difference) : "", `${missed} of ${trials}`];
    return comparisonRow(arm, measure, earlyWord(arm.verdict.verdict), others);
  });
  const heads = [...comparisonHeads(measure), "steps to target, difference", "never reached it"];
  return `${titledTable(`Against ${baseline}, on the way: mean ${measure.name} over ${counted(steps, "step")}`, heads, rows)}
<p class="note">Steps to target: mean difference paired by seed; a trial that never reaches the target counts with all ${steps} steps. Networks are measured after ${evaluationSteps(steps, 0).join(", ")} steps: no difference is finer than that.</p>`;
}

/** @param rows in HTML */
function titledTable(heading: string, heads: readonly string[], rows: readonly string[]): string {
  return `<h3>${escaped(heading)}</h3>
${table(heads, rows)}`;
}

/** @param rows in HTML */
function table(heads: readonly string[], rows: readonly string[]): string {
  return `<table><thead><tr>${heads.map((head) => `<th>${escaped(head)}</th>`).join("")}</tr></thead>
<tbody>${rows.join("\n")}</tbody></table>`;
}

function cells(texts: readonly string[]): string {
  return texts.map((text) => `<td>${escaped(text)}</td>`).join("");
}

function comparisonHeads({ name, differenceUnit }: Measure): string[] {
  const difference = differenceUnit === "" ? `difference of ${name}` : `difference, ${differenceUnit}`;
  return ["arm", "verdict", difference, "95 % interval", "p"];
}

/**
 * How an arm compares with the baseline, in cells under {@link comparisonHeads}, and the grounds below over the whole width:
 * beside the numbers they would be a column of single words.
 *
 * @param others what stands behind these
 */
function comparisonRow(arm: ArmComparison, measure: Measure, word: string, others: readonly string[]): string {
  const { name, verdict, test, mean, baselineMean, adjustedP } = arm;
  const points = (value: number | undefined): string => showDifference(measure, value);
  const difference = test?.mean ?? (mean === undefined || baselineMean === undefined ? undefined : mean - baselineMean);
  const interval = test ? `${points(test.interval.low)} to ${points(test.interval.high)}` : "";
  const numbers = [points(difference), interval, adjustedP === undefined ? "" : adjustedP.toPrecision(2), ...others];
  const kind = verdict.verdict.split(" ")[0];
  return `<tr>${cells([name])}<td class="verdict ${kind}">${escaped(word)}</td>${cells(numbers)}</tr><tr class="grounds"><td></td><td colspan="${numbers.length + 1}"><div>${escaped(verdict.reasons.join("; "))}</div></td></tr>`;
}

function settingTable({ name, arms, chance, target }: SettingSummary, plan: StudyPlan): string {
  const { steps, targets = [] } = plan;
  const measure = measureOf(plan);
  const unit = measure.unit === "" ? "" : `, ${measure.unit}`;
  // Without training before, equal total time is equal steps.
  const timed = prepares(plan);
  const heads = [
    "arm",
    `${measure.name} after ${counted(steps, "step")}${unit}`,
    ...targets.map((one) => `RMSE of ${one}`),
    `mean over the steps${unit}`,
    `interquartile mean${unit}`,
    `best${unit}`,
    ...(timed ? [`at equal total time${unit}`, "steps then"] : []),
    "median steps to target",
    "diverged",
    "stalled",
    ...(timed ? ["training before"] : []),
    "learning rate",
  ];
  const rows = arms.map((arm) => `<tr>${cells(settingCells(arm, plan, measure, timed))}</tr>`);
  return `<h3>${escaped(name)}</h3>
<p>${escaped(`${measure.chance[0].toUpperCase()}${measure.chance.slice(1)}: ${showScore(measure, chance)}; target: ${showScore(measure, target)}.`)}</p>
${table(heads, rows)}`;
}

function settingCells(arm: ArmInSetting, { steps }: StudyPlan, measure: Measure, timed: boolean): string[] {
  const mean = (score: MeanOverSeeds): string => showMean(measure, score);
  const error = ({ mean: value, high }: MeanOverSeeds): string =>
    high === null ? showError(value) : `${showError(value)} ± ${showError(high - value)}`;
  const share = ({ count, trials, interval }: Rate): string =>
    count === 0 ? `0 of ${trials}` : `${count} of ${trials} (${percent(interval.low)} to ${percent(interval.high)})`;
  const { seconds, samples } = arm.pretraining;
  const seen = samples > 0 ? `, ${samples.toLocaleString("en")} samples` : "";
  return [
    arm.arm,
    mean(arm.score),
    ...(arm.rmse ?? []).map(error),
    mean(arm.meanScore),
    (measure.factor * arm.interquartileMean).toFixed(measure.digits),
    mean(arm.bestScore),
    ...(timed ? [mean(arm.scoreAtEqualTime), stepsAtEqualTime(arm)] : []),
    `${arm.stepsToTarget.median ?? `over ${steps}`} (${arm.stepsToTarget.reached} of ${arm.seeds.length})`,
    share(arm.diverged),
    share(arm.stalled),
    ...(timed ? [seconds > 0 ? `${seconds.toFixed(1)} s${seen}` : ""] : []),
    String(arm.learningRate),
  ];
}

/** What the columns of {@link settingTable} are. */
function columnsNote(plan: StudyPlan): string {
  const measure = measureOf(plan);
  const margin = showEffect(measure, stalledMargin);
  const sentences = [
    "Means over seeds ± half their 95 % interval (Student's).",
    `Mean over the steps: the area under the curve of test ${measure.name}, divided by the steps.`,
    "Best: the highest that was measured on the way; it is chosen on the test data, and so too high for an estimate.",
    ...(prepares(plan)
      ? [
          `At equal total time: the arms whose training before took less go on for the seconds that are left, up to --longest-extension, and count where their mean is best, after ${counted(plan.steps, "step")} or later, which is chosen on the test data, too. Steps then: where that is, of how many there was time for.`,
          "Training before: pretraining without labels, and self-training; seconds of one thread.",
        ]
      : []),
    plan.target === undefined
      ? "Target: nine tenths of the way from chance to the mean end of the baseline, or of the best arm where the baseline stalled."
      : "Target: as asked for.",
    "Median steps: the first measured ones at the target, by Kaplan and Meier; in brackets how many trials reached it.",
    `Diverged: a loss that became non-finite or rose above its start. Stalled: within ${margin} of chance${plan.task === "regression" ? "" : ", or below it"}.`,
  ];
  return `<p class="note">${escaped(sentences.join(" "))}</p>`;
}

function figure({ title, caption, svg, name }: Chart): string {
  return `<figure id="${escaped(name)}"><figcaption><strong>${escaped(title)}.</strong> ${escaped(caption)}</figcaption>${svg}</figure>`;
}

function pictureSection(pictures: readonly Picture[], group: Picture["group"]): string {
  return pictures
    .filter((picture) => picture.group === group)
    .map(
      ({ title, source }) =>
        `<figure class="picture"><figcaption>${escaped(title)}</figcaption><img alt="${escaped(`${group}: ${title}`)}" src="${source}"></figure>`,
    )
    .join("\n");
}

function originSection(plan: StudyPlan, origin: ReportOrigin, summary: StudySummary): string {
  const optimizers = plan.optimizers.map(
    ({ kind, learningRate }) =>
      `${kind}, ${plan.learningRates.length > 0 ? `rates ${plan.learningRates.join(", ")}${plan.tune ? " (tuned for each arm)" : ""}` : `rate ${learningRate}`}`,
  );
  const rows: [string, string | number][] = [
    ["command", origin.command ?? "(called as a library)"],
    ["headstart", origin.headstart],
    ...Object.entries(origin.environment),
    ["trials side by side", `${origin.workers}, one thread each`],
    ...Object.entries(origin.files).flatMap(([name, file]): [string, string][] =>
      file === null ? [] : [[name, file]],
    ),
    ...Object.entries(plan.data).map(([name, hash]): [string, string] => [`SHA-256 of ${name}`, hash]),
    ...plan.networks.map(({ name, hash }): [string, string] => [`SHA-256 of ${name}`, hash]),
    ...(plan.discriminatorHash === undefined
      ? []
      : [["SHA-256 of the discriminator", plan.discriminatorHash] satisfies [string, string]]),
    ...Object.entries(plan.reading ?? {}).map(([name, value]): [string, string] => [
      `data: ${name}`,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
    [
      "supervised training",
      `${counted(plan.steps, "step")} of ${counted(plan.batchSize, "sample")}${augmentedInWords(plan)}; ${optimizers.join("; ")}${scheduledInWords(plan)}; head drawn by ${plan.head}`,
    ],
    [
      "pretrainings",
      plan.pretrainingSeeds === undefined ? "one for each seed" : `${plan.pretrainingSeeds}, shared by the seeds`,
    ],
    ...(plan.task === "regression" ? [["predicted", (plan.targets ?? []).join(", ")] satisfies [string, string]] : []),
    ["trials", `${summary.trials} of ${summary.planned}`],
  ];
  return `<table class="origin"><tbody>${rows.map(([name, value]) => `<tr><th>${escaped(name)}</th><td>${escaped(String(value))}</td></tr>`).join("\n")}</tbody></table>`;
}

function scheduledInWords({ schedule }: StudyPlan): string {
  return schedule === "cosine" ? ", its learning rate falling along half a cosine to 0" : "";
}

function augmentedInWords({ augment = [] }: StudyPlan): string {
  return augment.length === 0 ? "" : `, changed at each step (${augment.join(", ")})`;
}

/** Text for HTML, attributes included. */
function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

const style = `
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: white; max-width: 1060px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; } h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
table { border-collapse: collapse; font-size: 13px; margin: .4rem 0 1rem; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #eee; font-variant-numeric: tabular-nums; }
thead th { border-bottom: 1px solid #999; font-weight: 600; }
.origin th { width: 12rem; font-weight: 600; } .origin td { overflow-wrap: anywhere; } tr:has(+ .grounds) > td { border-bottom: none; } .grounds td { color: #555; font-size: 12px; padding-top: 0; }
.verdict { white-space: nowrap; } .helps { color: #1a7f37; font-weight: 700; } .hurts { color: #b42318; font-weight: 700; } .no, .unclear { font-weight: 600; }
.warning { border-left: 4px solid #d97706; background: #fff7e6; padding: .5rem .8rem; } .note { color: #555; font-size: 13px; margin: .2rem 0; }
figure { margin: 1rem 0; break-inside: avoid; } figcaption { font-size: 13px; margin-bottom: .3rem; }
figure svg { max-width: 100%; height: auto; } figure img { max-width: 100%; image-rendering: pixelated; }
.picture { display: inline-block; margin-right: 1.5rem; vertical-align: top; }
@media screen and (max-width: 760px) { body { margin: 1rem auto; } table { display: block; overflow-x: auto; } .origin { display: table; } .origin th { width: 7rem; } .grounds td:first-child { display: none; } .grounds div { position: sticky; left: 0; width: calc(100vw - 2.5rem); } }
@page { margin: 14mm; }
@media print { body { max-width: none; margin: 0; padding: 0; font-size: 10pt; } table { font-size: 7.5pt; } th, td { padding-right: .3rem; } td:first-child { min-width: 6.5rem; overflow-wrap: anywhere; } .picture { margin-right: .3rem; } .grounds td, .note, figcaption { font-size: 8pt; }
  tr, .warning, section > h2 + figure { break-inside: avoid; } tr:has(+ .grounds), h2, h3, h3 + p { break-after: avoid; } figure svg { max-height: 88mm; } }
`;

/** Steps that an arm made at equal total time, and of how many, where it stopped before or its trials were too short. */
function stepsAtEqualTime({ timeStop, timeStepsMade, timeSteps }: ArmInSetting): string {
  const made = Math.min(timeStop, timeStepsMade);
  return made < timeSteps ? `${made} of ${timeSteps}` : String(timeSteps);
}
