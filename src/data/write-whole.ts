/** Writes files that are whole where they have their name. */
import { writeFile } from "node:fs/promises";
import writeFileAtomic from "write-file-atomic";
import { retryHeld } from "./retry-held.js";

/**
 * Writes a file under a temporary name first. The elements are written by Node's own writeFile: write-file-atomic writes
 * once and takes it for done, also where a disk that fills up, or a file over 2 GiB, took a part only.
 *
 * @throws the file system's errors; the file is then as it was
 */
export async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  await retryHeld(() => writeFileAtomic(path, "", { tmpfileCreated: (temporary) => writeFile(temporary, content) }));
}

/**
 * The name of the file that a temporary one of {@link writeWhole} was to become; undefined for any other name. A small
 * number at the end is taken for a user's own copy: that of a temporary file is drawn from four billion.
 */
export function wholeNameOf(name: string): string | undefined {
  return /^(.+)\.\d{6,10}$/.exec(name)?.[1];
}
