import { existsSync } from "node:fs";
import { glob, isDynamicPattern } from "tinyglobby";
import { userError } from "../errors.js";
import { byCodeUnit } from "./classes.js";
import type { OpenOptions } from "./dataset.js";
import { fetchAddress, isAddress } from "./remote.js";

/**
 * Turns what the user names into paths: patterns become the files that fit them, sorted by name; addresses become
 * files in the cache folder. A path that exists is itself, whatever signs it has.
 *
 * @throws UserError if a pattern fits nothing, or an address cannot be fetched
 */
export async function expandPaths(given: readonly string[], options: OpenOptions): Promise<string[]> {
  if (given.length === 0) {
    throw userError({ where: "data", required: "at least one path", got: "none", advice: "Name the data" });
  }
  const paths: string[] = [];
  for (const path of given) {
    if (isAddress(path)) paths.push(...(await fetchAddress(path, options)));
    else if (existsSync(path) || !isDynamicPattern(path)) paths.push(path);
    else {
      const pattern = process.platform === "win32" ? path.replaceAll("\\", "/") : path;
      const found = await glob(pattern, { onlyFiles: false, followSymbolicLinks: false, expandDirectories: false });
      if (found.length === 0) {
        throw userError({ where: path, required: "files that fit the pattern", got: "none", advice: "Check the path" });
      }
      paths.push(...found.map((name) => name.replace(/\/$/, "")).sort(byCodeUnit));
    }
  }
  return paths;
}
