/** A run or study that was started here and has no folder: it is only starting, or the start has failed. */
import type { Entry } from "../protocol.js";
import { useAnswer } from "./answer.js";
import { api } from "./api.js";
import { Controls } from "./controls.js";
import { Copyable } from "./copyable.js";
import { say } from "./language.js";
import { StateTag } from "./state-tag.js";

export function WaitingView({ entry }: { entry: Entry }) {
  // A refusal is not shown: it has its folder by now, or is deleted, and the list says so next.
  const { answer: started } = useAnswer(() => api.started(entry.id), [entry.id], [entry.state]);
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
