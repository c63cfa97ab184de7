/** What changes while the page looks at it: the list, and a run's metrics. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { EntryList, NewRows, Row, RunDetail, Series } from "../protocol.js";
import { api } from "./api.js";

/** The list of entries, live, and whether the server answers. */
export function useEntries(): { list: EntryList | undefined; connected: boolean } {
  const [list, setList] = useState<EntryList>();
  const [connected, setConnected] = useState(true);
  useEffect(() => {
    // The browser reconnects by itself, and says how far it has come.
    const source = new EventSource("/api/entries/events");
    source.addEventListener("entries", (event) => setList(JSON.parse(event.data) as EntryList));
    source.onopen = () => setConnected(true);
    source.onerror = () => setConnected(false);
    return () => source.close();
  }, []);
  return { list, connected };
}

export type SeriesByName = Readonly<Record<string, Series>>;

/** A run's details and metrics, live. */
export function useRun(id: string): { detail: RunDetail | undefined; series: SeriesByName; error: string | undefined } {
  const [detail, setDetail] = useState<RunDetail>();
  const [error, setError] = useState<string>();
  const [series, setSeries] = useState<SeriesByName>({});
  const all = useRef<Record<string, { steps: number[]; values: (number | null)[] }>>({});
  useEffect(() => {
    let gone = false;
    let source: EventSource | undefined;
    setDetail(undefined);
    setSeries({});
    setError(undefined);
    all.current = {};
    const show = (): void => {
      if (!gone) setSeries(Object.fromEntries(Object.entries(all.current).map(([name, one]) => [name, { ...one }])));
    };
    const refresh = async (): Promise<void> => {
      try {
        const next = await api.run(id);
        if (!gone) setDetail(next);
      } catch (problem) {
        if (!gone) setError((problem as Error).message);
      }
    };
    const begin = async (): Promise<void> => {
      await refresh();
      const [first] = await api.series([id], 4000);
      if (gone || !first) return;
      for (const [name, { steps, values }] of Object.entries(first.series))
        all.current[name] = { steps: [...steps], values: [...values] };
      show();
      const { metrics, timing } = first.position;
      source = new EventSource(`/api/run/events?${new URLSearchParams({ id, from: `${metrics}:${timing}` })}`);
      source.addEventListener("rows", (event) => {
        const rows = JSON.parse(event.data) as NewRows;
        for (const row of [...rows.metrics, ...rows.timing]) add(all.current, row);
        show();
      });
      source.addEventListener("reset", () => {
        all.current = {};
        show();
      });
      source.addEventListener("changed", () => void refresh());
    };
    void begin().catch((problem: Error) => {
      if (!gone) setError(problem.message);
    });
    return () => {
      gone = true;
      source?.close();
    };
  }, [id]);
  return { detail, series, error };
}

function add(series: Record<string, { steps: number[]; values: (number | null)[] }>, row: Row): void {
  for (const [name, value] of Object.entries(row)) {
    if (name === "step" || typeof value === "boolean") continue;
    series[name] ??= { steps: [], values: [] };
    series[name].steps.push(row.step);
    series[name].values.push(typeof value === "number" ? value : null);
  }
}
