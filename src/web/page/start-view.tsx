/** The form that starts a run or a study. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { OptionField, Session } from "../protocol.js";
import { useAnswer } from "./answer.js";
import { api } from "./api.js";
import { Copyable } from "./copyable.js";
import type { DroppedFile } from "./dropped-files.js";
import { useDropped } from "./fill-dropped.js";
import { useInspection, usePreview } from "./form-answers.js";
import { optionText, say } from "./language.js";
import { ModelDrawing } from "./model-drawing.js";
import { isModel } from "./model-files.js";
import { Field, PathField } from "./option-fields.js";
import { groupOf, type OptionGroup, optionGroups } from "./option-groups.js";
import { PathChooser } from "./path-chooser.js";
import { go } from "./route.js";

export function StartView({
  command,
  from,
  session,
  dropped,
}: {
  command: "init" | "compare";
  /** The entry whose settings the form begins with. */
  from: string | undefined;
  session: Session;
  dropped: Promise<readonly DroppedFile[]> | undefined;
}) {
  const form = session.commands.find(({ name }) => name === command);
  const [model, setModel] = useState("");
  const [options, setOptions] = useState<Readonly<Record<string, string>>>({});
  const [choosing, setChoosing] = useState<string>();
  const [failure, setFailure] = useState<string>();
  const [waiting, setWaiting] = useState(false);
  const request = useMemo(() => ({ command, model, options }), [command, model, options]);
  const set = (key: string, value: string): void => setOptions((before) => ({ ...before, [key]: value }));

  const { answer: started, error: notStarted } = useAnswer(from === undefined ? undefined : () => api.started(from), [
    from,
  ]);
  useEffect(() => {
    if (!started) return;
    setModel(started.request.model);
    setOptions(started.request.options);
  }, [started]);
  // What failed was another request.
  useEffect(() => setFailure(undefined), [request]);

  const copying = useDropped(dropped, from === undefined, command, setModel, set);
  const { inspection, error: notInspected } = useInspection(model, options);
  const preview = usePreview(request);
  if (!form) return null;
  const needed = form.options.filter(({ required }) => required);
  const found = preview.error === undefined ? undefined : wrongValue(preview.error, form.options);
  // What is still to be filled in is no mistake: the field says that it is required.
  const wrong = needed.some(({ key, flag }) => flag === found?.flag && !options[key]) ? undefined : found;
  // What is wrong with a value stands at its field; a model that is not there need not be said to be no model.
  const errors = [
    notStarted,
    copying.error,
    found === undefined ? preview.error : undefined,
    wrong?.flag === "model" ? undefined : notInspected,
    wrong === undefined ? failure : undefined,
  ].filter((error) => error !== undefined);
  const fields = form.options.filter(({ required }) => !required);
  const group = (name: OptionGroup | "main"): OptionField[] =>
    fields.filter(({ key }) => groupOf(command, key) === name);
  const fieldOf = (field: OptionField) => (
    <Field
      key={field.key}
      command={command}
      field={field}
      value={options[field.key] ?? ""}
      problem={wrong?.flag === field.flag ? wrong.reason : undefined}
      set={set}
      choose={setChoosing}
    />
  );
  const start = async (): Promise<void> => {
    setWaiting(true);
    setFailure(undefined);
    try {
      const { id } = await api.start(request);
      go({ view: command === "init" ? "run" : "study", id });
    } catch (problem) {
      setFailure((problem as Error).message);
    }
    setWaiting(false);
  };
  return (
    <article>
      <h1>{say(command === "init" ? "start.title" : "start.studyTitle")}</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <div class="panel drop">
          <p class="faint">{say("start.dropHere")}</p>
          <p class="faint" role="status">
            {copying.note}
          </p>
          <PathField
            label={say("start.model")}
            value={model}
            onInput={setModel}
            onChoose={() => setChoosing("model")}
            help=""
            problem={wrong?.flag === "model" ? wrong.reason : undefined}
          />
          {needed.map(({ key, flag, description }) => (
            <PathField
              key={key}
              label={key === "data" ? say("start.data") : key === "test" ? say("start.test") : key}
              value={options[key] ?? ""}
              onInput={(value) => set(key, value)}
              onChoose={() => setChoosing(key)}
              help={
                command === "init" && key === "data"
                  ? say("start.dataHelp")
                  : optionText(`${command}.${key}`, description)
              }
              problem={wrong?.flag === flag ? wrong.reason : undefined}
            />
          ))}
        </div>
        <fieldset class="panel options">
          <legend>{say("start.options")}</legend>
          <div class="fields">{group("main").map(fieldOf)}</div>
          <details>
            <summary>{say("start.moreOptions")}</summary>
            {optionGroups.map(
              (name) =>
                group(name).length > 0 && (
                  <section class="option-group" key={name}>
                    <h2>{say(`start.group.${name}`)}</h2>
                    <div class="fields">{group(name).map(fieldOf)}</div>
                  </section>
                ),
            )}
          </details>
        </fieldset>
        {preview.command && (
          <section class="panel">
            <h2>{say("start.command")}</h2>
            <Copyable text={preview.command} />
          </section>
        )}
        <p class="hidden" role="status">
          {wrong && `${wrong.flag}: ${wrong.reason}`}
        </p>
        {[...new Set(errors)].map((error) => (
          <p class="warning" role="alert" key={error}>
            {say("error", { message: error })}
          </p>
        ))}
        <p>
          <button
            type="submit"
            class="primary large"
            disabled={waiting || model === "" || needed.some(({ key }) => !options[key])}
          >
            {say("start.go")}
          </button>
        </p>
      </form>
      {inspection && (
        <section class="panel">
          <h2 class="title">{say("start.drawing")}</h2>
          <ModelDrawing inspection={inspection} />
        </section>
      )}
      {choosing && (
        <PathChooser
          accept={(name) => (choosing === "model" ? isModel(name) : true)}
          onChoose={(path) => {
            if (choosing === "model") setModel(path);
            else set(choosing, path);
            setChoosing(undefined);
          }}
          onClose={() => setChoosing(undefined)}
        />
      )}
    </article>
  );
}

/** What is wrong with a value, and which: an option's by its flag, or the model; undefined where it is another thing. */
function wrongValue(
  error: string,
  fields: readonly OptionField[],
): { readonly flag: string; readonly reason: string } | undefined {
  const [, flag, reason] = /^(--[\w-]+|model): (.*?)(?: See [\w ]*--help\.)?$/s.exec(error) ?? [];
  return flag === "model" || fields.some((field) => field.flag === flag) ? { flag, reason } : undefined;
}
