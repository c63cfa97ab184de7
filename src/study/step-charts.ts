/** Charts of what happens over the supervised steps: scores, errors, losses, and when the target is reached. */
import * as Plot from "@observablehq/plot";
import type { Chart, ChartDrawing } from "./chart-drawing.js";
import { showScore } from "./measure.js";
import { heightOf, logAxis, marginOf, shortened } from "./plot-svg.js";
import type { SettingSummary } from "./setting-summary.js";

/** Scores, with their intervals. */
export function scoreChart(draw: ChartDrawing, setting: SettingSummary, suffix: string, place: string): Chart {
  const rows = setting.arms.flatMap(({ arm, curve }) =>
    curve.map(({ step, mean, low, high }) => ({
      arm,
      step,
      mean: draw.shown(mean),
      low: draw.shown(low ?? mean),
      high: draw.shown(high ?? mean),
    })),
  );
  const svg = draw.plot(
    {
      height: 360,
      x: { label: "supervised steps" },
      y: { label: draw.axis, grid: true, inset: 4 },
      marks: [
        Plot.areaY(rows, {
          x: "step",
          y1: "low",
          y2: "high",
          z: "arm",
          fill: (row) => draw.colour(row.arm),
          fillOpacity: 0.13,
        }),
        draw.lines(rows, "step", "mean"),
        Plot.ruleY([draw.shown(setting.chance)], { stroke: "#999", strokeDasharray: "2,3" }),
        Plot.ruleY([draw.shown(setting.target)], { stroke: "#333", strokeDasharray: "5,4" }),
      ],
    },
    setting.arms,
  );
  return {
    name: `${draw.measure.key}${suffix}`,
    title: `Test ${draw.measure.name}${place}`,
    caption: `Mean over seeds with its 95 % interval; dashed: the target whose steps are counted; dotted: ${draw.measure.chance}.`,
    svg,
  };
}

/** Errors in the data's own units, a chart for each number that is predicted. */
export function errorCharts(
  draw: ChartDrawing,
  setting: SettingSummary,
  targets: readonly string[],
  suffix: string,
  place: string,
): Chart[] {
  return targets.flatMap((target, index) => {
    const rows = setting.arms.flatMap(({ arm, curve }) =>
      curve.flatMap(({ step, rmse }) => (rmse ? [{ arm, step, rmse: rmse[index].mean }] : [])),
    );
    if (rows.length === 0) return [];
    const svg = draw.plot(
      {
        height: 300,
        x: { label: "supervised steps" },
        y: { label: `root mean squared error of ${target}`, ...logAxis(rows.map(({ rmse }) => rmse)) },
        marks: [draw.lines(rows, "step", "rmse")],
      },
      setting.arms,
    );
    return [
      {
        name: `rmse${targets.length > 1 ? `-output-${index + 1}` : ""}${suffix}`,
        title: `Test error of ${target}${place}`,
        caption: "Root mean squared error in the data's own units, mean over seeds.",
        svg,
      },
    ];
  });
}

/** Losses on the test data, or in training. */
export function lossCharts(
  draw: ChartDrawing,
  setting: SettingSummary,
  suffix: string,
  place: string,
  test: boolean,
): Chart[] {
  const rows = setting.arms.flatMap(({ arm, curve }) =>
    curve.flatMap((point) => {
      const loss = test ? point.testLoss : point.loss;
      return loss === null || loss <= 0 ? [] : [{ arm, step: point.step, loss }];
    }),
  );
  if (rows.length === 0) return [];
  const svg = draw.plot(
    {
      height: 300,
      x: { label: "supervised steps" },
      y: { label: test ? "test loss" : "training loss", ...logAxis(rows.map(({ loss }) => loss)) },
      marks: [draw.lines(rows, "step", "loss")],
    },
    setting.arms,
  );
  return [
    {
      name: `${test ? "test-loss" : "loss"}${suffix}`,
      title: `${test ? "Test" : "Training"} loss${place}`,
      caption: test
        ? "Mean over seeds of the loss on the test data; where it rises while the score stays, the network grows too sure."
        : "Mean over seeds of the loss since the point before.",
      svg,
    },
  ];
}

/** How many steps each arm needs for the target, and how many of its trials reach it. */
export function stepsToTargetCharts(
  draw: ChartDrawing,
  setting: SettingSummary,
  steps: number,
  suffix: string,
  place: string,
): Chart[] {
  const rows = setting.arms.map(({ arm, stepsToTarget: { median, low, high, reached }, seeds }) => ({
    arm,
    median: median ?? steps,
    low: low ?? 0,
    high: high ?? steps,
    text: `${reached}/${seeds.length}`,
    open: median === null,
  }));
  const svg = draw.plot({
    height: heightOf(rows.length),
    marginLeft: marginOf(rows.map(({ arm }) => arm)),
    marginRight: 50,
    x: {
      label: `steps to ${showScore(draw.measure, setting.target)} test ${draw.measure.name}`,
      domain: [0, steps],
      grid: true,
    },
    y: { label: null, domain: rows.map(({ arm }) => arm), tickFormat: shortened },
    marks: [
      Plot.ruleY(rows, { x1: "low", x2: "high", y: "arm", stroke: (row) => draw.colour(row.arm), strokeWidth: 2 }),
      Plot.dot(rows, {
        x: "median",
        y: "arm",
        r: 4,
        stroke: (row) => draw.colour(row.arm),
        fill: (row) => (row.open ? "white" : draw.colour(row.arm)),
      }),
      Plot.text(rows, { x: steps, y: "arm", text: "text", textAnchor: "start", dx: 8, fill: "#333" }),
    ],
  });
  return [
    {
      name: `steps-to-target${suffix}`,
      title: `Steps to the target${place}`,
      caption:
        "Median by Kaplan and Meier with its 95 % interval; an open dot: half of the trials never reached it. At the right: how many did.",
      svg,
    },
  ];
}
