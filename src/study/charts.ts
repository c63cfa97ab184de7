/** The charts of a study, as SVG. */
import * as Plot from "@observablehq/plot";
import { type Measure, measureOf, showScore } from "./measure.js";
import { prepares, type StudyPlan } from "./plan.js";
import { colourOf, heightOf, logAxis, marginOf, plotSvg, shortened } from "./plot-svg.js";
import type { ArmInSetting, SettingSummary } from "./setting-summary.js";
import type { Comparison, StudySummary } from "./summary.js";

/** A chart. */
export interface Chart {
  /** Name of its file, without the ending. */
  readonly name: string;
  readonly title: string;
  /** What it shows, in a sentence. */
  readonly caption: string;
  /** A whole SVG document. */
  readonly svg: string;
}

/** All charts that the study has something to show in. */
export function studyCharts(plan: StudyPlan, summary: StudySummary): Chart[] {
  const arms = plan.arms.map(({ name }) => name);
  const draw = new Drawing(arms, measureOf(plan));
  const many = summary.settings.length > 1;
  const of = (setting: SettingSummary, index: number): { suffix: string; place: string } => ({
    suffix: many ? `-${index + 1}` : "",
    place: many ? `: ${setting.name}` : "",
  });
  return [
    ...summary.comparisons
      .filter(({ at }) => at === "equal steps" || prepares(plan))
      .flatMap((comparison, index) => draw.differences(comparison, index)),
    ...draw.grid(plan, summary),
    ...summary.settings.flatMap((setting, index) => {
      const { suffix, place } = of(setting, index);
      return [
        draw.curves(setting, suffix, place),
        ...draw.errors(setting, plan.targets ?? [], suffix, place),
        ...draw.losses(setting, suffix, place, false),
        ...draw.losses(setting, suffix, place, true),
      ];
    }),
    ...summary.settings.flatMap((setting, index) => {
      const { suffix, place } = of(setting, index);
      return draw.stepsToTarget(setting, plan.steps, suffix, place);
    }),
    ...draw.labels(plan, summary),
    ...draw.cost(summary, plan.steps),
    ...plan.networks.flatMap(({ name }, index) => {
      const setting = summary.settings.find((candidate) => candidate.setting.network === name);
      const [suffix, place] = plan.networks.length > 1 ? [`-${index + 1}`, `: ${name}`] : ["", ""];
      return setting ? draw.starts(setting, suffix, place) : [];
    }),
  ];
}

class Drawing {
  readonly #arms: readonly string[];
  readonly #measure: Measure;

  constructor(arms: readonly string[], measure: Measure) {
    this.#arms = arms;
    this.#measure = measure;
  }

