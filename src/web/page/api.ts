/** What the page asks the server. */
import type {
  ControlRequest,
  EntryList,
  FolderListing,
  RunDetail,
  RunSeries,
  Session,
  StartAnswer,
  StartedCommand,
  StartRequest,
  StudyDetail,
  StudyReport,
  StudySelection,
} from "../protocol.js";

// The protocol is types and this one name: repeated here, it is checked by the compiler.
const requestHeader: typeof import("../protocol.js").requestHeader = "x-headstart";

async function ask<Answer>(path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(path, { ...init, headers: { [requestHeader]: "1", ...init.headers } });
  const body = await answer.json().catch(() => ({ error: answer.statusText }));
  if (!answer.ok) throw new Error(String(body.error ?? answer.statusText));
  return body as Answer;
}

const post = <Answer>(path: string, body: unknown, signal?: AbortSignal): Promise<Answer> =>
  ask(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
    ...(signal ? { signal } : {}),
  });

const query = (values: Readonly<Record<string, string>>): string => new URLSearchParams(values).toString();

/** Requests to the server, each with its answer's type. They reject with an Error that has the server's own words. */
export const api = {
  session: () => ask<Session>("/api/session"),
  entries: () => ask<EntryList>("/api/entries"),
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
  command: (request: StartRequest, signal: AbortSignal) => post<{ command: string }>("/api/command", request, signal),
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
