/** The lab's server: the page, what lies in the folder, live events, and the commands that the page starts. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { Readable } from "node:stream";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { streamSSE } from "hono/streaming";
import { UserError, userError } from "../errors.js";
import { inspect } from "../library/inspect.js";
import { runFiles } from "../library/run-folder.js";
import { studyFiles } from "../study/study-folder.js";
import { byTime, Entries } from "./entries.js";
import { type GuardOptions, refusal, securityHeaders, tokenCookie } from "./guard.js";
import { inspectOptions } from "./inspect-request.js";
import { listFolder } from "./list-folder.js";
import { newRows, readPosition } from "./live.js";
import { commandLine, Processes, type StartedProcess } from "./processes.js";
import type {
  CommandForm,
  ControlRequest,
  Entry,
  EntryList,
  ErrorAnswer,
  RunSeries,
  Session,
  StartAnswer,
  StartedCommand,
  StartRequest,
} from "./protocol.js";
import { isRunFile, type ProcessState, readRunDetail, readRunSeries } from "./read-run.js";
import { isStudyFile, readStudyDetail } from "./read-study.js";
import { Refusal } from "./refusal.js";
import { removeEntry } from "./remove-entry.js";
import { pathBelow, shownPath } from "./safe-path.js";
import { servePage } from "./serve-page.js";
import { offeredForms, startCommand, startRequest } from "./start-command.js";
import { StudyReports } from "./study-report.js";
import { keepUpload, uploads } from "./uploads.js";

export interface LabServerOptions {
  /** Real path of the lab's folder. */
  readonly root: string;
  /** Real paths of further folders that models and data may be chosen from. */
  readonly files: readonly string[];
  /** The built page. */
  readonly pageFolder: string;
  readonly version: string;
  readonly guard: () => GuardOptions;
  /** What runs headstart: the program and its first words. */
  readonly program: readonly string[];
  readonly forms: readonly CommandForm[];
  /** Reads a command line as the command itself would. @throws UserError where it does not fit */
  readonly checkWords: (words: readonly string[]) => Promise<void>;
  /** Milliseconds between looks at the files of what is shown. */
  readonly interval?: number;
}

/** What the addresses of the server have in common. */
interface Lab extends Pick<LabServerOptions, "root" | "forms" | "checkWords"> {
  /** The folders that models and data may be chosen from. */
  readonly roots: readonly string[];
  readonly interval: number;
  readonly processes: Processes;
  readonly list: () => Promise<EntryList>;
  /** The folder of a run or study: no other is ever read. */
  readonly folderOf: (id: string, kind: Entry["kind"]) => Promise<string>;
}

/** The server as a function from request to answer. */
export function labServer(options: LabServerOptions): Hono {
  const { root, files, checkWords } = options;
  const forms = offeredForms(options.forms);
  const processes = new Processes(root, options.program);
  const found = new Entries(root, (id) => processes.stateOf(id));
  const lab: Lab = {
    root,
    forms,
    checkWords,
    roots: [root, ...files],
    interval: options.interval ?? 700,
    processes,
    list: () => listOf(found, processes),
    folderOf: (id, kind) => entryFolder(root, id, kind),
  };
  // The first look takes longest: it begins before the page asks.
  void lab.list().catch(() => {});
  const app = new Hono();
  guardRequests(app, options.guard);
  answerErrors(app);
  app.get("/api/session", (context) =>
    context.json({ version: options.version, folder: root, commands: forms, uploads } satisfies Session),
  );
  serveEntries(app, lab);
  serveRuns(app, lab);
  serveStudies(app, lab);
  serveFiles(app, lab);
  serveCommands(app, lab);
  app.all("/api/*", (context) => context.json({ error: "no such address" }, 404));
  servePage(app, options.pageFolder);
  return app;
}

/** Lets in who has the token, and nobody from elsewhere. */
function guardRequests(app: Hono, guardOptions: () => GuardOptions): void {
  app.use(async (context, next) => {
    const { req } = context;
    const guard = guardOptions();
    const tokenGiven = req.path === "/" ? req.query("token") : undefined;
    const refused = refusal(
      { method: req.method, path: req.path, header: (name) => req.header(name), tokenGiven },
      guard,
    );
    for (const [name, value] of Object.entries(securityHeaders)) context.header(name, value);
    context.header("cache-control", "no-store");
    if (refused) return context.text(`headstart lab: ${refused.reason}\n`, refused.status);
    if (tokenGiven !== undefined) {
      context.header("set-cookie", tokenCookie(guard.token, guard.port));
      return context.redirect("/");
    }
    return next();
  });
}

/** What the user can put right is answered in words; anything else is printed here, too. */
function answerErrors(app: Hono): void {
  app.onError((error, context) => {
    const answer: ErrorAnswer = {
      error: error.message,
      ...(error instanceof Refusal ? { refusal: error.words } : {}),
    };
    if (error instanceof UserError) return context.json(answer, 400);
    console.error(error);
    return context.json({ error: `headstart lab: ${error.message}` }, 500);
  });
}

