/** What of a study is looked at: one of its networks, amounts of labels or learning rates, and some of its arms. */
import type { StudySelection, StudyTrial } from "../protocol.js";
import { say } from "./language.js";
import { labelsName } from "./study-words.js";

export const settingKeys = ["network", "labels", "learningRate"] as const;

const names = { network: "study.network", labels: "study.labels", learningRate: "study.rate" } as const;

/** Whether a trial is one of the chosen settings'. */
export function isChosen(trial: StudyTrial, chosen: StudySelection): boolean {
  return settingKeys.every((key) => chosen[key] === undefined || String(trial[key]) === chosen[key]);
}

export function StudyFilters(props: {
  trials: readonly StudyTrial[];
  /** The parts of a setting that are offered, where the study has several of them. */
  keys: readonly (typeof settingKeys)[number][];
  chosen: StudySelection;
  choose: (chosen: StudySelection) => void;
  arms: readonly string[];
  hidden: ReadonlySet<string>;
  hide: (hidden: ReadonlySet<string>) => void;
}) {
  const { trials, keys, chosen, choose, arms, hidden, hide } = props;
  const choices = keys
    .map((key) => ({ key, values: [...new Set(trials.map((trial) => String(trial[key])))] }))
    .filter(({ values }) => values.length > 1);
  return (
    <section class="panel filters" aria-label={say("study.shown")}>
      {choices.map(({ key, values }) => (
        <label key={key}>
          {say(names[key])}{" "}
          <select
            value={chosen[key] ?? ""}
            onChange={(event) => {
              const { [key]: _, ...others } = chosen;
              const { value } = event.currentTarget;
              choose(value === "" ? others : { ...others, [key]: value });
            }}
          >
            <option value="">{say("study.all")}</option>
            {values.map((value) => (
              <option key={value} value={value}>
                {key === "labels" ? labelsName(value) : value}
              </option>
            ))}
          </select>
        </label>
      ))}
      <fieldset>
        <legend>{say("study.arms")}</legend>
        {arms.map((arm) => (
          <label key={arm}>
            <input
              type="checkbox"
              checked={!hidden.has(arm)}
              onChange={() => {
                const next = new Set(hidden);
                if (!next.delete(arm)) next.add(arm);
                hide(next);
              }}
            />{" "}
            {arm}
          </label>
        ))}
      </fieldset>
    </section>
  );
}
