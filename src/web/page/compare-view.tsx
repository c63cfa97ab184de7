/** Runs laid over each other. */
import { useMemo, useState } from "preact/hooks";
import type { Entry, RunSeries } from "../protocol.js";
import { Chart, type Line } from "./chart.js";
import { say } from "./language.js";
import { useSeries } from "./live.js";
import { metricName } from "./run-charts.js";
import { Table } from "./table.js";
import { lineColor, useTheme } from "./theme.js";

/** @param entries the list; undefined before it is known */
export function CompareView({ ids, entries }: { ids: readonly string[]; entries: readonly Entry[] | undefined }) {
  const [metric, setMetric] = useState("generator/loss");
  const theme = useTheme();
  const { known, error } = useSeries(ids, entries);
  const metrics = useMemo(() => metricsOf(known), [known]);
  const chosen = metrics.includes(metric) ? metric : (metrics[0] ?? metric);
  // A run's colour is that of its place, whichever of the others have the metric.
  const lines = useMemo(
    () =>
      ids.flatMap((id, place): Line[] => {
        const one = known.get(id)?.series[chosen];
        return one ? [{ name: id, color: lineColor(place), steps: one.steps, values: one.values }] : [];
      }),
    [known, ids.join(","), chosen, theme],
  );
  if (ids.length === 0) return <p class="faint pad">{say("compare.none")}</p>;
  return (
    <article>
      <h1>{say("compare.title")}</h1>
      <div class="row">
        <label>
          {say("compare.metric")}{" "}
          <select value={chosen} onChange={(event) => setMetric(event.currentTarget.value)}>
            {metrics.map((name) => (
              <option key={name} value={name}>
                {name}
                {metricName(name) === name ? "" : ` (${metricName(name)})`}
              </option>
            ))}
          </select>
        </label>
        <span class="faint" role="status">
          {known.size < ids.length ? say("compare.loading", { done: known.size, all: ids.length }) : ""}
        </span>
      </div>
      {error && (
        <p class="warning" role="alert">
          {say("error", { message: error })}
        </p>
      )}
      {entries &&
        ids
          .filter((id) => entries.every((entry) => entry.id !== id))
          .map((id) => (
            <p class="warning" key={id}>
              {say("entry.none", { name: id })}
            </p>
          ))}
      <Chart title={chosen} lines={lines} height={380} />
      <Values metric={chosen} ids={ids.filter((id) => known.has(id))} lines={lines} entries={entries ?? []} />
    </article>
  );
}

/** The metrics that any of the runs has. */
function metricsOf(known: ReadonlyMap<string, RunSeries>): string[] {
  const names = new Set([...known.values()].flatMap(({ series }) => Object.keys(series)));
  names.delete("epoch");
  return [...names].sort();
}

/** A metric's values, run by run; those of a run that has none are left open. */
function Values(props: { metric: string; ids: readonly string[]; lines: readonly Line[]; entries: readonly Entry[] }) {
  const { metric, ids, lines, entries } = props;
  return (
    <Table
      title={say("compare.table")}
      name={`compare-${metric}`}
      head={[
        say("compare.run"),
        say("recipe"),
        say("seed"),
        say("compare.last"),
        say("compare.best"),
        say("compare.largest"),
      ]}
      rows={ids.map((id) => {
        const entry = entries.find((one) => one.id === id);
        const numbers = lines.find(({ name }) => name === id)?.values.filter((value) => value !== null) ?? [];
        const last = numbers.at(-1);
        return [
          id,
          entry?.recipe ?? "–",
          entry?.seed ?? "–",
          ...(last === undefined ? ["–", "–", "–"] : [last, least(numbers), most(numbers)]),
        ];
      })}
    />
  );
}

// Of long series, which are too many for the arguments of Math.min.
const least = (values: readonly number[]): number => values.reduce((first, second) => Math.min(first, second));
const most = (values: readonly number[]): number => values.reduce((first, second) => Math.max(first, second));
