/** What all charts of a study have in common: the arms' colours, the measure, and lines of arms. */
import * as Plot from "@observablehq/plot";
import type { Measure } from "./measure.js";
import { colourOf, plotSvg, shortened } from "./plot-svg.js";

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

/** Draws the charts of one study. */
export class ChartDrawing {
  /** Names of the arms in the study's order, which decides their colours. */
  readonly arms: readonly string[];
  readonly measure: Measure;

  constructor(arms: readonly string[], measure: Measure) {
    this.arms = arms;
    this.measure = measure;
  }

  /** The label of an axis of scores. */
  get axis(): string {
    const { name, unit } = this.measure;
    return `test ${name}${unit === "" ? "" : `, ${unit}`}`;
  }

  /** A score as charts show it: one far below what there is to see would leave nothing of the others. */
  shown(score: number): number {
    const { factor, shown } = this.measure;
    return factor * Math.max(shown[0], Math.min(shown[1], score));
  }

  colour(arm: string): string {
    return colourOf(this.arms.indexOf(arm));
  }

  /** A line for each arm. @param x and `y`: the rows' fields */
  lines<Row extends { readonly arm: string }>(rows: readonly Row[], x: keyof Row & string, y: keyof Row & string) {
    return Plot.lineY(rows, { x, y, z: "arm", stroke: (row: Row) => this.colour(row.arm), strokeWidth: 1.8 });
  }

  /** @param legend the arms whose colours are explained above the chart */
  plot(options: Plot.PlotOptions, legend: readonly { readonly arm: string }[] = []): string {
    return plotSvg(
      options,
      legend.map(({ arm }) => ({ name: shortened(arm), colour: this.colour(arm) })),
    );
  }
}
