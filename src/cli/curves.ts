/** Small pictures of numbers, made of characters. */

/** A line of a chart: its values stand at equal steps of the horizontal axis. */
export interface Curve {
  readonly name: string;
  readonly values: readonly number[];
}

export interface ChartOptions {
  /** Columns of the whole chart, its axis included. */
  readonly width: number;
  /** Rows of the plot. */
  readonly height: number;
  readonly unicode: boolean;
  /** What stands below, such as "training steps"; `from` and `to` are its ends. */
  readonly horizontal: { readonly label: string; readonly from: string; readonly to: string };
  /** How a value of the vertical axis is written; default: three significant digits. */
  readonly format?: (value: number) => string;
}

const unicodeMarks = ["●", "○", "▲", "△", "■", "□"];
const asciiMarks = ["o", "x", "+", "*", "#", "@"];

/**
 * Draws curves over one another, each with its own mark; where two meet, the first one given is seen.
 *
 * @returns the lines of the chart, its legend last
 */
export function chart(curves: readonly Curve[], options: ChartOptions): string[] {
  const { height, unicode, horizontal, format = (value) => value.toPrecision(3) } = options;
  const { low, high } = extent(curves.flatMap((curve) => curve.values));
  if (low > high) return ["(no values)"];
  const labels = [format(high), format((high + low) / 2), format(low)];
  const margin = Math.max(...labels.map((label) => label.length));
  const columns = Math.max(8, options.width - margin - 2);
  const marks = unicode ? unicodeMarks : asciiMarks;

  const grid = Array.from({ length: height }, () => new Array<string>(columns).fill(" "));
  // The first curve is drawn last, on top.
  for (let index = curves.length - 1; index >= 0; index--) {
    for (let column = 0; column < columns; column++) {
      const value = valueAt(curves[index].values, column / (columns - 1));
      if (!Number.isFinite(value)) continue;
      const share = high > low ? (value - low) / (high - low) : 0.5;
      grid[Math.round((1 - share) * (height - 1))][column] = marks[index % marks.length];
    }
  }

  const [edge, floor, corner] = unicode ? ["│", "─", "└"] : ["|", "-", "+"];
  const lines = grid.map((row, index) => {
    const label =
      index === 0 ? labels[0] : index === height - 1 ? labels[2] : index === (height - 1) / 2 ? labels[1] : "";
    return `${label.padStart(margin)} ${edge}${row.join("").trimEnd()}`;
  });
  lines.push(`${" ".repeat(margin + 1)}${corner}${floor.repeat(columns)}`);
  const { from, label, to } = horizontal;
  const space = Math.max(2, columns - from.length - label.length - to.length);
  const before = " ".repeat(Math.floor(space / 2));
  lines.push(`${" ".repeat(margin + 2)}${from}${before}${label}${" ".repeat(space - before.length)}${to}`);
  curves.forEach((curve, index) => {
    lines.push(`${" ".repeat(margin + 2)}${marks[index % marks.length]} ${curve.name}`);
  });
  return lines;
}

/** The value at a share of the way, between two neighbours on the straight line. */
function valueAt(values: readonly number[], share: number): number {
  const place = share * (values.length - 1);
  const before = Math.floor(place);
  if (values.length === 0 || before >= values.length - 1) return values[values.length - 1] ?? Number.NaN;
  return values[before] + (place - before) * (values[before + 1] - values[before]);
}

/** The smallest and the largest finite value; low is above high where there is none. */
function extent(values: readonly number[]): { low: number; high: number } {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { low, high };
}
