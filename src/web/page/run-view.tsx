/** One run: its state, curves, pictures, layers, and what to take away. */
import { useState } from "preact/hooks";
import type { Entry, RunDetail, RunWarning } from "../protocol.js";
import { Controls } from "./controls.js";
import { Copyable } from "./copyable.js";
import { Files } from "./files.js";
import { bytes, duration, number, percent, say, sayOr } from "./language.js";
import { LayersView } from "./layers-view.js";
import { type SeriesByName, useRun } from "./live.js";
import { RunCharts, stepsPerSecond } from "./run-charts.js";
import { StateTag } from "./state-tag.js";
import { StepPictures } from "./step-pictures.js";
import { Table } from "./table.js";
import { Tabs } from "./tabs.js";
import { Unreadable } from "./unreadable.js";
import { WaitingView } from "./waiting-view.js";

export function RunView({ id, entry: listed }: { id: string; entry: Entry | undefined }) {
  // While a run is only starting, it has no folder that could be read.
  if (listed?.waiting) return <WaitingView entry={listed} />;
  // A run that was just started is asked for before the list knows it: once it does, what failed is tried anew.
  return <StartedView key={listed ? "listed" : "unlisted"} id={id} listed={listed} />;
}

function StartedView({ id, listed }: { id: string; listed: Entry | undefined }) {
  const { detail, series, error } = useRun(id);
  const [tab, setTab] = useState<string>();
  if (error) return <Unreadable id={id} listed={listed !== undefined} reason={error} />;
  if (!detail) return <p>{say("loading")}</p>;
  const entry = listed ?? detail.entry;
  const record = detail.record as { batchSize?: number; task?: string; steps?: number };
  // A recipe without a loss makes none.
  const makesSteps = record.steps !== 0;
  return (
    <article>
      <h1>{id}</h1>
      <Status entry={entry} detail={detail} series={series} batchSize={record.batchSize ?? 1} />
      <Controls entry={entry} />
      <Warnings detail={detail} entry={entry} />
      <Tabs
        chosen={tab ?? (makesSteps ? "curves" : "samples")}
        choose={setTab}
        tabs={[
          ...(makesSteps
            ? [
                {
                  key: "curves",
                  name: say("tab.curves"),
                  content: () => (
                    <RunCharts series={series} batchSize={record.batchSize ?? 1} task={record.task ?? ""} />
                  ),
                },
              ]
            : []),
          {
            key: "samples",
            name: say("tab.samples"),
            content: () => (
              <>
                <StepPictures
                  id={id}
                  folder="samples"
                  steps={detail.samples}
                  title={say("samples.title")}
                  alt={(step) => say("samples.alt", { step })}
                  none={say("samples.none")}
                />
                <StepPictures
                  id={id}
                  folder="filters"
                  steps={detail.filters}
                  title={say("filters.title")}
                  alt={(step) => say("filters.alt", { step })}
                  none={say("filters.none")}
                />
              </>
            ),
          },
          { key: "layers", name: say("tab.layers"), content: () => <LayersView layers={detail.layers} /> },
          { key: "take", name: say("tab.take"), content: () => <TakeAway detail={detail} /> },
          { key: "about", name: say("tab.about"), content: () => <About detail={detail} /> },
        ]}
      />
    </article>
  );
}

