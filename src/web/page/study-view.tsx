/** A study: its state, verdicts, curves and results, by arm, labels and learning rate. */
import { useState } from "preact/hooks";
import type { Entry, StudyDetail, StudySelection } from "../protocol.js";
import { useAnswer } from "./answer.js";
import { api } from "./api.js";
import { Chart, type Line } from "./chart.js";
import { Controls } from "./controls.js";
import { Copyable } from "./copyable.js";
import { Files } from "./files.js";
import { number, say } from "./language.js";
import { StateTag } from "./state-tag.js";
import { type NetworkCell, StudyCharts } from "./study-charts.js";
import { isChosen, StudyFilters, settingKeys } from "./study-filters.js";
import { ResultsTable, scoreCurve } from "./study-results.js";
import { Verdicts } from "./study-verdicts.js";
import { measureOf } from "./study-words.js";
import { lineColor, useTheme } from "./theme.js";
import { Unreadable } from "./unreadable.js";
import { WaitingView } from "./waiting-view.js";

export function StudyView({ id, entry: listed }: { id: string; entry: Entry | undefined }) {
  const waiting = listed?.waiting === true;
  const { answer: detail, error } = useAnswer(
    waiting ? undefined : () => api.study(id),
    [id, waiting],
    [listed?.modified, listed?.state],
  );
  if (listed?.waiting) return <WaitingView entry={listed} />;
  if (error) return <Unreadable id={id} listed={listed !== undefined} reason={error} />;
  if (!detail) return <p>{say("loading")}</p>;
  const entry = listed ?? detail.entry;
  return (
    <article>
      <h1>{id}</h1>
      <div class="status">
        <StateTag entry={entry} />
        <div class="status-progress">
          <progress max={Math.max(1, entry.total)} value={entry.done} aria-label={say("progress")} />
          <span>{say("progress.trials", { done: number(entry.done), total: number(entry.total) })}</span>
        </div>
      </div>
      <Controls entry={entry} />
      <Problems problems={detail.problems} />
      <Results detail={detail} />
      <Files id={id} files={detail.files} />
      {detail.command && (
        <section class="panel">
          <h2>{say("control.command")}</h2>
          <Copyable text={detail.command} />
        </section>
      )}
      {detail.log && (
        <section class="panel">
          <h2>{say("log")}</h2>
          <Copyable text={detail.log} label={say("log")} />
        </section>
      )}
    </article>
  );
}

function Problems({ problems }: Pick<StudyDetail, "problems">) {
  return (
    <>
      {problems.map(({ path, reason }) => (
        <p class="warning" key={path}>
          {path}: {reason}
        </p>
      ))}
    </>
  );
}

/** What the page needs of a plan. */
interface PlanView {
  readonly task?: string;
  readonly measure?: string;
  readonly targets?: readonly string[];
  readonly arms?: readonly { readonly name: string; readonly source?: { readonly kind?: string } }[];
  readonly networks?: readonly NetworkCell[];
  readonly steps?: number;
  readonly tune?: boolean;
}

function planOf({ plan }: StudyDetail): PlanView {
  return plan.plan as PlanView;
}

function Results({ detail }: { detail: StudyDetail }) {
  // Lines have the colours of their arms, which the theme chooses.
  useTheme();
  const plan = planOf(detail);
  const measure = measureOf(plan);
  const arms = (plan.arms ?? []).map(({ name }) => name);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [chosen, setChosen] = useState<StudySelection>({});
  const { id } = detail.entry;
  const { answer: report, error } = useAnswer(() => api.studyReport(id, chosen), [id, chosen], [detail]);
  const shown = arms.filter((arm) => !hidden.has(arm));
  const chosenTrials = detail.trials.filter((trial) => isChosen(trial, chosen));
  const groups = shown.map((arm) => ({ arm, trials: chosenTrials.filter((trial) => trial.arm === arm) }));
  const lines = groups.flatMap(({ arm, trials }): Line[] =>
    trials.length === 0 ? [] : [{ name: arm, color: lineColor(arms.indexOf(arm)), ...scoreCurve(trials) }],
  );
  return (
    <>
      <StudyFilters
        trials={detail.trials}
        // A tuned rate is each arm's own: to choose by it would be to compare other settings.
        keys={plan.tune ? settingKeys.filter((key) => key !== "learningRate") : settingKeys}
        chosen={chosen}
        choose={setChosen}
        arms={arms}
        hidden={hidden}
        hide={setHidden}
      />
      {error && (
        <p class="warning" role="alert">
          {say("error", { message: error })}
        </p>
      )}
      {report && <Problems problems={report.problems} />}
      {report && (
        <Verdicts
          report={report}
          measure={measure}
          shown={shown}
          filtered={settingKeys.some((key) => chosen[key] !== undefined)}
          pretrains={(plan.arms ?? []).some(({ source }) => source?.kind === "recipe")}
        />
      )}
      <Chart
        title={say(`study.curves.${measure}`)}
        lines={lines}
        yLabel={say(`study.axis.${measure}`)}
        percent={measure !== "r2"}
        height={340}
      />
      <ResultsTable
        groups={groups}
        measure={measure}
        targets={measure === "r2" ? (plan.targets ?? []) : []}
        steps={plan.steps}
      />
      {report?.summary && (
        <StudyCharts
          summary={report.summary}
          measure={measure}
          steps={plan.steps ?? 0}
          shown={shown}
          arms={arms}
          networks={plan.networks ?? []}
        />
      )}
    </>
  );
}
