/** What all charts have: their width, a legend, and buttons that save them. */
import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { say } from "./language.js";
import { saveCsv, savePng, saveSvg } from "./save.js";

export interface LegendItem {
  readonly name: string;
  readonly color: string;
  readonly dashed?: boolean;
}

/** The width of an element in pixels, 0 before it is known. */
export function useWidth(holder: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = holder.current;
    if (!element) return;
    const watcher = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);
  return width;
}

/** Puts a plot into the page. @returns its SVG */
export function place(
  plot: (SVGSVGElement | HTMLElement) & { querySelector: Element["querySelector"] },
  holder: HTMLElement,
): SVGSVGElement {
  const svg = plot.querySelector("svg") ?? plot;
  // The page's style sheet has these rules: its security policy allows no others.
  for (const style of plot.querySelectorAll("style")) style.remove();
  svg.setAttribute("aria-hidden", "true");
  holder.replaceChildren(plot);
  return svg as SVGSVGElement;
}

/** Buttons that save a chart as SVG and PNG, with its legend, and its numbers as CSV. */
export function SaveButtons(props: {
  title: string;
  svg: () => SVGSVGElement | undefined;
  legend: readonly LegendItem[];
  table: () => readonly (readonly (string | number | null)[])[];
}) {
  const { title, legend, table } = props;
  return (
    <span class="chart-tools">
      {(["SVG", "PNG", "CSV"] as const).map((format) => (
        <button
          type="button"
          class="quiet"
          aria-label={say("chart.save", { title, format })}
          title={say("chart.save", { title, format })}
          key={format}
          onClick={() => {
            const svg = props.svg();
            if (format === "CSV") saveCsv(title, table());
            else if (svg && format === "SVG") saveSvg(svg, legend, title);
            else if (svg) void savePng(svg, legend, title);
          }}
        >
          {format}
        </button>
      ))}
    </span>
  );
}

/** Names beside their lines' colours. */
export function Legend({ items }: { items: readonly LegendItem[] }) {
  return (
    <ul class="legend">
      {items.map(({ name, color, dashed }) => (
        <li key={name}>
          <svg width="18" height="8" aria-hidden="true">
            <line
              x1="0"
              x2="18"
              y1="4"
              y2="4"
              stroke={color}
              stroke-width="3"
              stroke-dasharray={dashed ? "4 3" : undefined}
            />
          </svg>
          {name}
        </li>
      ))}
    </ul>
  );
}
