/** A table that can be saved. */
import type { ComponentChildren } from "preact";
import { number, say } from "./language.js";
import { saveCsv } from "./save.js";

/** A cell; where it looks like more than its text, both. */
export type Cell = string | number | { readonly text: string; readonly content: ComponentChildren };

const plain = (cell: Cell): string | number => (typeof cell === "object" ? cell.text : cell);

export function Table(props: {
  title: string;
  head: readonly string[];
  rows: readonly (readonly Cell[])[];
  name: string;
}) {
  const { title, head, rows, name } = props;
  return (
    <section class="panel">
      <div class="row">
        <h2>{title}</h2>
        <span class="space" />
        <button
          type="button"
          class="quiet"
          aria-label={say("chart.save", { title, format: "CSV" })}
          onClick={() => saveCsv(name, [head, ...rows.map((row) => row.map(plain))])}
        >
          CSV
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table is scrolled with the keyboard too */}
      <section class="table" tabIndex={0} aria-label={title}>
        <table>
          <thead>
            <tr>
              {head.map((cell) => (
                <th scope="col" key={cell}>
                  {cell || <span class="hidden">–</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.map(plain).join("|")}>
                {row.map((cell, column) => {
                  const text = typeof cell === "object" ? cell.content : typeof cell === "number" ? number(cell) : cell;
                  return column === 0 ? (
                    <th scope="row" key={head[column]}>
                      {text}
                    </th>
                  ) : (
                    <td key={head[column]}>{text}</td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </section>
  );
}
