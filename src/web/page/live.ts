/** What changes while the page looks at it: the list, and the metrics of runs. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Entry, EntryList, NewRows, Row, RunDetail, RunSeries, Series } from "../protocol.js";
import { askUntilAnswered, untilNextTry } from "./answer.js";
import { api, NoAnswer } from "./api.js";

/**
 * Keeps a stream of events open while the page is seen. A browser opens six connections to a server and no more, in all
 * of its tabs together: those that nobody looks at must not hold any, or a page of many tabs would wait for ever.
 *
 * @returns ends it
 */
function whileSeen(open: () => EventSource): () => void {
  let source: EventSource | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  const close = (): void => {
    clearTimeout(again);
    source?.close();
    source = undefined;
  };
  const follow = (): void => {
    if (document.hidden) close();
    else if (!source) {
      source = open();
      // Where a connection breaks the browser connects again by itself, but not where the answer was no stream.
      source.addEventListener("error", () => {
        if (source?.readyState !== EventSource.CLOSED) return;
        close();
        again = setTimeout(follow, untilNextTry);
      });
    }
  };
  document.addEventListener("visibilitychange", follow);
  follow();
  return () => {
    document.removeEventListener("visibilitychange", follow);
    close();
  };
}

/** The list of entries, live, and whether the server answers. */
export function useEntries(): { list: EntryList | undefined; connected: boolean } {
  const [list, setList] = useState<EntryList>();
  const [connected, setConnected] = useState(true);
  useEffect(
    () =>
      whileSeen(() => {
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
        if (gone) return;
        setDetail(next);
        setError(undefined);
      } catch (problem) {
        // What is shown stays while the server is away, which the page says elsewhere.
        if (!gone && !(problem instanceof NoAnswer)) setError((problem as Error).message);
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
    const stopAsking = askUntilAnswered(begin, () => {}, setError);
    return () => {
      gone = true;
      stopAsking();
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

/** Runs asked for at a time: the first ones are drawn while the rest is read. */
const portion = 20;

/** Points of all runs together that are laid over each other. */
const mostPoints = 40_000;

/**
 * The metrics of several runs, read again as the list says that they have changed.
 *
 * @param entries the list; undefined before it is known
 * @returns by run, as far as they have been read, and why they are not read further
 */
export function useSeries(
  ids: readonly string[],
  entries: readonly Entry[] | undefined,
): { readonly known: ReadonlyMap<string, RunSeries>; readonly error: string | undefined } {
  const [known, setKnown] = useState<ReadonlyMap<string, RunSeries>>(new Map());
  const [error, setError] = useState<string>();
  const changes = useMemo(() => new Map((entries ?? []).map(({ id, modified }) => [id, modified])), [entries]);
  /** When what is known of a run was changed last. */
  const read = useRef(new Map<string, number>());
  useEffect(() => {
    let gone = false;
    const points = Math.max(60, Math.min(2000, Math.floor(mostPoints / Math.max(1, ids.length))));
    const load = async (): Promise<void> => {
      const wanted = ids.filter((id) => read.current.get(id) !== (changes.get(id) ?? 0));
      for (let from = 0; from < wanted.length && !gone; from += portion) {
        const part = wanted.slice(from, from + portion);
        const answers = await api.series(part, points);
        if (gone) return;
        for (const id of part) read.current.set(id, changes.get(id) ?? 0);
        setKnown((before) => new Map([...before, ...answers.map((answer) => [answer.id, answer] as const)]));
      }
    };
    setError(undefined);
    const stopAsking = askUntilAnswered(load, () => {}, setError);
    return () => {
      gone = true;
      stopAsking();
    };
  }, [ids.join(","), changes]);
  const wanted = useMemo(() => new Map([...known].filter(([id]) => ids.includes(id))), [ids.join(","), known]);
  return { known: wanted, error };
}