  /** The label of an axis of scores. */
  #axis(): string {
    const { name, unit } = this.#measure;
    return `test ${name}${unit === "" ? "" : `, ${unit}`}`;
  }

  /** A score as charts show it: one far below what there is to see would leave nothing of the others. */
  #shown(score: number): number {
    const { factor, shown } = this.#measure;
    return factor * Math.max(shown[0], Math.min(shown[1], score));
  }

  /** Differences of the score with their intervals. */
  differences({ arms, baseline, at }: Comparison, index: number): Chart[] {
    const { factor, name: measure, differenceUnit } = this.#measure;
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
    const svg = this.#plot({
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
          stroke: (row: { arm: string }) => this.#colour(row.arm),
          strokeWidth: 2,
        }),
        Plot.dot(shown, { x: "mean", y: "arm", fill: (row: { arm: string }) => this.#colour(row.arm), r: 4 }),
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

  curves(setting: SettingSummary, suffix: string, place: string): Chart {
    const rows = setting.arms.flatMap(({ arm, curve }) =>
      curve.map(({ step, mean, low, high }) => ({
        arm,
        step,
        mean: this.#shown(mean),
        low: this.#shown(low ?? mean),
        high: this.#shown(high ?? mean),
      })),
    );
    const svg = this.#plot(
      {
        height: 360,
        x: { label: "supervised steps" },
        y: { label: this.#axis(), grid: true, inset: 4 },
        marks: [
          Plot.areaY(rows, {
            x: "step",
            y1: "low",
            y2: "high",
            z: "arm",
            fill: (row) => this.#colour(row.arm),
            fillOpacity: 0.13,
          }),
          Plot.lineY(rows, {
            x: "step",
            y: "mean",
            z: "arm",
            stroke: (row) => this.#colour(row.arm),
            strokeWidth: 1.8,
          }),
          Plot.ruleY([this.#shown(setting.chance)], { stroke: "#999", strokeDasharray: "2,3" }),
          Plot.ruleY([this.#shown(setting.target)], { stroke: "#333", strokeDasharray: "5,4" }),
        ],
      },
      setting.arms,
    );
    return {
      name: `${this.#measure.key}${suffix}`,
      title: `Test ${this.#measure.name}${place}`,
      caption: `Mean over seeds with its 95 % interval; dashed: the target whose steps are counted; dotted: ${this.#measure.chance}.`,
      svg,
    };
  }

  /** Errors in the data's own units, a chart for each number that is predicted. */
  errors(setting: SettingSummary, targets: readonly string[], suffix: string, place: string): Chart[] {
    return targets.flatMap((target, index) => {
      const rows = setting.arms.flatMap(({ arm, curve }) =>
        curve.flatMap(({ step, rmse }) => (rmse ? [{ arm, step, rmse: rmse[index].mean }] : [])),
      );
      if (rows.length === 0) return [];
      const svg = this.#plot(
        {
          height: 300,
          x: { label: "supervised steps" },
          y: { label: `root mean squared error of ${target}`, ...logAxis(rows.map(({ rmse }) => rmse)) },
          marks: [
            Plot.lineY(rows, {
              x: "step",
              y: "rmse",
              z: "arm",
              stroke: (row) => this.#colour(row.arm),
              strokeWidth: 1.8,
            }),
          ],
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

  losses(setting: SettingSummary, suffix: string, place: string, test: boolean): Chart[] {
    const rows = setting.arms.flatMap(({ arm, curve }) =>
      curve.flatMap((point) => {
        const loss = test ? point.testLoss : point.loss;
        return loss === null || loss <= 0 ? [] : [{ arm, step: point.step, loss }];
      }),
    );
    if (rows.length === 0) return [];
    const svg = this.#plot(
      {
        height: 300,
        x: { label: "supervised steps" },
        y: { label: test ? "test loss" : "training loss", ...logAxis(rows.map(({ loss }) => loss)) },
        marks: [
          Plot.lineY(rows, {
            x: "step",
            y: "loss",
            z: "arm",
            stroke: (row) => this.#colour(row.arm),
            strokeWidth: 1.8,
          }),
        ],
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

  stepsToTarget(setting: SettingSummary, steps: number, suffix: string, place: string): Chart[] {
    const rows = setting.arms.map(({ arm, stepsToTarget: { median, low, high, reached }, seeds }) => ({
      arm,
      median: median ?? steps,
      low: low ?? 0,
      high: high ?? steps,
      text: `${reached}/${seeds.length}`,
      open: median === null,
    }));
    const svg = this.#plot({
      height: heightOf(rows.length),
      marginLeft: marginOf(rows.map(({ arm }) => arm)),
      marginRight: 50,
      x: {
        label: `steps to ${showScore(this.#measure, setting.target)} test ${this.#measure.name}`,
        domain: [0, steps],
        grid: true,
      },
      y: { label: null, domain: rows.map(({ arm }) => arm), tickFormat: shortened },
      marks: [
        Plot.ruleY(rows, { x1: "low", x2: "high", y: "arm", stroke: (row) => this.#colour(row.arm), strokeWidth: 2 }),
        Plot.dot(rows, {
          x: "median",
          y: "arm",
          r: 4,
          stroke: (row) => this.#colour(row.arm),
          fill: (row) => (row.open ? "white" : this.#colour(row.arm)),
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

  /** The score against the number of labels, where there are several. */
  labels(plan: StudyPlan, { settings }: StudySummary): Chart[] {
    if (plan.labels.length < 2 || plan.networks.length > 1 || plan.optimizers.length > 1) return [];
    const rates = new Set(settings.map(({ setting }) => setting.learningRate));
    if (rates.size > 1) return [];
    // Side by side, or the intervals of all arms would be one line.
    const aside = (arm: string): number => 1.015 ** (this.#arms.indexOf(arm) - (this.#arms.length - 1) / 2);
    const rows = settings.flatMap(({ arms }) =>
      arms.map(({ arm, score: { mean, low, high }, labelsUsed }) => ({
        arm,
        amount: labelsUsed,
        labels: labelsUsed * aside(arm),
        mean: this.#shown(mean),
        low: this.#shown(low ?? mean),
        high: this.#shown(high ?? mean),
      })),
    );
    const svg = this.#plot(
      {
        height: 320,
        x: {
          label: "labels",
          type: "log",
          ticks: [...new Set(rows.map(({ amount }) => amount))],
          tickFormat: (value: number) => value.toLocaleString("en"),
          inset: 24,
        },
        y: { label: this.#axis(), grid: true, inset: 6 },
        marks: [
          Plot.ruleX(rows, {
            x: "labels",
            y1: "low",
            y2: "high",
            stroke: (row) => this.#colour(row.arm),
            strokeOpacity: 0.6,
            strokeWidth: 1.5,
          }),
          Plot.lineY(rows, {
            x: "labels",
            y: "mean",
            z: "arm",
            stroke: (row) => this.#colour(row.arm),
            strokeWidth: 1.8,
          }),
          Plot.dot(rows, { x: "labels", y: "mean", fill: (row) => this.#colour(row.arm), r: 3 }),
        ],
      },
      settings[0]?.arms ?? [],
    );
    return [
      {
        name: "labels",
        title: `${this.#measure.title} against the number of labels`,
        caption: `After ${plan.steps} supervised steps; mean over seeds with its 95 % interval. Arms of as many labels are drawn side by side.`,
        svg,
      },
    ];
  }

  /** The grid of depths and activations: one map an arm. */
  grid(plan: StudyPlan, { settings }: StudySummary): Chart[] {
    if (plan.networks.length < 2) return [];
    const cells = new Map(plan.networks.map(({ name, cell }) => [name, cell]));
    const rows = this.#arms.flatMap((arm) => {
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
        row.values.push(this.#shown(own.score.mean));
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
    const svg = this.#plot({
      height: 74 + this.#arms.length * (activations.length * 22 + 14),
      // Room for the label above the ticks: it would lie over the middle one.
      marginTop: 46,
      marginLeft: 70,
      marginRight: marginOf(this.#arms),
      padding: 0.04,
      x: { label: "hidden layers", domain: depths, axis: "top", labelOffset: 40 },
      y: { label: null, domain: activations },
      fy: { label: null, domain: this.#arms, tickFormat: shortened },
      color: { type: "linear", scheme: "viridis", domain: [low, Math.max(high, low + this.#measure.factor / 100)] },
      marks: [
        Plot.cell(rows, { x: "depth", y: "activation", fy: "arm", fill: "score" }),
        Plot.text(rows, {
          x: "depth",
          y: "activation",
          fy: "arm",
          text: (row) => row.score.toFixed(this.#measure.digits),
          fill: (row) => (row.score > (low + high) / 2 ? "black" : "white"),
        }),
      ],
    });
    return [
      {
        name: "grid",
        title: "Convergence by depth and activation",
        caption: `Mean ${this.#axis()}, after ${plan.steps} supervised steps, for each arm.`,
        svg,
      },
    ];
  }

  /** Seconds of one thread. */
  cost({ settings }: StudySummary, steps: number): Chart[] {
    const [first] = settings;
    if (!first) return [];
    const rows = first.arms.flatMap(({ arm, pretraining, secondsPerStep }) => [
      { arm, part: "before", seconds: pretraining.seconds },
      { arm, part: `${steps} supervised steps`, seconds: secondsPerStep * steps },
    ]);
    const svg = this.#plot({
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

  /** Pre-activations and gradients of each layer before supervised training. */
  starts(setting: SettingSummary, suffix: string, place: string): Chart[] {
    const chart = (
      name: string,
      title: string,
      label: string,
      caption: string,
      value: (start: ArmInSetting["start"][number]) => number | null,
    ): Chart[] => {
      const rows = setting.arms.flatMap(({ arm, start }) =>
        start.flatMap((layer, index) => {
          const found = value(layer);
          return found === null || !(found > 0) ? [] : [{ arm, layer: index + 1, value: found }];
        }),
      );
      if (rows.length === 0) return [];
      const layers = Math.max(...rows.map(({ layer }) => layer));
      const svg = this.#plot(
        {
          height: 280,
          x: {
            label: "layer",
            ticks: Array.from({ length: layers }, (_, index) => index + 1),
            tickFormat: (tick: number) => String(tick),
            inset: 12,
          },
          y: { label, ...logAxis(rows.map(({ value: shown }) => shown)) },
          marks: [
            Plot.lineY(rows, {
              x: "layer",
              y: "value",
              z: "arm",
              stroke: (row) => this.#colour(row.arm),
              strokeWidth: 1.8,
            }),
            Plot.dot(rows, { x: "layer", y: "value", fill: (row) => this.#colour(row.arm), r: 3 }),
          ],
        },
        setting.arms,
      );
      return [{ name: `${name}${suffix}`, title: `${title}${place}`, caption, svg }];
    };
    return [
      ...chart(
        "activations",
        "Activations at the start",
        "standard deviation of the pre-activations",
        "Before supervised training, on unlabelled samples; F's layers from the input on.",
        (start) => start.standardDeviation,
      ),
      ...chart(
        "gradients",
        "Gradients at the start",
        "root mean square of the gradient",
        "Of the loss by each layer's weight, on the first labelled batch.",
        (start) => start.gradient,
      ),
    ];
  }

  #colour(arm: string): string {
    return colourOf(this.#arms.indexOf(arm));
  }

  /** @param legend the arms whose colours are explained above the chart */
  #plot(options: Plot.PlotOptions, legend: readonly { readonly arm: string }[] = []): string {
    return plotSvg(
      options,
      legend.map(({ arm }) => ({ name: shortened(arm), colour: this.#colour(arm) })),
    );
  }
}
