/** A study's verdicts in words: of the whole study, or of what has finished so far. */
import type { ComparedArm, ComparisonView, StudyReport } from "../protocol.js";
import { number, say, sayOr } from "./language.js";
import { difference, grounds, type Measure, probability, remarks, stepsDiffer } from "./study-words.js";
import { type Cell, Table } from "./table.js";

export interface VerdictsProps {
  readonly report: StudyReport;
  readonly measure: Measure;
  readonly shown: readonly string[];
  /** Whether only some of the settings are looked at. */
  readonly filtered: boolean;
  /** Whether any arm is pretrained: else equal time is equal steps. */
  readonly pretrains: boolean;
}

export function Verdicts({ report, measure, shown, filtered, pretrains }: VerdictsProps) {
  const { summary, provisional, trials, planned } = report;
  const comparisons = (summary?.comparisons ?? []).filter(
    ({ arms, at }) => arms.length > 0 && (at === "equal steps" || pretrains),
  );
  const comparable = summary?.settings.some(({ arms }) => arms.length > 1);
  if (!summary || !comparable || comparisons.length === 0) return <p class="faint">{say("study.verdicts.none")}</p>;
  const notes = remarks(summary, "notes");
  return (
    <section class="verdicts" aria-labelledby="verdicts">
      <h2 id="verdicts" class="title">
        {say("study.verdicts")}
      </h2>
      {provisional && (
        <p class="provisional-note" role="status">
          {say("study.soFar", { done: number(trials), total: number(planned) })}
        </p>
      )}
      {filtered && <p class="faint">{say("study.filtered")}</p>}
      {remarks(summary, "warnings", provisional ? ["unfinished"] : []).map((warning) => (
        <p class="warning" key={warning}>
          {warning}
        </p>
      ))}
      {comparisons.map((comparison) => (
        <Comparison
          key={`${comparison.baseline} ${comparison.at}`}
          comparison={comparison}
          measure={measure}
          shown={shown}
          provisional={provisional}
        />
      ))}
      {notes.length > 0 && (
        <details class="panel">
          <summary>{say("study.notes")}</summary>
          <ul>
            {notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function Comparison(props: {
  comparison: ComparisonView;
  measure: Measure;
  shown: readonly string[];
  provisional: boolean;
}) {
  const { comparison, measure, shown, provisional } = props;
  const { baseline, at, early = [] } = comparison;
  const isShown = ({ name }: ComparedArm): boolean => shown.includes(name);
  const titled = (title: string): string => (provisional ? say("study.soFar.title", { title }) : title);
  const head = [say("study.arm"), say("study.verdict"), say("study.difference"), say("study.p")];
  const why = say("study.grounds");
  const cells = (arm: ComparedArm, words: "end" | "early"): Cell[] => [
    arm.name,
    badge(arm.verdict.verdict, words, provisional),
    difference(measure, arm.test),
    probability(arm.adjustedP),
  ];
  return (
    <>
      <Table
        title={titled(say("study.against", { baseline, at: sayOr(`at.${at}`, at) }))}
        name={`verdicts-${baseline}-${at}`}
        head={[...head, why]}
        rows={comparison.arms.filter(isShown).map((arm) => [...cells(arm, "end"), reasons(arm, measure)])}
      />
      {early.length > 0 && (
        <Table
          title={titled(say(`study.early.${measure}`, { baseline }))}
          name={`early-${baseline}`}
          head={[...head, say("study.early.steps"), say("study.early.missed"), why]}
          rows={early
            .filter(isShown)
            .map((arm) => [
              ...cells(arm, "early"),
              stepsDiffer(arm.stepsToTarget.difference),
              say("of", { done: number(arm.stepsToTarget.missed), total: number(arm.stepsToTarget.trials) }),
              reasons(arm, measure),
            ])}
        />
      )}
    </>
  );
}

const signs: Readonly<Record<string, string>> = { helps: "▲", hurts: "▼", "no difference shown": "=", unclear: "?" };

/** The verdict's word on its colour, with a sign for eyes that do not see it; what is not final yet says so. */
function badge(verdict: string, words: "end" | "early", provisional: boolean): Cell {
  const word = sayOr(`verdict.${words}.${verdict}`, verdict);
  const text = provisional ? say("study.soFar.verdict", { verdict: word }) : word;
  const content = (
    <span class={`verdict ${verdict.split(" ")[0]}${provisional ? " provisional" : ""}`}>
      <span aria-hidden="true">{signs[verdict] ?? ""}</span> {text}
    </span>
  );
  return { text, content };
}

function reasons(arm: ComparedArm, measure: Measure): Cell {
  const text = grounds(arm, measure).join("; ");
  return { text, content: <span class="grounds">{text}</span> };
}
