/** Reads files of one JSON object a line while they grow. */
import { open } from "node:fs/promises";
import type { Problem } from "./protocol.js";

export interface LinesRead<Line> {
  readonly lines: Line[];
  /** The byte behind the last whole line. */
  readonly position: number;
  readonly problems: Problem[];
}

/**
 * Reads whole lines from a byte on. Lines that are no object of the expected form are left out and named; a last line
 * without its end is not there yet. A file that does not exist has no lines.
 *
 * @param path as problems name it: {@link Problem.path}
 */
export async function readJsonLines<Line>(
  file: string,
  path: string,
  from: number,
  isLine: (value: unknown) => value is Line,
): Promise<LinesRead<Line>> {
  const bytes = await readFrom(file, from);
  const end = bytes.lastIndexOf(10) + 1;
  const lines: Line[] = [];
  const problems: Problem[] = [];
  const texts = bytes.subarray(0, end).toString("utf8").split("\n");
  texts.pop();
  texts.forEach((text, index) => {
    const value = parse(text);
    if (isLine(value)) lines.push(value);
    else if (problems.length < 3)
      problems.push({ path, reason: `${from === 0 ? `line ${index + 1}` : "a line"} is no record` });
  });
  return { lines, position: from + end, problems };
}

/** The last whole line of a file, read from its end; undefined where there is none. */
export async function lastJsonLine(file: string, size: number): Promise<unknown> {
  const bytes = await readFrom(file, Math.max(0, size - 16384));
  const lines = bytes
    .subarray(0, bytes.lastIndexOf(10) + 1)
    .toString("utf8")
    .trimEnd()
    .split("\n");
  for (let index = lines.length - 1; index >= 0; index--) {
    const value = parse(lines[index]);
    if (typeof value === "object" && value !== null) return value;
  }
  return undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readFrom(file: string, from: number): Promise<Buffer> {
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!handle) return Buffer.alloc(0);
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.alloc(Math.max(0, size - from));
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, from + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  } finally {
    await handle.close();
  }
}

/** True for a record with a step: lines of metrics.jsonl, timing.jsonl and layers.jsonl. */
export function hasStep(value: unknown): value is { readonly step: number; readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null && Number.isSafeInteger((value as { step?: unknown }).step);
}
