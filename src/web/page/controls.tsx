/** What can be done with a run or study: pause, resume, stop, extend, start another like it, delete. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ControlAction, Entry } from "../protocol.js";
import { api } from "./api.js";
import { say } from "./language.js";
import { go, routeAddress } from "./route.js";

/** Buttons for what was started here; else a word on where it is controlled. What does not run can be deleted. */
export function Controls({ entry }: { entry: Entry }) {
  const { act, waiting, error } = useControl(entry.id);
  const [extending, setExtending] = useState(false);
  const [removing, setRemoving] = useState(false);
  const { controlled, state } = entry;
  const running = state === "running" || state === "starting";
  const ending = entry.ending === true;
  const resumable = ["paused", "stopped", "failed"].includes(state);
  const button = (action: ControlAction, look = "") => (
    <button type="button" class={look} disabled={waiting || ending} onClick={() => void act(action)}>
      {say(action)}
    </button>
  );
  return (
    <div class="row controls">
      {running && !controlled && <p class="faint">{say(`control.elsewhere.${entry.kind}`)}</p>}
      {controlled && state === "running" && button("pause")}
      {controlled && running && button("stop")}
      {controlled && resumable && !entry.waiting && button("resume", "primary")}
      {controlled && !running && !entry.waiting && entry.kind === "run" && (
        <Extension
          total={entry.total}
          open={extending}
          setOpen={setExtending}
          disabled={waiting}
          extend={(steps) => void act("extend", steps).then((done) => done && setExtending(false))}
        />
      )}
      {controlled && (
        <a
          class="button"
          href={routeAddress({ view: "start", command: entry.kind === "run" ? "init" : "compare", from: entry.id })}
        >
          {say("again")}
        </a>
      )}
      {!running && (
        <button type="button" disabled={waiting} onClick={() => setRemoving(true)}>
          {say("remove")} ...
        </button>
      )}
      <span class="faint" role="status">
        {running && ending && say("control.ending")}
      </span>
      {(error ?? entry.message) && (
        <p class="warning" role="alert">
          {error ?? entry.message}
        </p>
      )}
      {removing && (
        <RemoveDialog
          entry={entry}
          onClose={() => setRemoving(false)}
          onRemove={() => void act("remove").then((done) => done && go({ view: "welcome" }))}
        />
      )}
    </div>
  );
}

/** Asks the server to do something with an entry. */
function useControl(id: string): {
  /** @returns whether it was done */
  readonly act: (action: ControlAction, steps?: number) => Promise<boolean>;
  /** Whether it is being asked. */
  readonly waiting: boolean;
  /** Why what was asked last was not done. */
  readonly error: string | undefined;
} {
  const [error, setError] = useState<string>();
  const [waiting, setWaiting] = useState(false);
  const act = async (action: ControlAction, steps?: number): Promise<boolean> => {
    setWaiting(true);
    setError(undefined);
    try {
      await api.control({ id, action, ...(steps === undefined ? {} : { steps }) });
      return true;
    } catch (problem) {
      setError((problem as Error).message);
      return false;
    } finally {
      setWaiting(false);
    }
  };
  return { act, waiting, error };
}

/** A button that opens a form, and the form, which asks for how many steps a run is to have. */
function Extension(props: {
  total: number;
  open: boolean;
  setOpen: (open: boolean) => void;
  disabled: boolean;
  extend: (steps: number) => void;
}) {
  const { total, open, setOpen, disabled, extend } = props;
  const [steps, setSteps] = useState(2 * total);
  const field = useRef<HTMLInputElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const wasOpen = useRef(open);
  // What had the focus has made place for what now needs it.
  useEffect(() => {
    if (open !== wasOpen.current) (open ? field : opener).current?.focus();
    wasOpen.current = open;
  }, [open]);
  if (!open)
    return (
      <button
        type="button"
        ref={opener}
        disabled={disabled}
        onClick={() => {
          setSteps(2 * total);
          setOpen(true);
        }}
      >
        {say("extend")}
      </button>
    );
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        extend(steps);
      }}
      onKeyDown={(event) => event.key === "Escape" && setOpen(false)}
    >
      <label>
        {say("extend.steps")}{" "}
        <input
          ref={field}
          type="number"
          min={total + 1}
          value={steps}
          onInput={(event) => setSteps(Number(event.currentTarget.value))}
        />
      </label>
      <button type="submit" class="primary" disabled={disabled}>
        {say("extend")}
      </button>
      <button type="button" onClick={() => setOpen(false)}>
        {say("cancel")}
      </button>
    </form>
  );
}

function RemoveDialog(props: { entry: Entry; onClose: () => void; onRemove: () => void }) {
  const { entry, onClose, onRemove } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="remove-title" aria-describedby="remove-text">
      <h2 id="remove-title">{say("remove.title", { name: entry.id })}</h2>
      <p id="remove-text">{say(`remove.text.${entry.kind}`)}</p>
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
