/** Tabs after the ARIA pattern: one tab stop, arrows between them, Home and End to the first and the last. */
import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";

export interface Tab {
  readonly key: string;
  readonly name: string;
  readonly content: () => ComponentChildren;
}

export function Tabs({
  tabs,
  chosen,
  choose,
}: {
  tabs: readonly Tab[];
  chosen: string;
  choose: (key: string) => void;
}) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const current = tabs.find(({ key }) => key === chosen) ?? tabs[0];
  const follow = (event: KeyboardEvent): void => {
    const place = tabs.indexOf(current);
    const places: Readonly<Record<string, number>> = {
      ArrowRight: (place + 1) % tabs.length,
      ArrowLeft: (place + tabs.length - 1) % tabs.length,
      Home: 0,
      End: tabs.length - 1,
    };
    const next = tabs[places[event.key]];
    if (next === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    // The page would be scrolled.
    event.preventDefault();
    choose(next.key);
    list.current?.querySelector<HTMLElement>(`[data-key="${next.key}"]`)?.focus();
  };
  return (
    <>
      <div class="tabs" role="tablist" ref={list}>
        {tabs.map(({ key, name }) => (
          <button
            type="button"
            role="tab"
            key={key}
            id={`${id}-${key}`}
            data-key={key}
            aria-selected={key === current.key}
            aria-controls={`${id}-panel`}
            tabIndex={key === current.key ? 0 : -1}
            onClick={() => choose(key)}
            onKeyDown={follow}
          >
            {name}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${current.key}`}>
        {current.content()}
      </div>
    </>
  );
}
