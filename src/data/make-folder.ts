import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { userError } from "../errors.js";

/**
 * Makes a folder and those above it that are missing. Node's mkdir does so too, but never ends where the system says that
 * a place is not there and takes no folder either, as below /proc.
 *
 * @throws UserError where such a place takes none; what the file system says no to otherwise, such as missing permission
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let folder = resolve(path); !existsSync(folder) && folder !== dirname(folder); folder = dirname(folder))
    missing.unshift(folder);
  for (const folder of missing.length === 0 ? [resolve(path)] : missing) {
    try {
      mkdirSync(folder);
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
}
