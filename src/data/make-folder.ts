import { accessSync, constants, existsSync, mkdirSync, rmdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { userError } from "../errors.js";

/**
 * Makes a folder and those above it that are missing. Node's mkdir does so too, but never ends where the system says that
 * a place is not there and takes no folder either, as below /proc.
 *
 * @returns those that it made, the outermost first
 * @throws UserError where such a place takes none; what the file system says no to otherwise, such as missing permission
 */
export function makeFolder(path: string): readonly string[] {
  const missing: string[] = [];
  const made: string[] = [];
  for (let folder = resolve(path); !existsSync(folder) && folder !== dirname(folder); folder = dirname(folder))
    missing.unshift(folder);
  for (const folder of missing.length === 0 ? [resolve(path)] : missing) {
    try {
      mkdirSync(folder);
      made.push(folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST" && statSync(folder, { throwIfNoEntry: false })?.isDirectory()) continue;
      if (code !== "ENOENT") throw error;
      throw userError({
        where: path,
        required: "a place where folders can be made",
        got: `one that takes none (${dirname(folder)})`,
        advice: "Choose another folder",
      });
    }
  }
  return made;
}

/**
 * Refuses a place that takes no folder, or no files in one that is there, before any work is done for it. Nothing is left.
 *
 * @throws as {@link makeFolder} does
 */
export function requirePlace(path: string): void {
  const made = makeFolder(path);
  if (made.length === 0) accessSync(path, constants.W_OK);
  try {
    for (const folder of made.toReversed()) rmdirSync(folder);
  } catch {
    // Another program has put something there.
  }
}