function Status(props: { entry: Entry; detail: RunDetail; series: SeriesByName; batchSize: number }) {
  const { entry, series, batchSize } = props;
  const total = entry.total;
  const done = Math.max(entry.done, series.seconds?.steps.at(-1) ?? 0);
  const seconds = series.seconds;
  const last = (seconds?.steps.length ?? 0) - 1;
  const speed = seconds && last > 0 ? stepsPerSecond(seconds, Math.max(0, last - 20), last) : undefined;
  const running = entry.state === "running";
  const memory = series.memory?.values.at(-1);
  return (
    <div class="status">
      <StateTag entry={entry} />
      {total > 0 && (
        <div class="status-progress">
          <progress max={total} value={done} aria-label={say("progress")} />
          <span>{say("progress.steps", { done: number(done), total: number(total) })}</span>
        </div>
      )}
      <dl>
        {running && speed !== undefined && (
          <div>
            <dt>{say("timeLeft")}</dt>
            <dd>{duration((total - done) / speed)}</dd>
          </div>
        )}
        {speed !== undefined && (
          <div>
            <dt>{say("rate")}</dt>
            <dd>{number(Math.round(speed * batchSize))}</dd>
          </div>
        )}
        {typeof memory === "number" && (
          <div>
            <dt>{say("memory")}</dt>
            <dd>{bytes(memory)}</dd>
          </div>
        )}
        <div>
          <dt>{say("model")}</dt>
          <dd>{entry.model}</dd>
        </div>
        <div>
          <dt>{say("data")}</dt>
          <dd>{entry.data}</dd>
        </div>
        <div>
          <dt>{say("recipe")}</dt>
          <dd>{entry.recipe}</dd>
        </div>
        <div>
          <dt>{say("seed")}</dt>
          <dd>{entry.seed ?? "–"}</dd>
        </div>
      </dl>
    </div>
  );
}

function Warnings({ detail, entry }: { detail: RunDetail; entry: Entry }) {
  const warnings: RunWarning[] = [
    ...(entry.state === "diverged" ? [{ kind: "diverged", message: "" }] : []),
    ...detail.warnings,
    ...detail.problems.map(({ path, reason }) => ({ kind: "", message: `${path}: ${reason}` })),
  ];
  if (warnings.length === 0) return null;
  return (
    <section class="warnings" aria-label={say("warnings")}>
      {warnings.map(({ kind, message, values }) => (
        <p class="warning" key={kind + message} title={message}>
          {sayOr(`warning.${kind}`, message)}
          {values && ` ${sayOr(`warning.${kind}.values`, "", shownValues(values))}`}
        </p>
      ))}
    </section>
  );
}

/** Values of warnings that are shares. */
const shares: readonly string[] = ["pairs", "accuracy", "chance"];

function shownValues(values: Readonly<Record<string, number>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, shares.includes(name) ? percent(value) : number(value)]),
  );
}

interface Report {
  readonly activations?: readonly { layer: string; mean: number; standardDeviation: number }[];
  readonly effectiveRank?: number;
  readonly nearestNeighbour?: number;
}

function TakeAway({ detail }: { detail: RunDetail }) {
  const { entry, files, loading, record, result } = detail;
  const before = (result?.before ?? {}) as Report;
  const after = (result?.after ?? {}) as Report;
  const rows: string[][] = [];
  before.activations?.forEach((start, index) => {
    const text = (one: { mean: number; standardDeviation: number } | undefined): string =>
      one ? `${number(one.mean)} ± ${number(one.standardDeviation)}` : "–";
    rows.push([say("result.activations", { layer: start.layer }), text(start), text(after.activations?.[index])]);
  });
  if (result) rows.push([say("result.rank"), number(before.effectiveRank), number(after.effectiveRank)]);
  if (before.nearestNeighbour !== undefined && after.nearestNeighbour !== undefined)
    rows.push([say("result.neighbour"), percent(before.nearestNeighbour), percent(after.nearestNeighbour)]);
  return (
    <>
      {result === null && <p class="faint">{say("take.none")}</p>}
      {rows.length > 0 && (
        <Table
          title={say("result.title")}
          head={["", say("result.start"), say("result.now")]}
          rows={rows}
          name={`${entry.id}-result`}
        />
      )}
      {loading.length > 0 && (
        <section class="panel">
          <h2>{say("take.loading")}</h2>
          {(record.head as { kind?: string } | undefined)?.kind === "self-training" && <p>{say("take.selfTrained")}</p>}
          {loading.map(({ framework, lines }) => (
            <div key={framework} class="loading-lines">
              <h3>{framework}</h3>
              <Copyable text={lines.join("\n")} label={framework} code />
            </div>
          ))}
        </section>
      )}
      <Files id={entry.id} files={files} />
    </>
  );
}

function About({ detail }: { detail: RunDetail }) {
  return (
    <>
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
      <section class="panel">
        <h2>{say("about.record")}</h2>
        <Copyable text={JSON.stringify(detail.record, undefined, 2)} label={say("about.record")} />
      </section>
    </>
  );
}
