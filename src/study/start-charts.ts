/** Charts of the arms' starts, before supervised training. */
import * as Plot from "@observablehq/plot";
import type { Chart, ChartDrawing } from "./chart-drawing.js";
import { logAxis } from "./plot-svg.js";
import type { ArmInSetting, SettingSummary } from "./setting-summary.js";

/** Pre-activations and gradients of each layer before supervised training. */
export function startCharts(draw: ChartDrawing, setting: SettingSummary, suffix: string, place: string): Chart[] {
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
    const svg = draw.plot(
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
          draw.lines(rows, "layer", "value"),
          Plot.dot(rows, { x: "layer", y: "value", fill: (row) => draw.colour(row.arm), r: 3 }),
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
