/** The form that starts a run or a study. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { OptionField, Session, StartRequest } from "../protocol.js";
import { api, type Inspection } from "./api.js";
import { Copyable } from "./copyable.js";
import type { DroppedFile } from "./dropped-files.js";
import { optionText, say } from "./language.js";
import { ModelDrawing } from "./model-drawing.js";
import { Field, PathField } from "./option-fields.js";
import { groupOf, type OptionGroup, optionGroups } from "./option-groups.js";
import { PathChooser } from "./path-chooser.js";
import { go } from "./route.js";

/** What the page does itself. */
const withheld: ReadonlySet<string> = new Set(["resume", "json", "debug", "mlflow"]);
/** The formats that models are read from; a TensorFlow.js model is its model.json. */
const isModel = (path: string): boolean => /\.(onnx|keras|h5|hdf5|json)$/i.test(path);

/** Names of MNIST's files, and of those that follow it. */
const isLabels = (name: string): boolean => /labels[-.]idx1/i.test(name);
const isTest = (name: string): boolean => /^(t10k|test)[-_.][^/]*$/i.test(name);

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
  const [error, setError] = useState<string>();
  const [waiting, setWaiting] = useState(false);
  const request = useMemo(() => ({ command, model, options }), [command, model, options]);
  const set = (key: string, value: string): void => setOptions((before) => ({ ...before, [key]: value }));

  useEffect(() => {
    if (from === undefined) return;
    void api.started(from).then(
      ({ request: before }) => {
        setModel(before.model);
        setOptions(before.options);
      },
      (problem: Error) => setError(problem.message),
    );
  }, [from]);

  const note = useDropped(dropped, from === undefined, command, setModel, set, setError);
  const inspection = useInspection(model, options, setError);
  const preview = usePreview(request);
  if (!form) return null;
  const wrong = preview.error === undefined ? undefined : wrongValue(preview.error, form.options);
  const fields = form.options.filter(({ key, required }) => !withheld.has(key) && !required);
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
  const needed = form.options.filter(({ required }) => required);
  const start = async (): Promise<void> => {
    setWaiting(true);
    setError(undefined);
    try {
      const { id } = await api.start(request);
      go({ view: command === "init" ? "run" : "study", id });
    } catch (problem) {
      setError((problem as Error).message);
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
            {note}
          </p>
          <PathField
            label={say("start.model")}
            value={model}
            onInput={setModel}
            onChoose={() => setChoosing("model")}
            help=""
            problem={undefined}
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
        {preview.error && !wrong && <p class="warning">{preview.error}</p>}
        {error && (
          <p class="warning" role="alert">
            {say("error", { message: error })}
          </p>
        )}
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

/**
 * Copies what is dropped into the lab's folder, and fills it in where it belongs.
 *
 * @param isFresh whether the form begins without settings of its own: then what was dropped before it was shown counts
 * @returns what has been copied, in words
 */
function useDropped(
  dropped: Promise<readonly DroppedFile[]> | undefined,
  isFresh: boolean,
  command: "init" | "compare",
  setModel: (path: string) => void,
  set: (key: string, value: string) => void,
  setError: (message: string) => void,
): string {
  const [note, setNote] = useState("");
  // What was dropped onto the form before fills in this one too, unless it begins with settings of its own.
  const used = useRef(isFresh ? undefined : dropped);
  useEffect(() => {
    if (!dropped || used.current === dropped) return;
    used.current = dropped;
    const take = async (): Promise<void> => {
      const files = await dropped;
      for (const { name, file } of files) {
        setNote(say("start.uploading", { name }));
        const { path } = await api.upload(name, file);
        // Something else has been dropped meanwhile.
        if (used.current !== dropped) return;
        setNote(say("start.uploaded", { path }));
        const [folder, inside] = name.split("/");
        if (isModel(name)) setModel(path);
        // Labels are found beside their samples.
        else if (isLabels(name)) continue;
        else if (command === "compare" && isTest(name)) set("test", path);
        // Of a folder the folder itself is the data.
        else set("data", inside === undefined ? path : path.slice(0, path.indexOf(`/${folder}/`) + folder.length + 1));
      }
    };
    void take().catch((problem: Error) => setError(problem.message));
  }, [dropped]);
  return note;
}

/** The model as F, mirror and D, with the options that choose these. */
function useInspection(
  model: string,
  options: Readonly<Record<string, string>>,
  setError: (message: string | undefined) => void,
): Inspection | undefined {
  const [inspection, setInspection] = useState<Inspection>();
  useEffect(() => {
    setInspection(undefined);
    if (!isModel(model)) return;
    let gone = false;
    const wait = setTimeout(() => {
      const { features = "", discriminator = "", recipe = "" } = options;
      void api.inspect(model, { features, discriminator, recipe }).then(
        (found) => gone || setInspection(found),
        (problem: Error) => gone || setError(problem.message),
      );
      setError(undefined);
    }, 300);
    return () => {
      gone = true;
      clearTimeout(wait);
    };
  }, [model, options.features, options.discriminator, options.recipe]);
  return inspection;
}

/** The command that a request will be, or what is wrong with it. */
function usePreview(request: StartRequest): { command?: string; error?: string } {
  const [preview, setPreview] = useState<{ command?: string; error?: string }>({});
  useEffect(() => {
    setPreview({});
    if (request.model === "") return;
    const stop = new AbortController();
    const wait = setTimeout(() => {
      void api.command(request, stop.signal).then(
        ({ command: line }) => setPreview({ command: line }),
        (problem: Error) => problem.name !== "AbortError" && setPreview({ error: problem.message }),
      );
    }, 300);
    return () => {
      clearTimeout(wait);
      stop.abort();
    };
  }, [request]);
  return preview;
}

/** The option whose value an error is about, and what is wrong with it; undefined where it is about another thing. */
function wrongValue(
  error: string,
  fields: readonly OptionField[],
): { readonly flag: string; readonly reason: string } | undefined {
  const [, flag, reason] = /^(--[\w-]+): (.*?)(?: See --help\.)?$/s.exec(error) ?? [];
  return fields.some((field) => field.flag === flag) ? { flag, reason } : undefined;
}
