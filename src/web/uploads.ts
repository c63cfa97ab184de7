/** Files that are dropped onto the page. */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { linkOrCopy } from "../study/link-or-copy.js";
import { Refusal } from "./refusal.js";
import { newPathBelow, pathBelow, shownPath } from "./safe-path.js";

/** Where they go, below the lab's folder. */
export const uploads = "lab-files";
const largestUpload = 4 * 2 ** 30;

/**
 * Keeps a dropped file, and never over another one.
 *
 * @param root real path of the lab's folder
 * @param name with the folders that it lay in, with slashes
 * @param length in bytes, as it is announced
 * @returns its path as the page shows it
 * @throws Refusal where name or length do not fit, or another file has the name
 */
export async function keepUpload(
  root: string,
  name: string,
  length: number,
  body: ReadableStream | null,
): Promise<string> {
  const parts = name.split("/");
  if (parts.some((part) => !/^[^\0/\\:]{1,200}$/.test(part) || part.startsWith(".")) || parts.length > 20)
    throw Refusal.of("upload-name", {
      where: name.slice(0, 200),
      required: "a plain file name",
      got: "another",
      advice: "Rename it.",
    });
  if (!(length <= largestUpload))
    throw Refusal.of("upload-size", {
      where: name,
      required: "a file of at most 4 GiB",
      got: "a larger one",
      advice: "Choose it by its path.",
    });
  const path = await newPathBelow(root, join(uploads, ...parts));
  await mkdir(dirname(path), { recursive: true });
  await pathBelow([root], dirname(path));
  await writeNew(body, path, name);
  return shownPath(root, path);
}

/** Writes a file whole, and never over another one. The same file may come again. */
async function writeNew(body: ReadableStream | null, path: string, name: string): Promise<void> {
  const part = `${path}.${randomBytes(6).toString("hex")}.part`;
  try {
    const source = body ? Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]) : Readable.from([]);
    await pipeline(source, createWriteStream(part, { flags: "wx" }));
    await linkOrCopy(part, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
      if ((await hashOf(part)) !== (await hashOf(path)))
        throw Refusal.of("upload-taken", {
          where: name,
          required: "a name that is free",
          got: "that of another file",
          advice: "Rename it.",
        });
    });
  } finally {
    await rm(part, { force: true });
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
