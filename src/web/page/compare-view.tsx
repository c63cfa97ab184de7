/** Runs laid over each other. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Entry, RunSeries } from "../protocol.js";
import { api } from "./api.js";
import { Chart, type Line } from "./chart.js";
import { say } from "./language.js";
import { metricName } from "./run-charts.js";
import { Table } from "./table.js";

/** Runs asked for at a time: the first ones are drawn while the rest is read. */
const portion = 20;

export function CompareView({ ids, entries }: { ids: readonly string[]; entries: readonly Entry[] }) {
  const [known, setKnown] = useState<ReadonlyMap<string, RunSeries>>(new Map());
  const [metric, setMetric] = useState("generator/loss");
  const runs = useRef(known);
  runs.current = known;
  // What has changed in the list is read again: a comparison is live, too.
  const stamps = useMemo(() => new Map(entries.map(({ id, modified }) => [id, modified])), [entries]);
  const read = useRef(new Map<string, number>());
  useEffect(() => {
    let gone = false;
    const points = Math.max(60, Math.min(2000, Math.floor(40_000 / Math.max(1, ids.length))));
    const wanted = ids.filter((id) => read.current.get(id) !== (stamps.get(id) ?? 0));
    const load = async (): Promise<void> => {
      for (let from = 0; from < wanted.length && !gone; from += portion) {
        const part = wanted.slice(from, from + portion);
        const answers = await api.series(part, points).catch(() => []);
        if (gone) return;
        for (const id of part) read.current.set(id, stamps.get(id) ?? 0);
        setKnown((before) => new Map([...before, ...answers.map((answer) => [answer.id, answer] as const)]));
      }
    };
    void load();
    return () => {
      gone = true;
    };
  }, [ids.join(","), stamps]);
  const shown = ids.flatMap((id) => known.get(id) ?? []);
  const metrics = useMemo(() => {
    const names = new Set<string>();
    for (const { series } of shown) for (const name of Object.keys(series)) if (name !== "epoch") names.add(name);
    return [...names].sort();
  }, [known, ids.join(",")]);
  const chosen = metrics.includes(metric) ? metric : (metrics[0] ?? metric);
  const lines = useMemo(
    () =>
      shown.flatMap(({ id, series }): Line[] => {
        const one = series[chosen];
        return one ? [{ name: id, steps: one.steps, values: one.values }] : [];
      }),
    [known, ids.join(","), chosen],
  );
  if (ids.length === 0) return <p class="faint pad">{say("compare.none")}</p>;
  const title = chosen;
  return (
    <article>
      <h1>{say("compare.title")}</h1>
      <p class="row">
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
          {shown.length < ids.length ? say("compare.loading", { done: shown.length, all: ids.length }) : ""}
        </span>
      </p>
      <Chart title={title} lines={lines} height={380} />
      <Table
        title={say("compare.table")}
        name={`compare-${chosen}`}
        head={[
          say("compare.run"),
          say("recipe"),
          say("seed"),
          say("compare.last"),
          say("compare.best"),
          say("compare.largest"),
        ]}
        rows={lines.map(({ name, values }) => {
          const entry = entries.find(({ id }) => id === name);
          const numbers = values.filter((value) => value !== null);
          return [
            name,
            entry?.recipe ?? "",
            entry?.seed ?? "",
            numbers.at(-1) ?? "",
            numbers.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY),
            numbers.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY),
          ];
        })}
      />
    </article>
  );
}
