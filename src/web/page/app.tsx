/** The page: the list on one side, what was chosen on the other. */
import { useEffect } from "preact/hooks";
import type { EntryList, Session } from "../protocol.js";
import { useAnswer } from "./answer.js";
import { api } from "./api.js";
import { CompareView } from "./compare-view.js";
import { type DroppedFile, useDroppedFiles } from "./dropped-files.js";
import { EntryListView } from "./entry-list.js";
import { say, useLanguage } from "./language.js";
import { useEntries } from "./live.js";
import { useMarks } from "./marks.js";
import { go, type Route, useRoute } from "./route.js";
import { RunView } from "./run-view.js";
import { StartView } from "./start-view.js";
import { StudyView } from "./study-view.js";
import { TopBar } from "./top-bar.js";

export function App() {
  useLanguage();
  const route = useRoute();
  const { list, connected } = useEntries();
  const { answer: session, error: refused } = useAnswer(api.session, [], [connected]);
  const { marked, mark } = useMarks(route, list);
  const dropped = useDroppedFiles(() => {
    if (route.view !== "start") go({ view: "start", command: "init" });
  });
  useEffect(() => {
    document.title = titleOf(route);
  });
  return (
    <div class={`layout ${route.view === "welcome" ? "at-list" : "at-content"}`}>
      <button type="button" class="skip" onClick={() => document.getElementById("content")?.focus()}>
        {say("skip")}
      </button>
      <TopBar />
      {/* Always there, so that what comes into it is read aloud. */}
      <div class="banner" role="status">
        {!connected && <p>{refused ?? say("connection.lost")}</p>}
      </div>
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
        {list && list.problems.length > 0 && <LeftOut problems={list.problems} />}
        <View route={route} list={list} session={session} dropped={dropped} />
      </main>
    </div>
  );
}

/** What tabs of this page are told apart by. */
function titleOf(route: Route): string {
  switch (route.view) {
    case "welcome":
      return say("title");
    case "run":
    case "study":
      return `${route.id} – ${say("title")}`;
    case "compare":
      return `${say("compare.title")} – ${say("title")}`;
    case "start":
      return `${say(route.command === "init" ? "start.title" : "start.studyTitle")} – ${say("title")}`;
  }
}

/** Files of the folder that could not be used. */
function LeftOut({ problems }: Pick<EntryList, "problems">) {
  return (
    <details class="problems">
      <summary>
        {say(problems.length === 1 ? "problems.one" : "problems.many", { count: problems.length })}{" "}
        {problems.length === 1 && <code>{problems[0].path}</code>}
      </summary>
      <ul>
        {problems.map(({ path, reason }) => (
          <li key={path}>
            <code>{path}</code>: {say("problems.torn", { reason })}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** What the address names. */
function View(props: {
  route: Route;
  list: EntryList | undefined;
  session: Session | undefined;
  dropped: Promise<readonly DroppedFile[]> | undefined;
}) {
  const { route, list, session, dropped } = props;
  const entryOf = (id: string) => list?.entries.find((entry) => entry.id === id);
  switch (route.view) {
    case "welcome":
      return <Welcome session={session} />;
    case "run":
      return <RunView key={route.id} id={route.id} entry={entryOf(route.id)} />;
    case "study":
      return <StudyView key={route.id} id={route.id} entry={entryOf(route.id)} />;
    case "compare":
      return <CompareView ids={route.ids} entries={list?.entries} />;
    case "start":
      if (!session) return <p>{say("loading")}</p>;
      return (
        <StartView
          key={`${route.command} ${route.from ?? ""}`}
          command={route.command}
          from={route.from}
          session={session}
          dropped={dropped}
        />
      );
  }
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
