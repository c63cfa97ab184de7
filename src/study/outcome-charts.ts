/** Charts of what came of a study: differences, scores by labels and by network, cost. */
import * as Plot from "@observablehq/plot";
import type { Chart, ChartDrawing } from "./chart-drawing.js";
import type { StudyPlan } from "./plan.js";
import { heightOf, marginOf, shortened } from "./plot-svg.js";
import type { Comparison, StudySummary } from "./summary.js";

/** Differences of the score with their intervals. */
export function differenceCharts(draw: ChartDrawing, { arms, baseline, at }: Comparison, index: number): Chart[] {
  const { factor, name: measure, differenceUnit } = draw.measure;
  const shown = arms.flatMap(({ name, test }) =>
    test
      ? [
          {
            arm: name,
            mean: factor * test.mean,
            low: factor * test.interval.low,
            high: factor * test.interval.high,
          },
        ]
      : [],
  );
  if (shown.length === 0) return [];
  const svg = draw.plot({
    height: heightOf(shown.length),
    marginLeft: marginOf(shown.map(({ arm }) => arm)),
    x: {
      label: `difference of ${measure} against ${baseline}${differenceUnit && `, ${differenceUnit}`}`,
      grid: true,
      inset: 10,
    },
    y: { label: null, domain: shown.map(({ arm }) => arm), tickFormat: shortened },
    marks: [
      Plot.ruleX([0], { stroke: "#555" }),
      Plot.ruleY(shown, {
        x1: "low",
        x2: "high",
        y: "arm",
        stroke: (row: { arm: string }) => draw.colour(row.arm),
        strokeWidth: 2,
      }),
      Plot.dot(shown, { x: "mean", y: "arm", fill: (row: { arm: string }) => draw.colour(row.arm), r: 4 }),
    ],
  });
  return [
    {
      name: `differences-${index + 1}`,
      title: `Against ${baseline}, at ${at === "equal steps" ? "equal supervised steps" : "equal total time"}`,
      caption: `Mean difference of test ${measure}, paired by seed, with its 95 % interval (Student's).`,
      svg,
    },
  ];
}

/** The score against the number of labels, where there are several. */
export function labelsCharts(draw: ChartDrawing, plan: StudyPlan, { settings }: StudySummary): Chart[] {
  if (plan.labels.length < 2 || plan.networks.length > 1 || plan.optimizers.length > 1) return [];
  const rates = new Set(settings.map(({ setting }) => setting.learningRate));
  if (rates.size > 1) return [];
  // Side by side, or the intervals of all arms would be one line.
  const aside = (arm: string): number => 1.015 ** (draw.arms.indexOf(arm) - (draw.arms.length - 1) / 2);
  const rows = settings.flatMap(({ arms }) =>
    arms.map(({ arm, score: { mean, low, high }, labelsUsed }) => ({
      arm,
      amount: labelsUsed,
      labels: labelsUsed * aside(arm),
      mean: draw.shown(mean),
      low: draw.shown(low ?? mean),
      high: draw.shown(high ?? mean),
    })),
  );
  const svg = draw.plot(
    {
      height: 320,
      x: {
        label: "labels",
        type: "log",
        ticks: [...new Set(rows.map(({ amount }) => amount))],
        tickFormat: (value: number) => value.toLocaleString("en"),
        inset: 24,
      },
      y: { label: draw.axis, grid: true, inset: 6 },
      marks: [
        Plot.ruleX(rows, {
          x: "labels",
          y1: "low",
          y2: "high",
          stroke: (row) => draw.colour(row.arm),
          strokeOpacity: 0.6,
          strokeWidth: 1.5,
        }),
        draw.lines(rows, "labels", "mean"),
        Plot.dot(rows, { x: "labels", y: "mean", fill: (row) => draw.colour(row.arm), r: 3 }),
      ],
    },
    settings[0]?.arms ?? [],
  );
  return [
    {
      name: "labels",
      title: `${draw.measure.title} against the number of labels`,
      caption: `After ${plan.steps} supervised steps; mean over seeds with its 95 % interval. Arms of as many labels are drawn side by side.`,
      svg,
    },
  ];
}