/** The runs and studies of the folder, and what the page has started that is not among them yet. */
async function listOf(found: Entries, processes: Processes): Promise<EntryList> {
  const { entries, problems } = await found.list();
  const known = new Set(entries.map(({ id }) => id));
  const waiting = processes.all.flatMap((process): Entry[] => {
    const state = processes.stateOf(process.id);
    // One that has ended well, or as it was told to, left a folder that somebody has taken away, or nothing.
    const shown = state?.state === "running" || state?.message !== undefined;
    return known.has(process.id) || !state || !shown ? [] : [waitingEntry(process, state)];
  });
  return { entries: [...waiting, ...entries].sort(byTime), problems };
}

/** The folder of a run or study. @throws UserError where there is none of the name */
async function entryFolder(root: string, id: string, kind: Entry["kind"]): Promise<string> {
  const folder = await pathBelow([root], id);
  const marker = await stat(join(folder, kind === "run" ? runFiles.record : studyFiles.plan)).catch(() => undefined);
  if (marker?.isFile()) return folder;
  throw Refusal.of("no-entry", {
    where: id,
    required: `a ${kind} in the lab's folder`,
    got: "none",
    advice: "Reload the page.",
  });
}

/** Deletes an entry of the list that nothing works on: what it has written, and what is known of its process. */
async function remove({ root, processes, list, folderOf }: Lab, id: string): Promise<void> {
  const entry = (await list()).entries.find((one) => one.id === id);
  if (!entry || entry.state === "running" || entry.state === "starting")
    throw Refusal.of(entry ? "still-runs" : "no-entry", {
      where: id,
      required: "a run or study that does not run",
      got: entry ? "one that does" : "none",
      advice: entry ? "Stop it first." : "Reload the page.",
    });
  if (!entry.waiting) await removeEntry(root, await folderOf(id, entry.kind), entry.kind);
  processes.forget(id);
}

/** The list, as it is and as it changes. */
function serveEntries(app: Hono, { interval, list }: Lab): void {
  app.get("/api/entries", async (context) => context.json(await list()));
  app.get("/api/entries/events", (context) =>
    streamSSE(context, async (stream) => {
      let sent = context.req.header("last-event-id");
      while (!stream.aborted) {
        const now = JSON.stringify(await list());
        const signature = createHash("sha256").update(now).digest("base64url");
        if (signature !== sent) {
          await stream.writeSSE({ event: "entries", data: now, id: signature });
          sent = signature;
        } else await stream.write(": still here\n\n");
        await stream.sleep(Math.max(interval, 1000));
      }
    }),
  );
}

/** A run: its files as they are, its curves, and both as they grow. */
function serveRuns(app: Hono, { interval, processes, folderOf }: Lab): void {
  app.get("/api/run", async (context) => {
    const id = context.req.query("id") ?? "";
    return context.json(await readRunDetail(await folderOf(id, "run"), id, processes.stateOf(id)));
  });
  app.get("/api/series", async (context) => {
    const points = Math.min(20_000, Math.max(2, Number(context.req.query("points")) || 1000));
    const answers: RunSeries[] = [];
    for (const id of context.req.queries("id") ?? []) {
      // One that has just gone, or has not begun, hides none of the others.
      const folder = await folderOf(id, "run").catch((error: Error) => error);
      if (typeof folder === "string") answers.push(await readRunSeries(folder, id, points));
      else answers.push(noSeries(id, folder.message));
    }
    return context.json(answers);
  });
  app.get("/api/run/events", async (context) => {
    const id = context.req.query("id") ?? "";
    const folder = await folderOf(id, "run");
    let position = readPosition(context.req.header("last-event-id") ?? context.req.query("from")) ?? {
      metrics: 0,
      timing: 0,
    };
    return streamSSE(context, async (stream) => {
      let shown = "";
      while (!stream.aborted) {
        const news = await newRows(folder, position);
        if (news) {
          position = news.position;
          await stream.writeSSE(news.event);
        }
        // The rest of the run's folder: when it has changed, the page asks for it.
        const signature = await folderSignature(folder, processes.stateOf(id)?.state ?? "");
        if (shown !== "" && signature !== shown) await stream.writeSSE({ event: "changed", data: "{}" });
        else if (!news) await stream.write(": still here\n\n");
        shown = signature;
        await stream.sleep(interval);
      }
    });
  });
}

/** A study and its report. */
function serveStudies(app: Hono, { processes, folderOf }: Lab): void {
  const reports = new StudyReports();
  app.get("/api/study", async (context) => {
    const id = context.req.query("id") ?? "";
    return context.json(await readStudyDetail(await folderOf(id, "study"), id, processes.stateOf(id)));
  });
  app.get("/api/study/report", async (context) => {
    const id = context.req.query("id") ?? "";
    const { network, labels, learningRate } = context.req.query();
    const selection = {
      ...(network === undefined ? {} : { network }),
      ...(labels === undefined ? {} : { labels }),
      ...(learningRate === undefined ? {} : { learningRate }),
    };
    return context.json(await reports.read(await folderOf(id, "study"), id, selection));
  });
}

