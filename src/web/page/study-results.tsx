/** The scores of a study's trials, arm by arm: along training, and at its end. */
import type { StudyTrial } from "../protocol.js";
import type { Line } from "./chart.js";
import { number, say } from "./language.js";
import { type Measure, meanOf, scored } from "./study-words.js";
import { Table } from "./table.js";

export interface ArmTrials {
  readonly arm: string;
  readonly trials: readonly StudyTrial[];
}

/** The mean score over trials at the steps that all have, with the range. */
export function scoreCurve(trials: readonly StudyTrial[]): Pick<Line, "steps" | "values" | "low" | "high"> {
  const at = new Map<number, number[]>();
  for (const { points } of trials) for (const { step, score } of points) at.set(step, [...(at.get(step) ?? []), score]);
  const steps = [...at.keys()]
    .filter((step) => at.get(step)?.length === trials.length)
    .sort((first, second) => first - second);
  const values = steps.map((step) => at.get(step) ?? []);
  return {
    steps,
    values: values.map(meanOf),
    low: values.map((all) => Math.min(...all)),
    high: values.map((all) => Math.max(...all)),
  };
}

export function ResultsTable(props: {
  groups: readonly ArmTrials[];
  measure: Measure;
  /** The numbers that are predicted, where it is numbers. */
  targets: readonly string[];
  /** The plan's. */
  steps: number | undefined;
}) {
  const { groups, measure, targets, steps } = props;
  return (
    <Table
      title={say("study.results")}
      name="study-results"
      head={[
        say("study.arm"),
        say("study.trials"),
        say(`study.mean.${measure}`),
        say("study.spread"),
        ...targets.map((target) => say("study.rmse", { target })),
        say("study.diverged"),
      ]}
      rows={groups.map(({ arm, trials }) => {
        const scores = trials.map(({ score }) => score);
        const known = scores.length > 0;
        return [
          arm,
          trials.length,
          known ? scored(measure, meanOf(scores)) : "–",
          known ? `${scored(measure, Math.min(...scores))} – ${scored(measure, Math.max(...scores))}` : "–",
          ...targets.map((_, place) => number(meanOf(trials.flatMap((trial) => errorOf(trial, place, steps))))),
          trials.filter(({ diverged }) => diverged !== null).length,
        ];
      })}
    />
  );
}

/** A trial's error of a number that is predicted, after the plan's steps. */
function errorOf({ points }: StudyTrial, place: number, steps = Number.POSITIVE_INFINITY): number[] {
  const error = points.findLast(({ step }) => step <= steps)?.rmse?.[place];
  return error === undefined ? [] : [error];
}
