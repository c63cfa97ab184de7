/** What the page asks the server. */
import {
  type ControlRequest,
  type ErrorAnswer,
  type FolderListing,
  type RunDetail,
  type RunSeries,
  requestHeader,
  type Session,
  type StartAnswer,
  type StartedCommand,
  type StartRequest,
  type StudyDetail,
  type StudyReport,
  type StudySelection,
} from "../protocol.js";
import { refusalText, say } from "./language.js";

/** There was no answer, or no whole one: the server is away. */
export class NoAnswer extends Error {
  constructor() {
    super(say("connection.none"));
  }
}

async function ask<Answer>(path: string, init: RequestInit = {}): Promise<Answer> {
  try {
    const answer = await fetch(path, { ...init, headers: { [requestHeader]: "1", ...init.headers } });
    const text = await answer.text();
    if (!answer.ok) throw new Error(refusalIn(text) || answer.statusText);
    return JSON.parse(text) as Answer;
  } catch (problem) {
    // A connection that breaks is a TypeError in all browsers, and half an answer is no JSON.
    throw problem instanceof TypeError || problem instanceof SyntaxError ? new NoAnswer() : problem;
  }
}

/** What a refusal says: the guard answers in plain text, all else as JSON. */
function refusalIn(text: string): string {
  try {
    return refusalText(JSON.parse(text) as ErrorAnswer);
  } catch {
    return text.trim();
  }
}

const post = <Answer>(path: string, body: unknown): Promise<Answer> =>
  ask(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });

const query = (values: Readonly<Record<string, string>>): string => new URLSearchParams(values).toString();

/** Requests to the server, each with its answer's type. They reject with {@link NoAnswer}, or an Error that has the server's own words. */
export const api = {
  session: () => ask<Session>("/api/session"),
  run: (id: string) => ask<RunDetail>(`/api/run?${query({ id })}`),
  study: (id: string) => ask<StudyDetail>(`/api/study?${query({ id })}`),
  studyReport: (id: string, selection: StudySelection) =>
    ask<StudyReport>(`/api/study/report?${query({ id, ...selection })}`),
  series: (ids: readonly string[], points: number) => {
    const parameters = new URLSearchParams({ points: String(points) });
    for (const id of ids) parameters.append("id", id);
    return ask<RunSeries[]>(`/api/series?${parameters}`);
  },
  choose: (path: string) => ask<FolderListing>(`/api/choose?${query({ path })}`),
  inspect: (model: string, options: Readonly<Record<string, string>>) =>
    post<Inspection>("/api/inspect", { model, ...options }),
  command: (request: StartRequest) => post<{ command: string }>("/api/command", request),
  started: (id: string) => ask<StartedCommand>(`/api/started?${query({ id })}`),
  start: (request: StartRequest) => post<StartAnswer>("/api/start", request),
  control: (request: ControlRequest) => post<object>("/api/control", request),
  upload: (name: string, file: Blob) =>
    ask<{ path: string }>(`/api/upload?${query({ name })}`, { method: "PUT", body: file }),
};

/** Where a file of an entry is to be fetched. */
export function fileAddress(id: string, name: string): string {
  return `/api/file?${query({ id, name })}`;
}

/** What `headstart inspect` finds, as far as the page draws it. */
export interface Inspection {
  readonly model: string;
  readonly input: { readonly name: string; readonly shape: readonly number[] };
  readonly features?: { readonly name: string; readonly shape: readonly number[] };
  readonly head: readonly string[];
  readonly extractor: readonly InspectedStep[];
  readonly mirror: readonly InspectedStep[];
  readonly discriminator?: { readonly kind: string; readonly layers: readonly InspectedStep[] };
  readonly parameterCounts: { readonly features: number; readonly mirror: number; readonly discriminator: number };
  readonly unsupported: readonly { readonly node: string; readonly op: string; readonly reason: string }[];
  readonly warnings: readonly string[];
}

export interface InspectedStep {
  readonly op: string;
  readonly name?: string;
  readonly shape: readonly number[];
}
