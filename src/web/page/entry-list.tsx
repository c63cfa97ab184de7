/** The list of runs and studies. Only the rows that are seen are drawn, so that thousands cost nothing. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Entry, EntryList } from "../protocol.js";
import { say } from "./language.js";
import { type Route, routeAddress } from "./route.js";

const rowHeight = 62;

export function EntryListView({
  list,
  route,
  marked,
  mark,
  studies,
}: {
  list: EntryList | undefined;
  route: Route;
  marked: readonly string[];
  mark: (ids: readonly string[]) => void;
  studies: boolean;
}) {
  const [filter, setFilter] = useState("");
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const scroller = useRef<HTMLDivElement>(null);
  const shown = useMemo(() => {
    const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
    return (list?.entries ?? []).filter((entry) => {
      const text = `${entry.id} ${entry.model} ${entry.data} ${entry.recipe} ${entry.state}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }, [list, filter]);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const watcher = new ResizeObserver(() => setHeight(element.clientHeight));
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);
  const first = Math.max(0, Math.floor(top / rowHeight) - 4);
  const end = Math.min(shown.length, Math.ceil((top + height) / rowHeight) + 4);
  const marks = useMemo(() => new Set(marked), [marked]);
  const runs = shown.filter(({ kind }) => kind === "run");
  return (
    <div class="entries">
      <div class="entries-head">
        <h2 class="title">{say("runs")}</h2>
        <div class="row">
          <a class="button primary" href={routeAddress({ view: "start", command: "init" })}>
            {say("newRun")}
          </a>
          {studies && (
            <a class="button" href={routeAddress({ view: "start", command: "compare" })}>
              {say("newStudy")}
            </a>
          )}
        </div>
        <input
          type="search"
          aria-label={say("filter")}
          placeholder={say("filter")}
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <div class="row small">
          <span class="faint" role="status">
            {list ? say("list.count", { shown: shown.length, all: list.entries.length }) : say("loading")}
          </span>
          <span class="space" />
          {runs.length > 1 && marked.length < runs.length && (
            <button type="button" class="quiet" onClick={() => mark(runs.map(({ id }) => id))}>
              {say("markAll")}
            </button>
          )}
          {marked.length > 0 && (
            <a class="button small" href={routeAddress({ view: "compare", ids: marked })}>
              {say("compareMarked", { count: marked.length })}
            </a>
          )}
          {marked.length > 0 && (
            <button type="button" class="quiet" onClick={() => mark([])}>
              {say("unmarkAll")}
            </button>
          )}
        </div>
      </div>
      <div class="entries-scroll" ref={scroller} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
        {list && list.entries.length === 0 && <p class="faint pad">{say("list.empty")}</p>}
        <ul style={{ height: shown.length * rowHeight }}>
          {shown.slice(first, end).map((entry, index) => (
            <li
              key={entry.id}
              aria-setsize={shown.length}
              aria-posinset={first + index + 1}
              style={{ top: (first + index) * rowHeight, height: rowHeight }}
              class={(route.view === "run" || route.view === "study") && route.id === entry.id ? "current" : ""}
            >
              {entry.kind === "run" ? (
                <input
                  type="checkbox"
                  aria-label={say("list.choose", { name: entry.id })}
                  checked={marks.has(entry.id)}
                  onChange={() =>
                    mark(marks.has(entry.id) ? marked.filter((id) => id !== entry.id) : [...marked, entry.id])
                  }
                />
              ) : (
                <span class="check-space" />
              )}
              <a
                href={routeAddress({ view: entry.kind, id: entry.id })}
                aria-current={
                  (route.view === "run" || route.view === "study") && route.id === entry.id ? "page" : undefined
                }
              >
                <span class="name">{entry.id}</span>
                <span class="sub">
                  <StateTag entry={entry} />
                  <span class="faint">{entry.kind === "study" ? say("kind.study") : entry.recipe}</span>
                  {entry.total > 0 && entry.state !== "finished" && (
                    <span class="faint">{Math.floor((100 * entry.done) / entry.total)} %</span>
                  )}
                </span>
              </a>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}

/** What an entry is doing, as a coloured word. */
export function StateTag({ entry }: { entry: Entry }) {
  return <span class={`tag ${entry.state}`}>{say(`state.${entry.state}`)}</span>;
}
