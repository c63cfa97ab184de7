/** Continues a run in its folder, which is locked until RunFolder.unlock. */

import { rm } from "node:fs/promises";
import { counted } from "../counted.js";
import { userError } from "../errors.js";
import type { Checkpoint } from "./checkpoint.js";
import type { RunRecord } from "./initialize-types.js";
import { RunFolder, runFiles } from "./run-folder.js";

/** A run's folder, locked, and its newest checkpoint. */
interface ResumedRun {
  readonly folder: RunFolder;
  readonly checkpoint: Checkpoint | undefined;
}

/** The folder and newest checkpoint of an earlier run that had the same settings. @throws UserError where it still runs */
export async function resumeFolder(path: string, run: RunRecord): Promise<ResumedRun> {
  const folder = await RunFolder.open(path);
  await folder.lock();
  try {
    return await resumeLocked(folder, run);
  } catch (error) {
    await folder.unlock();
    throw error;
  }
}

async function resumeLocked(folder: RunFolder, run: RunRecord): Promise<ResumedRun> {
  const earlier = await folder.readJson(runFiles.record);
  if (typeof earlier !== "object" || earlier === null)
    throw userError({
      where: folder.file(runFiles.record),
      required: "a run's record",
      got: JSON.stringify(earlier),
      advice: "Start the run anew with --overwrite.",
    });
  const now = JSON.parse(JSON.stringify(run)) as unknown;
  const grown = extension(earlier, run);
  const { steps: _, extendedAt: __, ...settings } = { device: "cpu", ...earlier } as RunRecord;
  const different = differingKey(
    grown ? { ...settings, steps: run.steps } : { ...settings, steps: (earlier as RunRecord).steps },
    now,
    "",
  );
  if (different !== undefined)
    throw userError({
      where: folder.file(runFiles.record),
      required: "the settings, model and data of the run to resume",
      got: `another ${different.key}: ${JSON.stringify(different.now)} instead of ${JSON.stringify(different.earlier)}`,
      advice: "Repeat the command as it was, with --resume added.",
    });
  if (!grown && (await folder.has(runFiles.result)))
    throw userError({
      where: folder.path,
      required: "a run that is not finished",
      got: `one with all its ${counted(run.steps, "step")} and its weights`,
      advice: "Give more --steps to extend it, or pass --overwrite in place of --resume to repeat it.",
    });
  await folder.prepare();
  const checkpoint = await folder.readCheckpoint();
  const { extendedAt: before } = earlier as Partial<RunRecord>;
  const extendedAt = [...(Array.isArray(before) ? before : []), ...(grown ? [checkpoint?.step ?? 0] : [])];
  if (grown) {
    // The earlier end's result is not the longer run's.
    await rm(folder.file(runFiles.result), { force: true });
    await folder.writeJson(runFiles.record, { ...run, extendedAt });
  }
  for (const name of [runFiles.metrics, runFiles.timing, runFiles.layers])
    await folder.cutAfter(name, checkpoint?.step ?? -1);
  for (const name of [runFiles.samples, runFiles.filters]) await folder.dropPicturesAfter(name, checkpoint?.step ?? -1);
  return { folder, checkpoint };
}

/** True where a run is resumed with more steps than it had. */
function extension(earlier: object, run: RunRecord): boolean {
  const before = (earlier as Partial<RunRecord>).steps;
  return typeof before === "number" && run.steps > before;
}

function differingKey(
  earlier: unknown,
  now: unknown,
  path: string,
): { key: string; earlier: unknown; now: unknown } | undefined {
  if (typeof earlier === "object" && typeof now === "object" && earlier !== null && now !== null) {
    for (const key of new Set([...Object.keys(earlier), ...Object.keys(now)])) {
      const found = differingKey(
        (earlier as Record<string, unknown>)[key],
        (now as Record<string, unknown>)[key],
        path ? `${path}.${key}` : key,
      );
      if (found) return found;
    }
    return undefined;
  }
  return Object.is(earlier, now) ? undefined : { key: path, earlier, now };
}
