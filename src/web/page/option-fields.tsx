/** The fields of the form that starts a run or a study. */
import { useId } from "preact/hooks";
import type { OptionField } from "../protocol.js";
import { optionText, say } from "./language.js";

/** Paths that are rather written than chosen: of what is not there yet, or that stand where mostly names do. */
const written: ReadonlySet<string> = new Set(["output", "recipe", "discriminator", "arms", "baseline"]);

/** A path that has to be given: of the model, or of data. */
export function PathField(props: {
  label: string;
  value: string;
  help: string;
  problem: string | undefined;
  onInput: (value: string) => void;
  onChoose: () => void;
}) {
  const { label, value, help, problem, onInput, onChoose } = props;
  const id = useId();
  return (
    <div class="field wide">
      <label>
        <span class="label">
          {label} <span class="faint">({say("start.required")})</span>
        </span>
        <input
          type="text"
          required
          value={value}
          aria-describedby={`${id}-problem ${id}-help`}
          aria-invalid={problem !== undefined}
          onInput={(event) => onInput(event.currentTarget.value)}
          spellcheck={false}
        />
      </label>
      <button type="button" onClick={onChoose} aria-label={`${say("start.choose")}: ${label}`}>
        {say("start.choose")}
      </button>
      <p class="problem" id={`${id}-problem`}>
        {problem}
      </p>
      {help && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}

/** An option by its flag, as a box to tick, a list, or a text. */
export function Field(props: {
  command: string;
  field: OptionField;
  value: string;
  problem: string | undefined;
  set: (key: string, value: string) => void;
  choose: (key: string) => void;
}) {
  const { command, field, value, problem, set, choose } = props;
  const { key, flag, placeholder, initial, choices, path } = field;
  const help = optionText(`${command}.${key}`, field.description);
  const id = `option-${key}`;
  if (placeholder === undefined)
    return (
      <div class="field flag">
        <label>
          <input
            type="checkbox"
            checked={value === "yes"}
            aria-describedby={id}
            onChange={(event) => set(key, event.currentTarget.checked ? "yes" : "")}
          />{" "}
          <code>{flag}</code>
        </label>
        <p class="help" id={id}>
          {help}
        </p>
      </div>
    );
  return (
    <div class="field">
      {/* biome-ignore lint/a11y/noLabelWithoutControl: one of the two controls below always stands in it */}
      <label>
        <span class="label">
          <code>{flag}</code>
        </span>
        {choices && key !== "recipe" ? (
          <select value={value} aria-describedby={id} onChange={(event) => set(key, event.currentTarget.value)}>
            <option value="">{say("start.unset")}</option>
            {choices.map((choice) => (
              <option key={choice} value={choice}>
                {choice}
              </option>
            ))}
          </select>
        ) : (
          <input
            type="text"
            value={value}
            placeholder={initial === null ? placeholder : say("start.default", { value: initial })}
            list={choices ? `${id}-choices` : undefined}
            aria-describedby={`${id}-problem ${id}`}
            aria-invalid={problem !== undefined}
            onInput={(event) => set(key, event.currentTarget.value)}
            spellcheck={false}
          />
        )}
        {choices && key === "recipe" && (
          <datalist id={`${id}-choices`}>
            {choices.map((choice) => (
              <option key={choice} value={choice} />
            ))}
          </datalist>
        )}
      </label>
      {path !== undefined && !written.has(key) && (
        <button type="button" class="quiet" onClick={() => choose(key)} aria-label={`${say("start.choose")}: ${flag}`}>
          {say("start.choose")}
        </button>
      )}
      <p class="problem" id={`${id}-problem`}>
        {problem}
      </p>
      <p class="help" id={id}>
        {help}
      </p>
    </div>
  );
}