/** The grid of depths and activations: one map an arm. */
export function gridCharts(draw: ChartDrawing, plan: StudyPlan, { settings }: StudySummary): Chart[] {
  if (plan.networks.length < 2) return [];
  const cells = new Map(plan.networks.map(({ name, cell }) => [name, cell]));
  const rows = draw.arms.flatMap((arm) => {
    const found = new Map<string, { arm: string; depth: string; activation: string; values: number[] }>();
    for (const { setting, arms } of settings) {
      const cell = cells.get(setting.network);
      const own = arms.find((candidate) => candidate.arm === arm);
      if (!cell || !own) continue;
      const row = found.get(setting.network) ?? {
        arm,
        depth: String(cell.depth),
        activation: String(cell.activation),
        values: [],
      };
      row.values.push(draw.shown(own.score.mean));
      found.set(setting.network, row);
    }
    return [...found.values()].map(({ values, ...row }) => ({
      ...row,
      score: values.reduce((sum, value) => sum + value, 0) / values.length,
    }));
  });
  if (rows.length === 0) return [];
  const depths = [...new Set(rows.map(({ depth }) => depth))].sort((a, b) => Number(a) - Number(b));
  const activations = [...new Set(rows.map(({ activation }) => activation))];
  const low = Math.min(...rows.map(({ score }) => score));
  const high = Math.max(...rows.map(({ score }) => score));
  const svg = draw.plot({
    height: 74 + draw.arms.length * (activations.length * 22 + 14),
    // Room for the label above the ticks: it would lie over the middle one.
    marginTop: 46,
    marginLeft: 70,
    marginRight: marginOf(draw.arms),
    padding: 0.04,
    x: { label: "hidden layers", domain: depths, axis: "top", labelOffset: 40 },
    y: { label: null, domain: activations },
    fy: { label: null, domain: draw.arms, tickFormat: shortened },
    color: { type: "linear", scheme: "viridis", domain: [low, Math.max(high, low + draw.measure.factor / 100)] },
    marks: [
      Plot.cell(rows, { x: "depth", y: "activation", fy: "arm", fill: "score" }),
      Plot.text(rows, {
        x: "depth",
        y: "activation",
        fy: "arm",
        text: (row) => row.score.toFixed(draw.measure.digits),
        fill: (row) => (row.score > (low + high) / 2 ? "black" : "white"),
      }),
    ],
  });
  return [
    {
      name: "grid",
      title: "Convergence by depth and activation",
      caption: `Mean ${draw.axis}, after ${plan.steps} supervised steps, for each arm.`,
      svg,
    },
  ];
}

/** Seconds of one thread. */
export function costCharts(draw: ChartDrawing, { settings }: StudySummary, steps: number): Chart[] {
  const [first] = settings;
  if (!first) return [];
  const rows = first.arms.flatMap(({ arm, pretraining, secondsPerStep }) => [
    { arm, part: "before", seconds: pretraining.seconds },
    { arm, part: `${steps} supervised steps`, seconds: secondsPerStep * steps },
  ]);
  const svg = draw.plot({
    height: heightOf(first.arms.length),
    marginLeft: marginOf(first.arms.map(({ arm }) => arm)),
    x: { label: "seconds of one thread", grid: true },
    y: { label: null, domain: first.arms.map(({ arm }) => arm), tickFormat: shortened },
    marks: [
      Plot.barX(rows, {
        x: "seconds",
        y: "arm",
        fill: (row) => (row.part === "before" ? "#efb118" : "#4269d0"),
      }),
      Plot.ruleX([0]),
    ],
  });
  return [
    {
      name: "cost",
      title: "Cost",
      caption: `Yellow: training before, without labels or by self-training; blue: ${steps} supervised steps${settings.length > 1 ? ` (${first.name})` : ""}.`,
      svg,
    },
  ];
}
