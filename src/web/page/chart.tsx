/** A chart of lines over steps, which can be panned, zoomed and saved. */
import * as Plot from "@observablehq/plot";
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { Legend, place, SaveButtons, useWidth } from "./chart-parts.js";
import { number, say, useLanguage } from "./language.js";
import { lineColor, useTheme } from "./theme.js";

/** A line with gaps where a value is null. */
export interface Line {
  readonly name: string;
  readonly steps: readonly number[];
  readonly values: readonly (number | null)[];
  readonly color?: string;
  readonly dashed?: boolean;
  /** A band around the line. */
  readonly low?: readonly (number | null)[];
  readonly high?: readonly (number | null)[];
}

export interface ChartProps {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly xLabel?: string;
  readonly yLabel?: string;
  readonly logarithmic?: boolean;
  readonly percent?: boolean;
  /** What of the x axis is seen, shared by charts that move together; undefined for all. */
  readonly view?: View;
  readonly onView?: (view: View | undefined) => void;
  readonly height?: number;
  /** Steps up and down rather than lines, for histograms. */
  readonly stepped?: boolean;
  /** A dot at each point, for lines of few. */
  readonly dotted?: boolean;
}

export type View = readonly [number, number];

interface Point {
  readonly x: number;
  readonly y: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** Lines over steps. Charts with one `view` are panned and zoomed together; without, each by itself. */
export function Chart(props: ChartProps) {
  const { title, lines, height = 220, logarithmic = false, xLabel = say("step") } = props;
  const language = useLanguage();
  const holder = useRef<HTMLDivElement>(null);
  const plotted = useRef<{ svg: SVGSVGElement; invert: (pixel: number) => number } | null>(null);
  const width = useWidth(holder);
  const [ownView, setOwnView] = useState<View | undefined>();
  const view = props.onView ? props.view : ownView;
  const setView = props.onView ?? setOwnView;
  const heading = useId();
  const theme = useTheme();
  const extent = useMemo(() => extentOf(lines), [lines]);
  const styled = useMemo(
    () => lines.map((line, index) => ({ ...line, color: line.color ?? lineColor(index) })),
    [lines, theme],
  );
  const empty = extent === undefined;

  useEffect(() => {
    const element = holder.current;
    if (!element || width < 50 || !extent) return;
    const [low, high] = view ?? extent;
    const plot = plotOf(styled, [low, high], width, { ...props, height, logarithmic, xLabel });
    const svg = place(plot, element);
    const scale = plot.scale("x");
    plotted.current = { svg, invert: (pixel) => Number(scale?.invert?.(pixel) ?? 0) };
  }, [styled, width, height, view, logarithmic, language, extent]);

  const zoom = (factor: number, around?: number): void => {
    if (!extent) return;
    const [low, high] = view ?? extent;
    const center = around ?? (low + high) / 2;
    setView(limited([center - (center - low) * factor, center + (high - center) * factor], extent));
  };
  const pan = (share: number): void => {
    if (!extent) return;
    const [low, high] = view ?? extent;
    const moved = share * (high - low);
    setView(limited([low + moved, high + moved], extent));
  };
  const drag = useRef<{ x: number; view: View } | null>(null);
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    // By hand, because a wheel listener has to be told that it may keep the page from scrolling.
    const wheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const at = plotted.current?.invert(event.clientX - element.getBoundingClientRect().left);
      zoom(event.deltaY > 0 ? 1.25 : 0.8, at);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  });

  const keys: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => pan(-0.1),
    ArrowRight: () => pan(0.1),
    "+": () => zoom(0.7),
    "=": () => zoom(0.7),
    "-": () => zoom(1.4),
    "0": () => setView(undefined),
  };
  const summary = lines
    .slice(0, 8)
    .map((line) => {
      const known = line.values.filter((value) => value !== null);
      return say("chart.summary", { name: line.name, first: number(known[0]), last: number(known.at(-1)) });
    })
    .join("; ");

  return (
    <figure class="chart" aria-labelledby={heading}>
      <figcaption>
        <h2 id={heading}>{title}</h2>
        {!empty && (
          <SaveButtons
            title={title}
            svg={() => plotted.current?.svg}
            legend={styled}
            table={() => tableOf(lines, xLabel)}
          />
        )}
      </figcaption>
      {empty && <p class="faint">{say("chart.empty")}</p>}
      <div
        ref={holder}
        class={empty ? "plot none" : "plot"}
        role="application"
        aria-label={`${title}. ${summary}. ${say("chart.help")}`}
        title={empty ? undefined : say("chart.help")}
        tabIndex={empty ? -1 : 0}
        style={{ minHeight: empty ? 0 : height }}
        onKeyDown={(event) => {
          const act = keys[event.key];
          if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
          event.preventDefault();
          act();
        }}
        onDblClick={() => setView(undefined)}
        onPointerDown={(event) => {
          if (event.button !== 0 || !extent) return;
          drag.current = { x: event.clientX, view: view ?? extent };
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={(event) => {
          if (!drag.current || !extent) return;
          const [low, high] = drag.current.view;
          const moved = ((drag.current.x - event.clientX) / Math.max(1, width - 66)) * (high - low);
          if (view || Math.abs(event.clientX - drag.current.x) > 3)
            setView(limited([low + moved, high + moved], extent));
        }}
        onPointerUp={() => {
          drag.current = null;
        }}
        onPointerCancel={() => {
          drag.current = null;
        }}
      />
      {styled.length > 1 && styled.length <= 12 && <Legend items={styled} />}
    </figure>
  );
}

/** Draws lines between two steps, with a tip at each point where they are not too many. */
function plotOf(
  lines: readonly (Line & { readonly color: string })[],
  [low, high]: View,
  width: number,
  shape: Pick<ChartProps, "stepped" | "dotted" | "yLabel" | "percent"> & {
    readonly height: number;
    readonly logarithmic: boolean;
    readonly xLabel: string;
  },
) {
  const { height, logarithmic, xLabel } = shape;
  const many = lines.length > 30;
  const marks: Plot.Markish[] = [];
  const all: { x: number; y: number; text: string }[] = [];
  for (const line of lines) {
    const points = visible(line, low, high, logarithmic);
    if (line.low && line.high)
      marks.push(
        Plot.areaY(points, { x: "x", y1: "low", y2: "high", fill: line.color, fillOpacity: 0.15, clip: true }),
      );
    marks.push(
      Plot.lineY(points, {
        x: "x",
        y: "y",
        stroke: line.color,
        strokeWidth: many ? 0.8 : 1.6,
        strokeOpacity: many ? 0.5 : 1,
        clip: true,
        ...(line.dashed ? { strokeDasharray: "4 3" } : {}),
        ...(shape.stepped ? { curve: "step-after" as const } : {}),
      }),
    );
    // A single point makes no line.
    if (points.length === 1 || shape.dotted) marks.push(Plot.dot(points, { x: "x", y: "y", fill: line.color, r: 3 }));
    if (!many)
      for (const { x, y } of points)
        if (y !== null && x >= low && x <= high)
          all.push({ x, y, text: `${line.name}\n${xLabel} ${number(x)}: ${number(y)}` });
  }
  if (!many) marks.push(Plot.tip(all, Plot.pointer({ x: "x", y: "y", title: "text", className: "tip" })));
  return Plot.plot({
    width,
    height,
    marginLeft: 52,
    marginRight: 14,
    marginTop: shape.yLabel || shape.percent ? 22 : 12,
    marginBottom: 34,
    x: {
      domain: low === high ? [low - 1, high + 1] : [low, high],
      label: xLabel,
      labelAnchor: "center",
      ticks: Math.max(3, Math.floor(width / 90)),
    },
    y: {
      type: logarithmic ? "log" : "linear",
      grid: true,
      nice: true,
      ticks: 5,
      label: shape.yLabel ?? (shape.percent ? "%" : null),
      ...(shape.percent ? { percent: true } : {}),
      ...(logarithmic ? { tickFormat: (value: number) => number(value) } : {}),
    },
    marks: [...marks],
  });
}

/** The points that are seen, and one beyond each side so that lines reach the edge. */
function visible(line: Line, low: number, high: number, logarithmic: boolean): Point[] {
  const points: Point[] = [];
  for (let index = 0; index < line.steps.length; index++) {
    if (index + 1 < line.steps.length && line.steps[index + 1] < low) continue;
    if (index > 0 && line.steps[index - 1] > high) break;
    const value = line.values[index];
    points.push({
      x: line.steps[index],
      y: logarithmic && value !== null && value <= 0 ? null : value,
      low: line.low?.[index] ?? null,
      high: line.high?.[index] ?? null,
    });
  }
  return points;
}

function extentOf(lines: readonly Line[]): View | undefined {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const { steps } of lines)
    if (steps.length > 0) {
      low = Math.min(low, steps[0]);
      high = Math.max(high, steps[steps.length - 1]);
    }
  return low <= high ? [low, high] : undefined;
}

/** Kept within what there is; undefined where that is all. */
function limited([low, high]: View, [least, most]: View): View | undefined {
  const width = high - low;
  if (width >= most - least) return undefined;
  const begin = Math.min(Math.max(low, least), most - width);
  return [begin, begin + width];
}

/** One row a step, one column a line. */
function tableOf(lines: readonly Line[], xLabel: string): (string | number | null)[][] {
  const rows = new Map<number, (number | null)[]>();
  lines.forEach((line, column) => {
    line.steps.forEach((step, index) => {
      let row = rows.get(step);
      if (!row) {
        row = new Array<number | null>(lines.length).fill(null);
        rows.set(step, row);
      }
      row[column] = line.values[index];
    });
  });
  const sorted = [...rows].sort(([first], [second]) => first - second);
  return [[xLabel, ...lines.map(({ name }) => name)], ...sorted.map(([step, values]) => [step, ...values])];
}
