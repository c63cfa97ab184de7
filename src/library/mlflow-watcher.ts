/** Logs a run to an MLflow server over its REST interface, version 2.0. */
import { readFile } from "node:fs/promises";
import { percentDecoded } from "../data/percent-decoded.js";
import { writeWhole } from "../data/write-whole.js";
import { UsageError, userError } from "../errors.js";
import type { RunEnd, RunWatcher } from "./run-watcher.js";

export interface MlflowOptions {
  /** Address of the server, such as http://127.0.0.1:5000. */
  readonly address: string;
  /** The run's name there. */
  readonly name: string;
  /** Settings of the run; nested ones get names with dots. */
  readonly settings: object;
  /** File that keeps which run it is there, so that a resumed run goes on in it. */
  readonly keep: string;
  /** True where the run is resumed. */
  readonly resumed: boolean;
  /** Called once, where the server does not take what it is told: the run itself goes on. */
  readonly onTrouble: (message: string) => void;
  readonly now?: () => number;
}

/** The experiment that runs are in. */
const experimentName = "headstart";
/** As many metrics as MLflow takes at a time. */
const portion = 1000;
const longestParameter = 500;
/** Metrics wait until there are so many, or so old ones: a request a step would slow training. */
const patienceMilliseconds = 2000;
const requestMilliseconds = 20_000;

const states: Readonly<Record<RunEnd, string>> = { finished: "FINISHED", interrupted: "KILLED", failed: "FAILED" };

interface LoggedMetric {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
}

/**
 * Begins a run on a server, or goes on with it.
 *
 * @throws UserError where no MLflow server answers there: nothing has been trained by then
 */
export async function mlflowWatcher(options: MlflowOptions): Promise<RunWatcher> {
  const { now = Date.now } = options;
  const server = serverAt(options.address);
  const run = (options.resumed ? await keptRun(options, server) : undefined) ?? (await newRun(options, server, now()));
  let waiting: LoggedMetric[] = [];
  let sent = now();
  let troubled = false;
  const tell = async (path: string, body: object): Promise<void> => {
    try {
      await server(path, body);
    } catch (error) {
      if (!troubled)
        options.onTrouble(`MLflow at ${shown(options.address)}: ${(error as Error).message}; the run goes on.`);
      troubled = true;
    }
  };
  const flush = async (): Promise<void> => {
    const metrics = waiting;
    waiting = [];
    sent = now();
    for (let from = 0; from < metrics.length; from += portion)
      await tell("runs/log-batch", { run_id: run, metrics: metrics.slice(from, from + portion) });
  };
  return {
    async metrics(step, values) {
      const timestamp = now();
      for (const [key, value] of Object.entries(values))
        if (Number.isFinite(value)) waiting.push({ key, value, timestamp, step });
      if (waiting.length >= portion || timestamp - sent > patienceMilliseconds) await flush();
    },
    picture: async () => {},
    layers: async () => {},
    async end(how) {
      await flush();
      await tell("runs/update", { run_id: run, status: states[how], end_time: now() });
    },
  };
}

/** Sees whether an MLflow server answers, before anything is written. @throws UserError where none does */
export async function requireMlflow(address: string): Promise<void> {
  const server = serverAt(address);
  await server(`experiments/get-by-name?experiment_name=${experimentName}`).catch((error: unknown) => {
    if (error instanceof AnswerError && error.code === "RESOURCE_DOES_NOT_EXIST") return;
    throw refused(error, address);
  });
}

function refused(error: unknown, address: string): unknown {
  if (!(error instanceof AnswerError)) return error;
  return userError({
    where: `--mlflow ${shown(address)}`,
    required: "a running MLflow server",
    got: error.message,
    advice: "Start it with mlflow server, or leave the option out.",
  });
}

/** Without access data. */
function shown(address: string): string {
  return address.replace(/\/\/[^/@]*@/, "//");
}

type Server = (path: string, body?: object) => Promise<Record<string, unknown>>;

class AnswerError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Asks the server: with a body by POST, else by GET. */
function serverAt(address: string): Server {
  let base: URL;
  try {
    base = new URL(address.endsWith("/") ? address : `${address}/`);
  } catch {
    throw new UsageError(`--mlflow: required an address such as http://127.0.0.1:5000, got "${address}". See --help.`);
  }
  if (!/^https?:$/.test(base.protocol))
    throw new UsageError(`--mlflow: required an http or https address, got "${address}". See --help.`);
  // Access data in an address is sent as a header: fetch takes none in the address itself.
  const authorization =
    base.username === ""
      ? {}
      : {
          authorization: `Basic ${Buffer.from(`${percentDecoded(base.username)}:${percentDecoded(base.password)}`).toString("base64")}`,
        };
  [base.username, base.password] = ["", ""];
  return async (path, body) => {
    const answer = await fetch(new URL(`api/2.0/mlflow/${path}`, base), {
      headers: { "content-type": "application/json", ...authorization },
      signal: AbortSignal.timeout(requestMilliseconds),
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    }).catch((error: Error & { cause?: Error }) => {
      throw new AnswerError("no answer", error.cause?.message ?? error.message);
    });
    const content = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
    if (answer.ok) return content;
    throw new AnswerError(String(content.error_code ?? answer.status), String(content.message ?? answer.statusText));
  };
}

async function newRun(options: MlflowOptions, server: Server, now: number): Promise<string> {
  try {
    const experiment = await experimentOf(server);
    const created = (await server("runs/create", {
      experiment_id: experiment,
      run_name: options.name,
      start_time: now,
      tags: [{ key: "mlflow.source.name", value: "headstart" }],
    })) as { run?: { info?: { run_id?: string } } };
    const run = created.run?.info?.run_id;
    if (typeof run !== "string") throw new AnswerError("no run", "the answer names no run");
    const params = flattened(options.settings).slice(0, 100);
    await server("runs/log-batch", { run_id: run, params });
    await writeWhole(options.keep, `${JSON.stringify({ address: shown(options.address), run })}\n`);
    return run;
  } catch (error) {
    throw refused(error, options.address);
  }
}

async function experimentOf(server: Server): Promise<string> {
  const find = async (): Promise<string> => {
    const found = (await server(`experiments/get-by-name?experiment_name=${experimentName}`)) as {
      experiment?: { experiment_id?: string };
    };
    return String(found.experiment?.experiment_id);
  };
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof AnswerError) || error.code !== "RESOURCE_DOES_NOT_EXIST") throw error;
  }
  try {
    return String((await server("experiments/create", { name: experimentName })).experiment_id);
  } catch (error) {
    // Another run may have made it in the meantime.
    if (error instanceof AnswerError && error.code === "RESOURCE_ALREADY_EXISTS") return await find();
    throw error;
  }
}

/** The run of the kept file, where the server still has it. */
async function keptRun(options: MlflowOptions, server: Server): Promise<string | undefined> {
  try {
    const { run } = JSON.parse(await readFile(options.keep, "utf8")) as { run?: unknown };
    if (typeof run !== "string") return undefined;
    await server("runs/update", { run_id: run, status: "RUNNING" });
    return run;
  } catch {
    return undefined;
  }
}

/** Settings as MLflow's parameters: names with dots, values as text. */
function flattened(settings: object, path = ""): { key: string; value: string }[] {
  return Object.entries(settings).flatMap(([name, value]) => {
    const key = path === "" ? name : `${path}.${name}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return flattened(value, key);
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return [{ key: key.slice(0, 250), value: text.slice(0, longestParameter) }];
  });
}
