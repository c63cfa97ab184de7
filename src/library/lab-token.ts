/** The token that opens the lab: who cannot read the user's own files does not have it. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { labFolder } from "../web/processes.js";

const ownerOnly = 0o600;

/**
 * The token of a lab's folder: the one that was made when it was first served, so that open pages outlive the server, or a new one.
 * Where the folder cannot be written it is kept nowhere.
 */
export async function labToken(root: string): Promise<string> {
  const folder = join(root, labFolder);
  const file = join(folder, "token");
  const kept = await ownFile(file);
  if (kept !== undefined && /^[\w-]{32}$/.test(kept)) return kept;
  const token = randomBytes(24).toString("base64url");
  try {
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(file, token, { mode: ownerOnly });
  } catch {
    // A folder that can only be read can be looked at all the same.
  }
  return token;
}

/** A file's text, unless others can read it too, or there is none. */
async function ownFile(file: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(file);
    // Windows has no such bits.
    if (process.platform !== "win32" && (mode & 0o077) !== 0) return undefined;
    return await readFile(file, "utf8");
  } catch {
    return undefined;
  }
}
