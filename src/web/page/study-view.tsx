/** A study: its verdicts, curves and results, by arm, labels and learning rate. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Entry, StudyDetail, StudyReport, StudySelection, StudyTrial } from "../protocol.js";
import { api } from "./api.js";
import { Chart, type Line, lineColor } from "./chart.js";
import { Controls } from "./controls.js";
import { Copyable } from "./copyable.js";
import { StateTag } from "./entry-list.js";
import { number, say } from "./language.js";
import { Files, Unreadable } from "./run-view.js";
import { type NetworkCell, StudyCharts } from "./study-charts.js";
import { Verdicts } from "./study-verdicts.js";
import { labelsName, meanOf, measureOf, scored } from "./study-words.js";
import { Table } from "./table.js";
import { WaitingView } from "./waiting-view.js";

export function StudyView({ id, entry: listed }: { id: string; entry: Entry | undefined }) {
  const [detail, setDetail] = useState<StudyDetail>();
  const [error, setError] = useState<string>();
  const waiting = listed?.waiting === true;
  useEffect(() => {
    // What the list says next may make good what failed: a study that was just started has no files yet.
    setError(undefined);
    if (waiting) return;
    let gone = false;
    void api.study(id).then(
      (next) => gone || setDetail(next),
      // What is shown stays while the server does not answer, which the page says elsewhere.
      (problem: Error) => gone || problem instanceof TypeError || setError(problem.message),
    );
    return () => {
      gone = true;
    };
  }, [id, waiting, listed?.modified, listed?.state]);
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
          <span>
            {say("of", { done: number(entry.done), total: number(entry.total) })} {say("trials")}
          </span>
        </div>
      </div>
      <Controls entry={entry} />
      {detail.problems.map(({ path, reason }) => (
        <p class="warning" key={path}>
          {path}: {reason}
        </p>
      ))}
      <Results detail={detail} />
      <Files id={id} files={detail.files} />
      {detail.command && (
        <section class="panel">
          <h2>{say("control.command")}</h2>
          <Copyable text={detail.command} />
        </section>
      )}
    </article>
  );
}

/** What the page needs of a plan, which stands in study.json itself or below `plan` there. */
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
  return (plan.plan ?? plan) as PlanView;
}

const filters = [
  { key: "network", label: "study.network" },
  { key: "labels", label: "study.labels" },
  { key: "learningRate", label: "study.rate" },
] as const;

function Results({ detail }: { detail: StudyDetail }) {
  const { trials } = detail;
  const plan = planOf(detail);
  const measure = measureOf(plan);
  const arms = useMemo(() => (plan.arms ?? []).map(({ name }) => name), [detail.plan]);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [chosen, setChosen] = useState<Readonly<Record<string, string>>>({});
  const report = useReport(detail, chosen);
  const shown = arms.filter((arm) => !hidden.has(arm));
  const kept = trials.filter(
    (trial) => !hidden.has(trial.arm) && filters.every(({ key }) => !chosen[key] || String(trial[key]) === chosen[key]),
  );
  const targets = measure === "r2" ? (plan.targets ?? []) : [];
  const groups = shown.map((arm) => ({ arm, trials: kept.filter((trial) => trial.arm === arm) }));
  const lines = groups.flatMap(({ arm, trials: own }): Line[] =>
    own.length === 0 ? [] : [curve(arm, own, lineColor(arms.indexOf(arm)))],
  );
  return (
    <>
      <section class="panel filters" aria-label={say("study.arms")}>
        {filters.map(({ key, label }) => {
          const values = [...new Set(trials.map((trial) => String(trial[key])))];
          // A tuned rate is each arm's own: to choose by it would be to compare other settings.
          return (
            values.length > 1 &&
            !(key === "learningRate" && plan.tune) && (
              <label key={key}>
                {say(label)}{" "}
                <select
                  value={chosen[key] ?? ""}
                  onChange={(event) => setChosen({ ...chosen, [key]: event.currentTarget.value })}
                >
                  <option value="">{say("study.all")}</option>
                  {values.map((value) => (
                    <option key={value} value={value}>
                      {key === "labels" ? labelsName(value) : value}
                    </option>
                  ))}
                </select>
              </label>
            )
          );
        })}
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
                  setHidden(next);
                }}
              />{" "}
              {arm}
            </label>
          ))}
        </fieldset>
      </section>
      {report?.problems.map(({ path, reason }) => (
        <p class="warning" key={path}>
          {path}: {reason}
        </p>
      ))}
      {report && (
        <Verdicts
          report={report}
          measure={measure}
          shown={shown}
          filtered={filters.some(({ key }) => chosen[key])}
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
      <Table
        title={say("study.results")}
        name="study-results"
        head={[
          say("study.arm"),
          say("study.seeds"),
          say(`study.mean.${measure}`),
          say("study.spread"),
          ...targets.map((target) => say("study.rmse", { target })),
          say("study.diverged"),
        ]}
        rows={groups.map(({ arm, trials: own }) => {
          const scores = own.map(({ score }) => score);
          const known = scores.length > 0;
          return [
            arm,
            own.length,
            known ? scored(measure, meanOf(scores)) : "–",
            known ? `${scored(measure, Math.min(...scores))} – ${scored(measure, Math.max(...scores))}` : "–",
            ...targets.map((_, place) => number(meanOf(own.flatMap((trial) => errorOf(trial, place, plan.steps))))),
            own.filter(({ diverged }) => diverged !== null).length,
          ];
        })}
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

/** The report of what is chosen, anew whenever the study has more to say. */
function useReport(detail: StudyDetail, chosen: Readonly<Record<string, string>>): StudyReport | undefined {
  const [report, setReport] = useState<StudyReport>();
  const { id } = detail.entry;
  useEffect(() => {
    let gone = false;
    const selection: StudySelection = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== ""));
    void api.studyReport(id, selection).then(
      (next) => gone || setReport(next),
      // The server is away, which the page says elsewhere: what was known stays.
      () => {},
    );
    return () => {
      gone = true;
    };
  }, [id, detail, chosen]);
  return report;
}

/** A trial's error of a number that is predicted, after the plan's steps. */
function errorOf({ points }: StudyTrial, place: number, steps = Number.POSITIVE_INFINITY): number[] {
  const error = points.findLast(({ step }) => step <= steps)?.rmse?.[place];
  return error === undefined ? [] : [error];
}

/** The mean over trials at the steps that all have, with the range. */
function curve(name: string, trials: readonly StudyTrial[], color: string): Line {
  const at = new Map<number, number[]>();
  for (const { points } of trials) for (const { step, score } of points) at.set(step, [...(at.get(step) ?? []), score]);
  const steps = [...at.keys()]
    .filter((step) => at.get(step)?.length === trials.length)
    .sort((first, second) => first - second);
  const values = steps.map((step) => at.get(step) ?? []);
  return {
    name,
    color,
    steps,
    values: values.map(meanOf),
    low: values.map((all) => Math.min(...all)),
    high: values.map((all) => Math.max(...all)),
  };
}
