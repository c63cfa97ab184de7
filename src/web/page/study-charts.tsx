/** Charts of a study's summary: labels, steps to the target, cost, and the grid of convergence. */
import * as Plot from "@observablehq/plot";
import type { ArmView, SettingView, SummaryView } from "../protocol.js";
import { Chart, type Line } from "./chart.js";
import { number, say } from "./language.js";
import { PlotFigure } from "./plot-figure.js";
import { type Measure, meanOf, settingLabel } from "./study-words.js";
import { lineColor } from "./theme.js";

export interface StudyChartsProps {
  readonly summary: SummaryView;
  readonly measure: Measure;
  readonly steps: number;
  /** Those that are shown, of all. */
  readonly shown: readonly string[];
  readonly arms: readonly string[];
  readonly networks: readonly NetworkCell[];
}

export interface NetworkCell {
  readonly name: string;
  readonly cell?: { readonly depth?: number; readonly activation?: string };
}

export function StudyCharts(props: StudyChartsProps) {
  const settings = props.summary.settings.map((setting) => ({
    ...setting,
    arms: setting.arms.filter(({ arm }) => props.shown.includes(arm)),
  }));
  return (
    <div class="charts own-height">
      <LabelsChart {...props} settings={settings} />
      <TargetChart {...props} settings={settings} />
      <CostChart {...props} settings={settings} />
      <GridChart {...props} settings={settings} />
    </div>
  );
}

interface Shown extends StudyChartsProps {
  readonly settings: readonly SettingView[];
}

/** An arm in several settings. */
function inSettings(settings: readonly SettingView[], arm: string): ArmView[] {
  return settings.flatMap(({ arms }) => arms.filter((own) => own.arm === arm));
}

function LabelsChart({ settings, shown, arms, measure }: Shown) {
  const amounts = [...new Set(settings.map(({ setting }) => setting.labels))];
  if (amounts.length < 2) return null;
  const lines = shown.flatMap((arm): Line[] => {
    const points = amounts
      .map((amount) => {
        const own = inSettings(
          settings.filter(({ setting }) => setting.labels === amount),
          arm,
        );
        // An interval is of one setting; the mean of several has none here.
        const only = own.length === 1 ? own[0].score : undefined;
        return {
          labels: meanOf(own.map(({ labelsUsed }) => labelsUsed)),
          score: meanOf(own.map(({ score }) => score.mean)),
          low: only?.low ?? null,
          high: only?.high ?? null,
        };
      })
      .filter(({ score }) => Number.isFinite(score))
      .sort((first, second) => first.labels - second.labels);
    if (points.length === 0) return [];
    return [
      {
        name: arm,
        color: lineColor(arms.indexOf(arm)),
        steps: points.map(({ labels }) => labels),
        values: points.map(({ score }) => score),
        low: points.map(({ low }) => low),
        high: points.map(({ high }) => high),
      },
    ];
  });
  return (
    <Chart
      title={say(`study.byLabels.${measure}`)}
      lines={lines}
      xLabel={say("study.labels")}
      yLabel={say(`study.axis.${measure}`)}
      percent={measure !== "r2"}
      height={280}
      dotted
    />
  );
}

/** More settings than this make a chart too long to read. */
const mostSettings = 6;

function TargetChart({ summary, settings, arms }: Shown) {
  const first = settings.slice(0, mostSettings);
  const rows = first.flatMap(({ arms: own, ...setting }) =>
    own.map(({ arm, seeds, stepsToTarget }) => ({
      setting: settingLabel(setting, summary.settings),
      arm,
      ...stepsToTarget,
      seeds: seeds.length,
    })),
  );
  if (rows.length === 0) return null;
  const several = first.length > 1;
  const names = [...new Set(rows.map(({ arm }) => arm))];
  return (
    <PlotFigure
      title={say("study.target")}
      note={[
        say("study.target.note"),
        ...(settings.length > first.length
          ? [say("study.firstSettings", { shown: first.length, all: settings.length })]
          : []),
      ].join(" ")}
      draw={(width) => ({
        height: 60 + first.length * (names.length * 22 + (several ? 30 : 0)),
        marginLeft: leftMargin(names, width),
        marginTop: several ? 34 : 14,
        marginRight: 16,
        x: { label: say("steps"), grid: true, zero: true, ticks: Math.max(3, Math.floor(width / 110)) },
        y: { label: null, domain: names },
        marginBottom: 40,
        ...(several ? { fy: { label: null, axis: null, padding: 0.3 } } : {}),
        marks: [
          Plot.ruleY(
            rows.filter(({ low, high }) => low !== null && high !== null),
            {
              x1: "low",
              x2: "high",
              y: "arm",
              ...(several ? { fy: "setting" } : {}),
              stroke: ({ arm }) => lineColor(arms.indexOf(arm)),
              strokeWidth: 2,
            },
          ),
          Plot.dot(
            rows.filter(({ median }) => median !== null),
            {
              x: "median",
              y: "arm",
              ...(several ? { fy: "setting" } : {}),
              fill: ({ arm }) => lineColor(arms.indexOf(arm)),
              r: 4.5,
            },
          ),
          Plot.text(
            rows.filter(({ median }) => median === null),
            {
              frameAnchor: "left",
              dx: 4,
              y: "arm",
              ...(several ? { fy: "setting" } : {}),
              text: ({ reached, seeds }) => say("study.target.reached", { reached, seeds }),
              fill: "currentColor",
            },
          ),
          ...(several ? [facetTitles([...new Set(rows.map(({ setting }) => setting))], -12)] : []),
        ],
      })}
      table={[
        [
          say("study.setting"),
          say("study.arm"),
          say("study.target.median"),
          say("study.target.low"),
          say("study.target.high"),
          say("study.target.count"),
          say("study.seeds"),
        ],
        ...rows.map((row) => [row.setting, row.arm, row.median, row.low, row.high, row.reached, row.seeds]),
      ]}
    />
  );
}

