import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { userError } from "../errors.js";
import { byCodeUnit } from "./classes.js";
import type { OpenOptions } from "./dataset.js";
import type { FetchedFile } from "./fetch-file.js";
import { fetchAddress, isAddress } from "./remote.js";

/** More files than this are no range but a slip. */
const longestRange = 1e6;

/** A file or folder that data is read from; with its address, if it was fetched. */
export type FoundPath = { readonly path: string; readonly address?: undefined } | FetchedFile;

/**
 * Turns what the user names into paths: ranges such as `{000..009}`, as WebDataset has them, become their numbers;
 * patterns the files that fit them, sorted by name; addresses files in the cache folder. A path that exists is itself,
 * whatever signs it has.
 *
 * @throws UserError if a pattern fits nothing, or an address cannot be fetched
 */
export async function expandPaths(given: readonly string[], options: OpenOptions): Promise<FoundPath[]> {
  if (given.length === 0 || given.includes("")) {
    const got = given.length === 0 ? "none" : "an empty one";
    throw userError({ where: "data", required: "at least one path", got, advice: "Name the data" });
  }
  const paths: FoundPath[] = [];
  for (const path of given.flatMap((one) => (existsSync(one) ? [one] : expandRanges(one)))) {
    if (isAddress(path)) paths.push(...(await fetchAddress(path, options)));
    else if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) throw unknownAddress(path);
    else if (existsSync(path) || !isDynamicPattern(path)) paths.push({ path });
    else {
      const pattern = process.platform === "win32" ? path.replaceAll("\\", "/") : path;
      const found = await glob(pattern, {
        absolute: isAbsolute(path),
        onlyFiles: false,
        followSymbolicLinks: false,
        expandDirectories: false,
      });
      if (found.length === 0) {
        throw userError({ where: path, required: "files that fit the pattern", got: "none", advice: "Check the path" });
      }
      const names = found.map((name) => name.replace(/\/$/, "")).sort(byCodeUnit);
      paths.push(...names.map((name) => ({ path: name })));
    }
  }
  return paths;
}

function unknownAddress(address: string): Error {
  return userError({
    where: address,
    required: "a path, or an address that begins with https://, http://, s3:// or hf://datasets/",
    got: "another kind of address",
    advice: "Fetch the data with its own program, and name the files",
  });
}

/** The names that a range such as `{08..11}` stands for, with as many digits as the range has; several are combined. */
function expandRanges(path: string): string[] {
  const match = /^(.*?)\{(\d+)\.\.(\d+)\}(.*)$/s.exec(path);
  if (match === null) return [path];
  const [, before, from, to, after] = match;
  const [first, last] = [Number(from), Number(to)];
  const rest = expandRanges(after);
  const count = (Math.abs(last - first) + 1) * rest.length;
  if (!(count <= longestRange)) {
    throw userError({
      where: path,
      required: `a range of at most ${longestRange.toLocaleString("en")} files`,
      got: `${from} to ${to}`,
      advice: "Check the numbers",
    });
  }
  const padded = from.startsWith("0") || to.startsWith("0") ? Math.max(from.length, to.length) : 0;
  const step = first <= last ? 1 : -1;
  return Array.from({ length: Math.abs(last - first) + 1 }, (_, at) =>
    String(first + step * at).padStart(padded, "0"),
  ).flatMap((number) => rest.map((end) => `${before}${number}${end}`));
}
