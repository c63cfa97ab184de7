/** Deletes a run or study. */
import { readdir, rmdir } from "node:fs/promises";
import { RunFolder, runFiles } from "../library/run-folder.js";
import { StudyFolder, studyFiles } from "../study/study-folder.js";
import { isRunFile } from "./read-run.js";

/**
 * Deletes what a run or study has written, and its folder where nothing else is in it. What somebody has put there beside
 * stays; links are deleted, and what they lead to is not.
 *
 * @param folder its real path
 * @throws UserError where something is writing to it
 */
export async function removeEntry(root: string, folder: string, kind: "run" | "study"): Promise<void> {
  const { entry, unlock } = await lock(folder, kind);
  try {
    const written: readonly string[] = Object.values(kind === "run" ? runFiles : studyFiles);
    const names = await readdir(folder);
    // A model of TensorFlow.js has files of weights beside it; elsewhere such files are somebody's own.
    const ours = (name: string): boolean =>
      written.includes(name) || (kind === "run" && isRunFile(name) && (!name.endsWith(".bin") || hasModelJson(names)));
    for (const name of names.filter(ours)) await entry.remove(name);
  } finally {
    await unlock();
  }
  // Fails where something is left.
  if (folder !== root) await rmdir(folder).catch(() => {});
}

async function lock(
  folder: string,
  kind: "run" | "study",
): Promise<{ entry: RunFolder | StudyFolder; unlock: () => Promise<void> }> {
  if (kind === "study") {
    const study = await StudyFolder.open(folder, false);
    return { entry: study, unlock: await study.lock() };
  }
  const run = await RunFolder.open(folder);
  await run.lock();
  return { entry: run, unlock: () => run.unlock() };
}

function hasModelJson(names: readonly string[]): boolean {
  return names.includes("model.json");
}
