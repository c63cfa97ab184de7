/** A chart that stands still, such as bars or a heat map, and can be saved. */
import * as Plot from "@observablehq/plot";
import { useEffect, useId, useRef } from "preact/hooks";
import { Legend, type LegendItem, place, SaveButtons, useWidth } from "./chart-parts.js";
import { useLanguage } from "./language.js";
import { useTheme } from "./theme.js";

export interface PlotFigureProps {
  readonly title: string;
  readonly note?: string;
  /** What is drawn, at a width in pixels. */
  readonly draw: (width: number) => Plot.PlotOptions;
  readonly legend?: readonly LegendItem[];
  /** The same as a table, its head first. */
  readonly table: readonly (readonly (string | number | null)[])[];
}

export function PlotFigure({ title, note, draw, legend = [], table }: PlotFigureProps) {
  const holder = useRef<HTMLDivElement>(null);
  const svg = useRef<SVGSVGElement | undefined>(undefined);
  const width = useWidth(holder);
  const heading = useId();
  const language = useLanguage();
  const theme = useTheme();
  const content = JSON.stringify(table);
  useEffect(() => {
    if (!holder.current || width < 50) return;
    svg.current = place(Plot.plot({ width, ...draw(width) }), holder.current);
  }, [content, width, language, theme]);
  const [, ...rows] = table;
  return (
    <figure class="chart" aria-labelledby={heading}>
      <figcaption>
        <h2 id={heading}>{title}</h2>
        <SaveButtons title={title} svg={() => svg.current} legend={legend} table={() => table} />
      </figcaption>
      {note && <p class="help">{note}</p>}
      <div
        ref={holder}
        class="plot still"
        role="img"
        aria-label={`${title}. ${rows
          .slice(0, 12)
          .map((row) => row.filter((cell) => cell !== null).join(" "))
          .join("; ")}`}
      />
      {legend.length > 1 && <Legend items={legend} />}
    </figure>
  );
}
