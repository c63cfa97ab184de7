/** A run or study that was started here and has no folder: it is only starting, or the start has failed. */
import { useEffect, useState } from "preact/hooks";
import type { Entry, StartedCommand } from "../protocol.js";
import { api } from "./api.js";
import { Controls } from "./controls.js";
import { Copyable } from "./copyable.js";
import { StateTag } from "./entry-list.js";
import { say } from "./language.js";

export function WaitingView({ entry }: { entry: Entry }) {
  const [started, setStarted] = useState<StartedCommand>();
  useEffect(() => {
    let gone = false;
    void api.started(entry.id).then(
      (found) => gone || setStarted(found),
      // It has its folder by now, or is deleted: the list says so next.
      () => {},
    );
    return () => {
      gone = true;
    };
  }, [entry.id, entry.state]);
  return (
    <article>
      <h1>{entry.id}</h1>
      <div class="status">
        <StateTag entry={entry} />
      </div>
      <Controls entry={entry} />
      {started && (
        <section class="panel">
          <h2>{say("control.command")}</h2>
          <Copyable text={started.command} />
        </section>
      )}
      {started?.log && (
        <section class="panel">
          <h2>{say("log")}</h2>
          <Copyable text={started.log} label={say("log")} />
        </section>
      )}
    </article>
  );
}
