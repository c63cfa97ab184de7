/** The page: the list on one side, what was chosen on the other. */
import { useEffect, useState } from "preact/hooks";
import type { Session } from "../protocol.js";
import { api } from "./api.js";
import { CompareView } from "./compare-view.js";
import { type DroppedFile, droppedFiles } from "./dropped-files.js";
import { EntryListView } from "./entry-list.js";
import { type Language, languages, say, setLanguage, useLanguage } from "./language.js";
import { useEntries } from "./live.js";
import { go, useRoute } from "./route.js";
import { RunView } from "./run-view.js";
import { StartView } from "./start-view.js";
import { StudyView } from "./study-view.js";

export function App() {
  const language = useLanguage();
  const route = useRoute();
  const { list, connected } = useEntries();
  const [session, setSession] = useState<Session>();
  const [dropped, setDropped] = useState<Promise<readonly DroppedFile[]>>();
  useEffect(() => {
    void api.session().then(setSession, () => {});
  }, [connected]);
  useEffect(() => {
    const over = (event: DragEvent): void => event.preventDefault();
    const drop = (event: DragEvent): void => {
      event.preventDefault();
      if (!event.dataTransfer || event.dataTransfer.items.length === 0) return;
      setDropped(droppedFiles(event.dataTransfer));
      if (!location.hash.startsWith("#/start/")) go({ view: "start", command: "init" });
    };
    addEventListener("dragover", over);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("drop", drop);
    };
  }, []);
  const [marked, setMarked] = useState<readonly string[]>(() => (route.view === "compare" ? route.ids : []));
  const compared = route.view === "compare" ? route.ids.join("\n") : undefined;
  // A link to a comparison marks its runs in the list, too.
  useEffect(() => {
    if (compared !== undefined) setMarked(compared === "" ? [] : compared.split("\n"));
  }, [compared]);
  const mark = (ids: readonly string[]): void => {
    setMarked(ids);
    if (route.view === "compare") go({ view: "compare", ids });
  };

  return (
    <div class={`layout ${route.view === "welcome" ? "at-list" : "at-content"}`}>
      <button type="button" class="skip" onClick={() => document.getElementById("content")?.focus()}>
        {say("skip")}
      </button>
      <header class="top">
        <a class="brand" href="#/">
          <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" class="brand-tile" />
            <path d="M6 23 L13 9 L18 18 L26 7" class="brand-line" />
          </svg>
          {say("title")}
        </a>
        <span class="space" />
        <label>
          <span class="hidden">{say("language")}</span>
          <select value={language} onChange={(event) => setLanguage(event.currentTarget.value as Language)}>
            {Object.entries(languages).map(([code, name]) => (
              <option key={code} value={code} lang={code}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <ThemeChoice />
      </header>
      {!connected && (
        <p class="banner" role="status">
          {say("connection.lost")}
        </p>
      )}
      <nav class="side" aria-label={say("runs")}>
        <EntryListView
          list={list}
          route={route}
          marked={marked}
          mark={mark}
          studies={session?.commands.some(({ name }) => name === "compare") ?? false}
        />
      </nav>
      <main id="content" tabIndex={-1}>
        {route.view !== "welcome" && (
          <a class="back" href="#/">
            ← {say("back")}
          </a>
        )}
        {list && list.problems.length > 0 && (
          <details class="problems">
            <summary>
              {say(list.problems.length === 1 ? "problems.one" : "problems.many", { count: list.problems.length })}{" "}
              {list.problems.length === 1 && <code>{list.problems[0].path}</code>}
            </summary>
            <ul>
              {list.problems.map(({ path, reason }) => (
                <li key={path}>
                  <code>{path}</code>: {say("problems.torn", { reason })}
                </li>
              ))}
            </ul>
          </details>
        )}
        {route.view === "welcome" && <Welcome session={session} />}
        {route.view === "run" && (
          <RunView key={route.id} id={route.id} entry={list?.entries.find(({ id }) => id === route.id)} />
        )}
        {route.view === "study" && (
          <StudyView key={route.id} id={route.id} entry={list?.entries.find(({ id }) => id === route.id)} />
        )}
        {route.view === "compare" && <CompareView ids={route.ids} entries={list?.entries ?? []} />}
        {route.view === "start" && session && (
          <StartView
            key={`${route.command} ${route.from ?? ""}`}
            command={route.command}
            from={route.from}
            session={session}
            dropped={dropped}
          />
        )}
      </main>
    </div>
  );
}

function Welcome({ session }: { session: Session | undefined }) {
  return (
    <section class="welcome">
      <h1>{say("welcome")}</h1>
      <p>{say("welcome.text")}</p>
      <p>
        <a class="button primary" href="#/start/init">
          {say("newRun")}
        </a>
      </p>
      <p class="faint">{say("welcome.drop")}</p>
      {session && <p class="faint">{say("welcome.folder", { folder: session.folder })}</p>}
    </section>
  );
}

const themes = ["system", "light", "dark"] as const;

function ThemeChoice() {
  const [theme, setTheme] = useState(() => localStorage.getItem("theme") ?? "system");
  useEffect(() => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }, [theme]);
  return (
    <label>
      <span class="hidden">{say("theme")}</span>
      <select value={theme} onChange={(event) => setTheme(event.currentTarget.value)}>
        {themes.map((name) => (
          <option key={name} value={name}>
            {say(`theme.${name}`)}
          </option>
        ))}
      </select>
    </label>
  );
}
