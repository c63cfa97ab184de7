/** Writing a file that a user named. */

import { stat } from "node:fs/promises";
import { writeWhole } from "../data/write-whole.js";
import { fileError, userError } from "../errors.js";

/** Refuses an output file that is there already, before any work is done for it. @throws UserError */
export async function requireFree(path: string, overwrite: boolean): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw fileError(error, path, "a place for the output");
  });
  if (found === undefined || (overwrite && found.isFile())) return;
  throw userError({
    where: path,
    required: "a name that is free for the output",
    got: found.isFile() ? "a file that is there already" : "a folder",
    advice: found.isFile() ? "Choose another --output, or pass --overwrite." : "Choose another --output.",
  });
}

/**
 * Writes a file whole: under a temporary name first, renamed when it is complete.
 *
 * @throws UserError where a file is there already and `overwrite` is not set, or where it cannot be written
 */
export async function writeOutput(path: string, bytes: Uint8Array, overwrite: boolean): Promise<void> {
  await requireFree(path, overwrite);
  try {
    await writeWhole(path, bytes);
  } catch (error) {
    throw fileError(error, path, "a place for the output");
  }
}