function CostChart({ summary, settings, steps }: Shown) {
  const [first] = settings;
  if (!first || first.arms.length === 0) return null;
  const all = [
    {
      name: say("study.cost.pretraining"),
      color: lineColor(1),
      seconds: ({ pretraining }: ArmView) => pretraining.seconds,
    },
    {
      name: say("study.cost.supervised", { steps: number(steps) }),
      color: lineColor(0),
      seconds: ({ secondsPerStep }: ArmView) => secondsPerStep * steps,
    },
  ];
  const parts = all.filter(({ seconds }) => first.arms.some((own) => seconds(own) > 0));
  const rows = first.arms.flatMap((own) =>
    parts.map(({ name, color, seconds }) => ({ arm: own.arm, part: name, color, seconds: seconds(own) })),
  );
  const names = first.arms.map(({ arm }) => arm);
  return (
    <PlotFigure
      title={say("study.cost")}
      {...(settings.length > 1 ? { note: settingLabel(first, summary.settings) } : {})}
      draw={(width) => ({
        height: 62 + names.length * 24,
        marginLeft: leftMargin(names, width),
        marginTop: 14,
        marginBottom: 40,
        marginRight: 16,
        x: { label: say("study.cost.axis"), grid: true, ticks: Math.max(3, Math.floor(width / 110)) },
        y: { label: null, domain: names },
        marks: [Plot.barX(rows, { x: "seconds", y: "arm", fill: "color" }), Plot.ruleX([0])],
      })}
      legend={parts}
      table={[
        [say("study.arm"), ...parts.map(({ name }) => name)],
        ...first.arms.map((own) => [own.arm, ...parts.map(({ seconds }) => seconds(own))]),
      ]}
    />
  );
}

function GridChart({ settings, shown, networks, measure, steps }: Shown) {
  const rows = shown.flatMap((arm) =>
    networks.flatMap(({ name, cell }) => {
      const own = inSettings(
        settings.filter(({ setting }) => setting.network === name),
        arm,
      );
      if (cell === undefined || own.length === 0) return [];
      return [
        {
          arm,
          depth: cell.depth ?? 0,
          activation: cell.activation ?? "",
          score: meanOf(own.map(({ score }) => score.mean)),
        },
      ];
    }),
  );
  const cells = new Set(rows.map(({ depth, activation }) => `${depth} ${activation}`));
  if (cells.size < 2) return null;
  const activations = [...new Set(rows.map(({ activation }) => activation))];
  const names = [...new Set(rows.map(({ arm }) => arm))];
  // One far below what there is to see would leave nothing of the others.
  const seen = ({ score }: { score: number }): number => Math.max(measure === "r2" ? -1 : 0, score);
  const [low, high] = [Math.min(...rows.map(seen)), Math.max(...rows.map(seen))];
  return (
    <PlotFigure
      title={say("study.grid")}
      note={say(`study.grid.note.${measure}`, { steps: number(steps) })}
      draw={(width) => ({
        height: 64 + names.length * (activations.length * 24 + 28),
        marginLeft: leftMargin(activations, width),
        marginTop: 40,
        marginBottom: 10,
        padding: 0.04,
        x: {
          label: say("study.grid.depth"),
          labelAnchor: "center",
          domain: [...new Set(rows.map(({ depth }) => depth))].sort((first, second) => first - second),
          axis: "top",
        },
        y: { label: null, domain: activations },
        fy: { domain: names, axis: null, padding: 0.25 },
        color: { type: "linear", scheme: "viridis", domain: [low, Math.max(high, low + 0.01)] },
        marks: [
          Plot.cell(rows, { x: "depth", y: "activation", fy: "arm", fill: seen }),
          Plot.text(rows, {
            x: "depth",
            y: "activation",
            fy: "arm",
            text: ({ score }) => (measure === "r2" ? score.toFixed(2) : (100 * score).toFixed(1)),
            fill: (row) => (seen(row) > (low + high) / 2 ? "black" : "white"),
          }),
          facetTitles(names, -10),
        ],
      })}
      table={[
        [say("study.arm"), say("study.grid.depth"), say("study.grid.activation"), say(`study.axis.${measure}`)],
        ...rows.map(({ arm, depth, activation, score }) => [arm, depth, activation, score]),
      ]}
    />
  );
}

/** Room for names before an axis, by an estimate of how wide they are. */
function leftMargin(names: readonly string[], width: number): number {
  return Math.min(0.45 * width, 14 + 6.3 * Math.max(...names.map(({ length }) => length)));
}

/** The names of a chart's parts that lie below one another, each above its own. */
function facetTitles(names: readonly string[], dy: number) {
  return Plot.text(names, {
    fy: (name) => name,
    text: (name) => name,
    frameAnchor: "top-left",
    dy,
    fontWeight: "bold",
    fill: "currentColor",
  });
}
