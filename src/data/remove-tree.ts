import { rm } from "node:fs/promises";

/**
 * Removes a file, or a folder with all that is in it, where there is one. On Windows it tries again: other programs may have it
 * open for a moment.
 */
export function removeTree(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 3 });
}
