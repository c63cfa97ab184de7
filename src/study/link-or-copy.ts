import { constants } from "node:fs";
import { copyFile, link } from "node:fs/promises";

/**
 * Gives a finished file a second name, never that of another one: by a link, so that what has the name is whole from its first
 * moment on, or as a copy where the file system has no links, such as exFAT.
 *
 * @throws the file system's error, EEXIST where something has the name, whatever has happened since anybody looked
 */
export async function linkOrCopy(finished: string, path: string): Promise<void> {
  await link(finished, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") throw error;
    return copyFile(finished, path, constants.COPYFILE_EXCL);
  });
}