/** Files to take away, to choose from, and to keep. */
function serveFiles(app: Hono, { root, roots, folderOf }: Lab): void {
  app.get("/api/file", async (context) => {
    const id = context.req.query("id") ?? "";
    const name = context.req.query("name") ?? "";
    if (!isStudyFile(name) && !isRunFile(name)) return context.text("no such file\n", 404);
    const folder = await folderOf(id, isStudyFile(name) ? "study" : "run");
    const path = await pathBelow([folder], join(folder, name));
    const { size } = await stat(path);
    const picture = extname(name) === ".png";
    context.header("content-type", picture ? "image/png" : "application/octet-stream");
    context.header("content-length", String(size));
    if (!picture) context.header("content-disposition", `attachment; filename="${name}"`);
    return context.body(Readable.toWeb(createReadStream(path)) as ReadableStream);
  });

  app.get("/api/choose", async (context) => {
    return context.json(await listFolder(roots, context.req.query("path") || "."));
  });
  app.put("/api/upload", async (context) => {
    const name = context.req.query("name") ?? "";
    const length = Number(context.req.header("content-length"));
    const path = await keepUpload(root, name, length, context.req.raw.body);
    return context.json({ path: shownPath(root, path) });
  });
}

/** What is to be started, and what was. */
function serveCommands(app: Hono, lab: Lab): void {
  const { root, roots, forms, processes, checkWords } = lab;
  const small = bodyLimit({ maxSize: 65536 });
  app.post("/api/inspect", small, async (context) => {
    const options = await inspectOptions((await bodyOf(context.req)) as Record<string, unknown>, roots);
    const result = await inspect(options);
    return context.json({ ...result, model: shownPath(root, options.model) });
  });
  app.post("/api/command", small, async (context) => {
    const { words } = await startCommand(startOf(await bodyOf(context.req)), forms, roots);
    await checkWords(words);
    return context.json({ command: commandLine(words) });
  });
  app.post("/api/start", small, async (context) => {
    const line = await startCommand(startOf(await bodyOf(context.req)), forms, roots);
    await checkWords(line.words);
    await processes.start(line);
    return context.json({ id: line.id, command: commandLine(line.words) } satisfies StartAnswer);
  });
  app.get("/api/started", async (context) => {
    const { words, log } = processes.commandOf(context.req.query("id") ?? "");
    const request = await startRequest(words, forms, root);
    return context.json({ command: commandLine(words), log, request } satisfies StartedCommand);
  });
  app.post("/api/control", small, async (context) => {
    const { id, action, steps } = (await bodyOf(context.req)) as unknown as ControlRequest;
    if (action === "pause" || action === "stop") await processes.end(String(id), action);
    else if (action === "resume") await processes.resume(String(id));
    else if (action === "extend" && Number.isSafeInteger(steps)) await processes.resume(String(id), steps);
    else if (action === "remove") await remove(lab, String(id));
    else
      throw userError({
        where: "control",
        required: "pause, resume, stop, remove, or extend with a number of steps",
        got: String(action),
        advice: "Reload the page.",
      });
    return context.json({});
  });
}

async function bodyOf(request: { json: () => Promise<unknown> }): Promise<Record<string, unknown>> {
  const body = await request.json().catch(() => undefined);
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  throw userError({ where: "request", required: "a JSON object", got: "something else", advice: "Reload the page." });
}

/** @throws UserError where it is none */
function startOf({ command, model, options }: Record<string, unknown>): StartRequest {
  const texts = Object.entries(typeof options === "object" && options !== null ? options : {});
  if (typeof command === "string" && typeof model === "string" && texts.every(([, value]) => typeof value === "string"))
    return { command, model, options: Object.fromEntries(texts) };
  throw userError({
    where: "start",
    required: "a command, a model and options, all as texts",
    got: "something else",
    advice: "Reload the page.",
  });
}

function noSeries(id: string, reason: string): RunSeries {
  return { id, series: {}, position: { metrics: 0, timing: 0 }, problems: [{ path: id, reason }] };
}

function waitingEntry({ id, kind, words, started }: StartedProcess, { state, message, ending }: ProcessState): Entry {
  const value = (flag: string): string =>
    words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1) ?? "";
  return {
    kind,
    id,
    state: state === "running" ? "starting" : "failed",
    modified: started,
    model: words.at(-1) ?? "",
    data: value("--data"),
    recipe: value("--recipe") || "default",
    seed: Number(value("--seed") || 0),
    done: 0,
    total: 0,
    latest: {},
    controlled: true,
    waiting: true,
    ...(ending ? { ending } : {}),
    ...(message === undefined ? {} : { message }),
  };
}

/** Changes with what of a run's folder its page shows beside the curves. */
async function folderSignature(folder: string, state: string): Promise<string> {
  const parts = await Promise.all(
    [runFiles.samples, runFiles.filters, runFiles.result, runFiles.layers].map((name) =>
      stat(join(folder, name)).then(
        ({ mtimeMs, size }) => `${mtimeMs}:${size}`,
        () => "",
      ),
    ),
  );
  return `${state} ${parts.join(" ")}`;
}
