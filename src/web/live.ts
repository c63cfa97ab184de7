/**
 * Server-sent events. Each event's id says how far its receiver has come, so that a page that reconnects, to this server or
 * to one that was started anew, gets what it has missed and nothing twice.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { runFiles } from "../library/run-folder.js";
import { hasStep, readJsonLines } from "./json-lines.js";
import type { NewRows, Position } from "./protocol.js";

/** An event on its way. */
export interface LiveEvent {
  readonly event: string;
  readonly data: string;
  readonly id?: string;
}

/** `metrics:timing`, in bytes. */
export function positionId({ metrics, timing }: Position): string {
  return `${metrics}:${timing}`;
}

/** The position that an id says; undefined where it says none. */
export function readPosition(id: string | undefined): Position | undefined {
  const found = /^(\d{1,15}):(\d{1,15})$/.exec(id ?? "");
  return found ? { metrics: Number(found[1]), timing: Number(found[2]) } : undefined;
}

/**
 * What has come to a run's files since a position: a "rows" event, or "reset" where a file is shorter than it was (the
 * run was begun anew or went back to a checkpoint), so that the page has to read it from its start. Undefined for nothing.
 */
export async function newRows(
  folder: string,
  position: Position,
): Promise<{ event: LiveEvent; position: Position } | undefined> {
  const bytes = async (name: string) => (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0;
  const now = { metrics: await bytes(runFiles.metrics), timing: await bytes(runFiles.timing) };
  if (now.metrics < position.metrics || now.timing < position.timing) {
    const start = { metrics: 0, timing: 0 };
    return { event: { event: "reset", data: "{}", id: positionId(start) }, position: start };
  }
  if (now.metrics === position.metrics && now.timing === position.timing) return undefined;
  const [metrics, timing] = await Promise.all([
    readJsonLines(join(folder, runFiles.metrics), runFiles.metrics, position.metrics, hasStep),
    readJsonLines(join(folder, runFiles.timing), runFiles.timing, position.timing, hasStep),
  ]);
  const after = { metrics: metrics.position, timing: timing.position };
  if (after.metrics === position.metrics && after.timing === position.timing) return undefined;
  const rows: NewRows = { metrics: metrics.lines, timing: timing.lines };
  return { event: { event: "rows", data: JSON.stringify(rows), id: positionId(after) }, position: after };
}
