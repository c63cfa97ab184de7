/** What changes while the page looks at it: the list, and a run's metrics. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { EntryList, NewRows, Row, RunDetail, Series } from "../protocol.js";
import { api } from "./api.js";

/**
 * Keeps a stream of events open while the page is seen. A browser opens six connections to a server and no more, in all
 * of its tabs together: those that nobody looks at must not hold any, or a page of many tabs would wait for ever.
 *
 * @returns ends it
 */
function whileSeen(open: () => EventSource): () => void {
  let source: EventSource | undefined;
  const follow = (): void => {
    if (!document.hidden) source ??= open();
    else {
      source?.close();
      source = undefined;
    }
  };
  document.addEventListener("visibilitychange", follow);
  follow();
  return () => {
    document.removeEventListener("visibilitychange", follow);
    source?.close();
  };
}

/** The list of entries, live, and whether the server answers. */
export function useEntries(): { list: EntryList | undefined; connected: boolean } {
  const [list, setList] = useState<EntryList>();
  const [connected, setConnected] = useState(true);
  useEffect(
    () =>
      whileSeen(() => {
        // The browser reconnects by itself, and says how far it has come.
        const source = new EventSource("/api/entries/events");
        source.addEventListener("entries", (event) => setList(JSON.parse(event.data) as EntryList));
        source.onopen = () => setConnected(true);
        source.onerror = () => setConnected(false);
        return source;
      }),
    [],
  );
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
    let stop = (): void => {};
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
        // What is shown stays while the server does not answer, which the page says elsewhere.
        if (!gone && !(problem instanceof TypeError)) setError((problem as Error).message);
      }
    };
    const begin = async (): Promise<void> => {
      const next = await api.run(id);
      if (!gone) setDetail(next);
      const [first] = await api.series([id], 4000);
      if (gone || !first) return;
      for (const [name, { steps, values }] of Object.entries(first.series))
        all.current[name] = { steps: [...steps], values: [...values] };
      show();
      // How far the page has read, as the server's events say it.
      let from = `${first.position.metrics}:${first.position.timing}`;
      stop = whileSeen(() => {
        const source = new EventSource(`/api/run/events?${new URLSearchParams({ id, from })}`);
        source.addEventListener("rows", (event) => {
          from = event.lastEventId;
          const rows = JSON.parse(event.data) as NewRows;
          for (const row of [...rows.metrics, ...rows.timing]) add(all.current, row);
          show();
        });
        source.addEventListener("reset", (event) => {
          from = event.lastEventId;
          all.current = {};
          show();
        });
        source.addEventListener("changed", () => void refresh());
        // What changed while there was no stream, no event says.
        source.onopen = () => void refresh();
        return source;
      });
    };
    let again: ReturnType<typeof setTimeout> | undefined;
    const tryToBegin = (): void => {
      void begin().catch((problem: Error) => {
        if (gone) return;
        // The server is away for now: its own refusals are no TypeErrors.
        if (problem instanceof TypeError) again = setTimeout(tryToBegin, 2000);
        else setError(problem.message);
      });
    };
    tryToBegin();
    return () => {
      gone = true;
      clearTimeout(again);
      stop();
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
