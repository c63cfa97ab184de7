/** The list of runs and studies. Only the rows that are seen are drawn, so that thousands cost nothing. */
import type { RefObject } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Entry, EntryList } from "../protocol.js";
import { say } from "./language.js";
import { type Route, routeAddress } from "./route.js";
import { StateTag } from "./state-tag.js";

const rowHeight = 62;
/** Rows that are drawn beyond each end of what is seen. */
const rowsBeyond = 4;

interface Marks {
  readonly marked: readonly string[];
  readonly mark: (ids: readonly string[]) => void;
}

export function EntryListView(
  props: Marks & {
    list: EntryList | undefined;
    route: Route;
    /** Whether studies can be started. */
    studies: boolean;
  },
) {
  const { list, route, marked, mark, studies } = props;
  const [filter, setFilter] = useState("");
  const shown = useMemo(() => filtered(list?.entries ?? [], filter), [list, filter]);
  const { scroller, setTop, first, end } = useSeenRows(shown.length);
  const marks = useMemo(() => new Set(marked), [marked]);
  const current = route.view === "run" || route.view === "study" ? route.id : undefined;
  return (
    <div class="entries">
      <div class="entries-head">
        <h2 class="title">{say("runs")}</h2>
        <StartLinks studies={studies} />
        <input
          type="search"
          aria-label={say("filter")}
          title={say("filter")}
          placeholder={say("filter.short")}
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <div class="row small">
          <span class="faint" role="status">
            {list ? say("list.count", { shown: shown.length, all: list.entries.length }) : say("loading")}
          </span>
          <span class="space" />
          <MarkTools marked={marked} mark={mark} runs={shown.filter(({ kind }) => kind === "run")} />
        </div>
      </div>
      <div class="entries-scroll" ref={scroller} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
        {list && list.entries.length === 0 && <p class="faint pad">{say("list.empty")}</p>}
        <ul style={{ height: shown.length * rowHeight }}>
          {shown.slice(first, end).map((entry, index) => (
            <Row
              key={entry.id}
              entry={entry}
              place={first + index}
              count={shown.length}
              current={entry.id === current}
              marked={marks.has(entry.id)}
              toggle={() => mark(marks.has(entry.id) ? marked.filter((id) => id !== entry.id) : [...marked, entry.id])}
            />
          ))}
        </ul>
      </div>
    </div>
  );
}

/** The entries in which each of the words occurs. */
function filtered(entries: readonly Entry[], filter: string): Entry[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter(({ id, model, data, recipe, state }) => {
    const text = `${id} ${model} ${data} ${recipe} ${state} ${say(`state.${state}`)}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** Which of the rows are seen, or nearly: from `first` to before `end`. */
function useSeenRows(count: number): {
  readonly scroller: RefObject<HTMLDivElement | null>;
  /** Told how many pixels are scrolled past. */
  readonly setTop: (top: number) => void;
  readonly first: number;
  readonly end: number;
} {
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const scroller = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const watcher = new ResizeObserver(() => setHeight(element.clientHeight));
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);
  return {
    scroller,
    setTop,
    first: Math.max(0, Math.floor(top / rowHeight) - rowsBeyond),
    end: Math.min(count, Math.ceil((top + height) / rowHeight) + rowsBeyond),
  };
}

function StartLinks({ studies }: { studies: boolean }) {
  return (
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
  );
}

/** @param props.runs those that the list shows */
function MarkTools({ marked, mark, runs }: Marks & { runs: readonly Entry[] }) {
  return (
    <>
      {runs.length > 1 && marked.length < runs.length && (
        <button type="button" class="quiet" onClick={() => mark(runs.map(({ id }) => id))}>
          {say("markAll")}
        </button>
      )}
      {marked.length > 0 && (
        <>
          <a class="button small" href={routeAddress({ view: "compare", ids: marked })}>
            {say("compareMarked", { count: marked.length })}
          </a>
          <button type="button" class="quiet" onClick={() => mark([])}>
            {say("unmarkAll")}
          </button>
        </>
      )}
    </>
  );
}

function Row(props: {
  entry: Entry;
  /** Among all that the list shows. */
  place: number;
  count: number;
  current: boolean;
  marked: boolean;
  toggle: () => void;
}) {
  const { entry, place, count, current, marked, toggle } = props;
  return (
    <li
      aria-setsize={count}
      aria-posinset={place + 1}
      style={{ top: place * rowHeight, height: rowHeight }}
      class={current ? "current" : ""}
    >
      {entry.kind === "run" ? (
        <input type="checkbox" aria-label={say("list.choose", { name: entry.id })} checked={marked} onChange={toggle} />
      ) : (
        <span class="check-space" />
      )}
      <a href={routeAddress({ view: entry.kind, id: entry.id })} aria-current={current ? "page" : undefined}>
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
  );
}
