/** A study: its curves by arm, filtered, its results and verdicts. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Entry, StudyDetail, StudyTrial } from "../protocol.js";
import { api } from "./api.js";
import { Chart, type Line, lineColor } from "./chart.js";
import { Copyable } from "./copyable.js";
import { StateTag } from "./entry-list.js";
import { number, percent, say, sayOr } from "./language.js";
import { Controls, Files, Table } from "./run-view.js";

export function StudyView({ id, entry: listed }: { id: string; entry: Entry | undefined }) {
  const [detail, setDetail] = useState<StudyDetail>();
  const [error, setError] = useState<string>();
  const waiting = listed !== undefined && (listed.state === "starting" || listed.total === 0);
  useEffect(() => {
    // What the list says next may make good what failed: a study that was just started has no files yet.
    setError(undefined);
    if (waiting) return;
    let gone = false;
    void api.study(id).then(
      (next) => gone || setDetail(next),
      (problem: Error) => gone || setError(problem.message),
    );
    return () => {
      gone = true;
    };
  }, [id, waiting, listed?.modified, listed?.state]);
  if (error) return <p role="alert">{say("error", { message: error })}</p>;
  if (listed?.message && !detail)
    return (
      <p class="warning" role="alert">
        {listed.message}
      </p>
    );
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
      <Verdicts summary={detail.summary} measure={measureOf(detail)} />
      <Results detail={detail} />
      <Files id={id} files={detail.files} />
      {detail.command && (
        <section class="panel">
          <h3>{say("control.command")}</h3>
          <Copyable text={detail.command} />
        </section>
      )}
    </article>
  );
}

/** What the study's scores are: its plan says what is predicted. */
type Measure = "accuracy" | "r2";

function measureOf({ plan }: StudyDetail): Measure {
  const inner = (plan.plan ?? plan) as { task?: unknown };
  return inner.task === "regression" ? "r2" : "accuracy";
}

/** A score, or a difference of scores. */
function scored(measure: Measure, value: number): string {
  return measure === "r2" ? value.toFixed(3) : percent(value);
}

const filters = [
  { key: "network", label: "study.network" },
  { key: "labels", label: "study.labels" },
  { key: "learningRate", label: "study.rate" },
] as const;

function Results({ detail }: { detail: StudyDetail }) {
  const { trials } = detail;
  const measure = measureOf(detail);
  const arms = useMemo(() => [...new Set(trials.map(({ arm }) => arm))], [trials]);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [chosen, setChosen] = useState<Readonly<Record<string, string>>>({});
  const kept = trials.filter(
    (trial) => !hidden.has(trial.arm) && filters.every(({ key }) => !chosen[key] || String(trial[key]) === chosen[key]),
  );
  const groups = arms
    .filter((arm) => !hidden.has(arm))
    .map((arm) => ({ arm, trials: kept.filter((trial) => trial.arm === arm) }));
  const lines = groups.flatMap(({ arm, trials: own }): Line[] =>
    own.length === 0 ? [] : [curve(arm, own, lineColor(arms.indexOf(arm)))],
  );
  return (
    <>
      <section class="panel filters" aria-label={say("study.arms")}>
        {filters.map(({ key, label }) => {
          const values = [...new Set(trials.map((trial) => String(trial[key])))];
          return (
            values.length > 1 && (
              <label key={key}>
                {say(label)}{" "}
                <select
                  value={chosen[key] ?? ""}
                  onChange={(event) => setChosen({ ...chosen, [key]: event.currentTarget.value })}
                >
                  <option value="">{say("study.all")}</option>
                  {values.map((value) => (
                    <option key={value} value={value}>
                      {value}
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
      <Chart
        title={say(`study.curves.${measure}`)}
        lines={lines}
        yLabel={say(`study.axis.${measure}`)}
        percent={measure === "accuracy"}
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
          say("study.diverged"),
        ]}
        rows={groups.map(({ arm, trials: own }) => {
          const scores = own.map(({ score }) => score);
          const known = scores.length > 0;
          return [
            arm,
            own.length,
            known ? scored(measure, mean(scores)) : "–",
            known ? `${scored(measure, Math.min(...scores))} – ${scored(measure, Math.max(...scores))}` : "–",
            own.filter(({ diverged }) => diverged !== null).length,
          ];
        })}
      />
    </>
  );
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

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
    values: values.map(mean),
    low: values.map((all) => Math.min(...all)),
    high: values.map((all) => Math.max(...all)),
  };
}

interface ComparedArm {
  readonly name: string;
  readonly mean?: number;
  readonly adjustedP?: number;
  readonly test?: { readonly mean: number; readonly interval: { readonly low: number; readonly high: number } };
  readonly verdict?: { readonly verdict: string; readonly reasons?: readonly string[] };
}

/** What the summary says of each arm, in its own words. */
function Verdicts({ summary, measure }: { summary: Readonly<Record<string, unknown>> | null; measure: Measure }) {
  const inner = (summary?.summary ?? summary) as {
    comparisons?: readonly { baseline: string; at: string; arms: readonly ComparedArm[] }[];
    warnings?: readonly string[];
  } | null;
  const comparisons = inner?.comparisons ?? [];
  if (comparisons.length === 0) return <p class="faint">{say("study.verdicts.none")}</p>;
  return (
    <>
      {(inner?.warnings ?? []).map((warning) => (
        <p class="warning" key={warning}>
          {warning}
        </p>
      ))}
      {comparisons.map(({ baseline, at, arms }) => (
        <Table
          key={`${baseline} ${at}`}
          title={say("study.against", { baseline, at: sayOr(`at.${at}`, at) })}
          name={`verdicts-${baseline}-${at}`}
          head={[
            say("study.arm"),
            say("study.verdict"),
            say("study.difference"),
            say("study.interval"),
            say("study.p"),
          ]}
          rows={arms.map(({ name, test, adjustedP, verdict }) => [
            name,
            [verdict?.verdict ?? "–", verdict?.reasons?.[0] ?? ""].filter(Boolean).join(": "),
            test ? scored(measure, test.mean) : "–",
            test?.interval ? `${scored(measure, test.interval.low)} – ${scored(measure, test.interval.high)}` : "–",
            adjustedP ?? "–",
          ])}
        />
      ))}
    </>
  );
}
