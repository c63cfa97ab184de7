/** File access below given folders only. */
import { realpath } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { Refusal } from "./refusal.js";

/**
 * The real path of a file or folder, which must exist and lie below one of the roots after all links are followed.
 *
 * @param given relative to the first root, or absolute
 * @throws Refusal where it does not exist or lies elsewhere; both read alike, so that nothing is learned of other folders
 */
export async function pathBelow(roots: readonly string[], given: string): Promise<string> {
  const outside = Refusal.of(
    "path-elsewhere",
    {
      where: given.slice(0, 200),
      required: `a path below ${roots.join(" or ")}`,
      got: "another, or nothing there",
      advice: "Choose a file there, or start the lab with another folder or --files.",
    },
    { roots: roots.join(", ") },
  );
  if (given.includes("\0")) throw outside;
  const real = await realpath(resolve(roots[0], given)).catch(() => undefined);
  if (real === undefined) throw outside;
  for (const root of roots) if (isBelow(await realpath(root), real)) return real;
  throw outside;
}

/**
 * A path for something new: its nearest existing parent must lie below the root.
 *
 * @throws Refusal where it would lie elsewhere
 */
export async function newPathBelow(root: string, given: string): Promise<string> {
  const path = resolve(root, given);
  let parent = path;
  for (;;) {
    const real = await realpath(parent).catch(() => undefined);
    if (real !== undefined) {
      await pathBelow([root], parent);
      return path;
    }
    const next = resolve(parent, "..");
    if (next === parent || given.includes("\0")) await pathBelow([root], given);
    parent = next;
  }
}

/** True for the folder itself and everything in it. */
export function isBelow(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === "" || (!isAbsolute(way) && way !== ".." && !way.startsWith(`..${sep}`));
}

/** Relative to the lab's folder where it lies there, with slashes. */
export function shownPath(root: string, path: string): string {
  const way = relative(root, path);
  if (way === "") return ".";
  return way.startsWith("..") ? path : way.split(sep).join("/");
}
