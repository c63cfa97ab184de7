/** What of a folder there is to choose from. */
import { readdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { FolderListing } from "./protocol.js";
import { pathBelow, shownPath } from "./safe-path.js";

/** Folders, and files, of one folder that are listed. */
const mostListed = 1000;

/**
 * Lists a folder.
 *
 * @param roots real paths of the folders that may be looked into; paths are shown relative to the first
 * @throws UserError where the folder lies in none of them
 */
export async function listFolder(roots: readonly string[], given: string): Promise<FolderListing> {
  const [root] = roots;
  const path = await pathBelow(roots, given);
  const content = await readdir(path, { withFileTypes: true }).catch(() => []);
  const named = content
    .filter(({ name }) => !name.startsWith("."))
    .sort((first, second) => (first.name < second.name ? -1 : 1));
  const parent = dirname(path);
  const folders = named.filter((item) => item.isDirectory()).map(({ name }) => name);
  const inside = named.filter((item) => item.isFile()).map(({ name }) => name);
  return {
    path: shownPath(root, path),
    parent: await pathBelow(roots, parent).then(
      () => shownPath(root, parent),
      () => null,
    ),
    roots: roots.length > 1 ? roots.map((one) => shownPath(root, one)) : [],
    folders: folders.slice(0, mostListed),
    files: inside.slice(0, mostListed),
    more: Math.max(0, folders.length - mostListed) + Math.max(0, inside.length - mostListed),
  };
}
