/** Draws one chart as a whole SVG document, with a legend that has room for long names. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** Ten colours that are told apart in print and by most eyes, and ten darker ones for studies of more arms. */
const colours = [
  "#4269d0",
  "#ff725c",
  "#3ca951",
  "#a463f2",
  "#efb118",
  "#9c6b4e",
  "#6cc5b0",
  "#ff8ab7",
  "#97bbf5",
  "#9498a0",
  "#1b2f6b",
  "#a3271a",
  "#17602c",
  "#5c1fa8",
  "#8a6400",
  "#4d3120",
  "#1f7f72",
  "#b0336b",
  "#31649c",
  "#4c5058",
];

const width = 720;

/** Above and below what is drawn, in a chart without a legend. */
const margins = { top: 24, bottom: 40 };

/** The minimum of a document that Plot writes to, and what is taken out again. */
interface Element {
  outerHTML: string;
  setAttribute(name: string, value: string): void;
  appendChild(child: Element): void;
  textContent: string;
}

interface Writer {
  readonly document: { createElementNS(namespace: string, name: string): Element };
}

/** The colour of the arm at a place in the study's list. */
export function colourOf(place: number): string {
  return colours[Math.max(0, place) % colours.length];
}

/** An entry of a legend. */
export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
}

/** Draws with Plot, in the size and type of all of a study's charts. @param legend what colours stand for, said above */
export function plotSvg(options: Plot.PlotOptions, legend: readonly LegendEntry[] = []): string {
  const { document } = parseHTML("<html><body></body></html>") as unknown as Writer;
  const rows = legendRows(legend);
  // Plot writes the label of the vertical axis on the first line.
  const marginTop = 28 + rows.length * 16;
  const svg = Plot.plot({
    width,
    marginLeft: 52,
    ...options,
    height: (options.height ?? 300) + rows.length * 16,
    marginTop: legend.length > 0 ? marginTop : (options.marginTop ?? margins.top),
    marginBottom: margins.bottom,
    style: { fontSize: "12px", fontFamily: "system-ui, sans-serif", background: "white" },
    document: document as never,
  } as Plot.PlotOptions) as unknown as Element;
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const add = (tag: string, attributes: Readonly<Record<string, string | number>>): Element => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    svg.appendChild(element);
    return element;
  };
  rows.forEach((row, line) => {
    for (const { name, colour, x } of row) {
      add("circle", { cx: x, cy: 24 + line * 16, r: 5, fill: colour });
      add("text", { x: x + 9, y: 28 + line * 16, fill: "#222", "text-anchor": "start" }).textContent = name;
    }
  });
  return svg.outerHTML;
}

/** The height of a chart that has so many rows, a name each. */
export function heightOf(rows: number): number {
  return margins.top + margins.bottom + 26 * rows;
}

/** About how wide a letter is. */
const letter = 6.6;

/** The longest name that charts write out: an arm may have the path of a file in its name. */
const longestName = 44;

/** A name as charts write it; of one that is too long the beginning and the end. */
export function shortened(name: string): string {
  if (name.length <= longestName) return name;
  const end = Math.floor(longestName / 2);
  return `${name.slice(0, longestName - end - 1)}…${name.slice(-end)}`;
}

/** A margin that has room for the names on an axis, and is alike where all of them are short. */
export function marginOf(names: readonly string[]): number {
  return Math.max(130, ...names.map((name) => 16 + letter * shortened(name).length));
}

/** A logarithmic axis with plain ticks. */
export function logAxis(values: readonly number[]): Plot.ScaleOptions {
  return { type: "log", grid: true, ticks: logTicks(values), tickFormat: plain };
}

/** A tick without the prefixes of the International System, which mean little on a loss. */
function plain(value: number): string {
  return value >= 1e-3 && value < 1e4
    ? String(Number(value.toPrecision(3)))
    : String(value.toExponential(1)).replace(".0e", "e");
}

/** More powers of ten than these have no room on an axis. */
const mostPowers = 10;

/**
 * Ticks of a logarithmic axis that all have room for their labels: 1, 2 and 5 of each power of ten, powers alone, or some of them, over
 * several, and even steps where the values lie too close together for either.
 */
export function logTicks(values: readonly number[]): number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const within = (tick: number): boolean => tick >= low * 0.999 && tick <= high * 1.001;
  const powers = Array.from(
    { length: Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 },
    (_, index) => Math.floor(Math.log10(low)) + index,
  );
  const of = (...digits: number[]): number[] =>
    powers.flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`))).filter(within);
  const fine = of(1, 2, 5);
  if (fine.length > 7) {
    const whole = of(1);
    const every = Math.ceil(whole.length / mostPowers);
    return whole.filter((_, index) => index % every === 0);
  }
  if (fine.length >= 3) return fine;
  const rough = (high - low) / 4;
  if (!(rough > high * 1e-3)) return [Number(high.toPrecision(3))];
  const step = [1, 2, 2.5, 5, 10]
    .map((factor) => factor * 10 ** Math.floor(Math.log10(rough)))
    .find((candidate) => candidate >= rough * 0.999) as number;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(6)),
  );
}

/** Places of a legend's entries, by an estimate of how wide their names are. */
function legendRows(entries: readonly LegendEntry[]): (LegendEntry & { x: number })[][] {
  const rows: (LegendEntry & { x: number })[][] = [];
  let x = width;
  for (const entry of entries) {
    const needed = 28 + letter * entry.name.length;
    if (x + needed > width - 10) {
      rows.push([]);
      x = 46;
    }
    rows[rows.length - 1].push({ ...entry, x });
    x += needed;
  }
  return rows;
}
