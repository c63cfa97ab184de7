/** What can be done with a run or study: pause, resume, stop, extend, start another like it, delete. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ControlAction, Entry } from "../protocol.js";
import { api } from "./api.js";
import { say } from "./language.js";
import { go, routeAddress } from "./route.js";

/** Buttons for what was started here; else a word on where it is controlled. What does not run can be deleted. */
export function Controls({ entry }: { entry: Entry }) {
  const [error, setError] = useState<string>();
  const [extending, setExtending] = useState<number>();
  const [removing, setRemoving] = useState(false);
  const [waiting, setWaiting] = useState(false);
  const act = async (action: ControlAction, steps?: number): Promise<boolean> => {
    setWaiting(true);
    setError(undefined);
    try {
      await api.control({ id: entry.id, action, ...(steps === undefined ? {} : { steps }) });
      setExtending(undefined);
      return true;
    } catch (problem) {
      setError((problem as Error).message);
      return false;
    } finally {
      setWaiting(false);
    }
  };
  const button = (action: ControlAction, primary = false) => (
    <button type="button" class={primary ? "primary" : ""} disabled={waiting} onClick={() => void act(action)}>
      {say(action)}
    </button>
  );
  const { controlled, state } = entry;
  const running = state === "running" || state === "starting";
  const command = entry.kind === "run" ? "init" : "compare";
  return (
    <div class="row controls">
      {running && !controlled && <p class="faint">{say("control.elsewhere")}</p>}
      {controlled && state === "running" && button("pause")}
      {controlled && running && button("stop")}
      {controlled && ["paused", "stopped", "failed"].includes(state) && !entry.waiting && button("resume", true)}
      {controlled && !running && !entry.waiting && entry.kind === "run" && extending === undefined && (
        <button type="button" disabled={waiting} onClick={() => setExtending(entry.total * 2)}>
          {say("extend")}
        </button>
      )}
      {extending !== undefined && (
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            void act("extend", extending);
          }}
        >
          <label>
            {say("extend.steps")}{" "}
            <input
              type="number"
              min={entry.total + 1}
              value={extending}
              onInput={(event) => setExtending(Number(event.currentTarget.value))}
            />
          </label>
          <button type="submit" class="primary" disabled={waiting}>
            {say("extend")}
          </button>
        </form>
      )}
      {controlled && (
        <a class="button" href={routeAddress({ view: "start", command, from: entry.id })}>
          {say("again")}
        </a>
      )}
      {!running && (
        <button type="button" disabled={waiting} onClick={() => setRemoving(true)}>
          {say("remove")} ...
        </button>
      )}
      {(error ?? entry.message) && (
        <p class="warning" role="alert">
          {error ?? entry.message}
        </p>
      )}
      {removing && (
        <RemoveDialog
          id={entry.id}
          onClose={() => setRemoving(false)}
          onRemove={() => {
            void act("remove").then((done) => done && go({ view: "welcome" }));
          }}
        />
      )}
    </div>
  );
}

function RemoveDialog(props: { id: string; onClose: () => void; onRemove: () => void }) {
  const { id, onClose, onRemove } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="remove-title" aria-describedby="remove-text">
      <h2 id="remove-title">{say("remove.title", { name: id })}</h2>
      <p id="remove-text">{say("remove.text")}</p>
      <div class="row">
        <button type="button" onClick={() => dialog.current?.close()}>
          {say("remove.keep")}
        </button>
        <button
          type="button"
          class="danger"
          onClick={() => {
            dialog.current?.close();
            onRemove();
          }}
        >
          {say("remove")}
        </button>
      </div>
    </dialog>
  );
}
