import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { userError } from "../errors.js";
import { arrayDataset } from "./array-dataset.js";
import { shorten } from "./classes.js";
import type { Dataset, OpenOptions } from "./dataset.js";
import { chooseIdxImages, findIdxLabels, looksLikeIdx, readIdx } from "./idx.js";
import { looksLikeNpy, npyLength, parseNpy } from "./npy.js";
import { looksLikeZip, parseNpz } from "./npz.js";
import { openPictureFolder } from "./picture-dataset.js";
import { listPictures, looksLikePicture } from "./picture-folder.js";
import { readBytes, readHead, unreadable } from "./read-bytes.js";
import type { RawArray } from "./sample-array.js";
import { openTable } from "./table-dataset.js";

const tableName = /\.(csv|tsv|tab|txt|data)(\.gz)?$/i;

/** What is read, for messages. */
export const readableSources =
  "a folder of pictures (PNG, JPEG, WebP, GIF, TIFF, AVIF), IDX (MNIST's files, plain or .gz), NPY, NPZ, or CSV or TSV (plain or .gz)";

/**
 * Opens data of any kind that headstart reads, to be delivered in the model's shape. What a file is, its first bytes
 * say; tables are known by their names.
 *
 * @throws UserError if there is nothing, it is of no known kind, it is damaged, or it does not fit the model
 * @throws InterruptedError if the options' signal is given
 */
export async function openDataset(path: string, options: OpenOptions = {}): Promise<Dataset> {
  if (options.limit !== undefined && !(Number.isInteger(options.limit) && options.limit > 0)) {
    throw userError({
      where: "limit",
      required: "a whole number above 0",
      got: `${options.limit}`,
      advice: "Change it",
    });
  }
  const status = await stat(path).catch((error) => {
    throw unreadable(path, error);
  });
  if (status.isDirectory()) return openFolder(path, options);
  if (!status.isFile()) throw unknownKind(path, "neither a file nor a folder");
  const head = await readHead(path, 16);
  if (head.length === 0) throw unknownKind(path, "an empty file");
  if (looksLikeIdx(head)) return openIdx(path, options);
  if (looksLikeNpy(head)) {
    const labels = typeof options.labels === "string" ? await readLabels(options.labels, options) : undefined;
    return arrayDataset(await readNpy(path, options), labels, path, "npy", options);
  }
  if (looksLikeZip(head)) return openNpz(path, options);
  if (tableName.test(path)) return openTable(path, options);
  throw unknownKind(path, looksLikePicture(path) ? "a single picture" : "a file of another kind");
}

async function openFolder(path: string, options: OpenOptions): Promise<Dataset> {
  const names = await readdir(path).catch((error) => {
    throw unreadable(path, error);
  });
  if (!names.some(looksLikePicture)) {
    const idx = chooseIdxImages(names, path);
    if (idx !== undefined) return openIdx(join(path, idx), options);
    const files = names.filter((name) => tableName.test(name) || /\.np[yz]$/i.test(name));
    if (files.length > 0 && (await listPictures(path, options.signal).catch(() => undefined)) === undefined) {
      throw userError({
        where: path,
        required: "a folder of pictures, or one file of another kind",
        got: `a folder with ${shorten(files, 4)}`,
        advice: "Name the file that is meant",
      });
    }
  }
  return openPictureFolder(path, options);
}

async function openIdx(path: string, options: OpenOptions): Promise<Dataset> {
  const beside = typeof options.labels === "string" ? options.labels : await findIdxLabels(path);
  const labels = beside === undefined ? undefined : await readLabels(beside, options);
  return arrayDataset(await readIdx(path, options), labels, path, "idx", options);
}

async function openNpz(path: string, options: OpenOptions): Promise<Dataset> {
  const bytes = await readBytes(path, options);
  // The labels are an array of the archive, or a file of their own.
  const file =
    typeof options.labels === "string" && /\.npy$|idx1-|\//.test(options.labels) ? options.labels : undefined;
  const name = file === undefined && options.labels !== undefined ? String(options.labels) : undefined;
  const { samples, labels } = parseNpz(bytes, path, name);
  const chosen =
    file === undefined ? labels && { array: labels, where: `labels in ${path}` } : await readLabels(file, options);
  return arrayDataset(samples, chosen, path, "npz", options);
}

function readNpy(path: string, { signal, onProgress }: OpenOptions): Promise<RawArray> {
  const expectedLength = (head: Uint8Array) => (looksLikeNpy(head) ? npyLength(head, path) : undefined);
  return readBytes(path, { expectedLength, signal, onProgress }).then((bytes) => parseNpy(bytes, path));
}

/** A file of labels on its own: IDX or NPY. */
async function readLabels(path: string, { signal }: OpenOptions): Promise<{ array: RawArray; where: string }> {
  const head = await readHead(path, 16);
  if (looksLikeIdx(head)) return { array: await readIdx(path, { signal }), where: path };
  if (looksLikeNpy(head)) return { array: await readNpy(path, signal === undefined ? {} : { signal }), where: path };
  throw userError({
    where: path,
    required: "labels as an IDX or NPY file",
    got: "a file of another kind",
    advice: "Save the class numbers with numpy.save",
  });
}

function unknownKind(path: string, got: string): Error {
  return userError({ where: path, required: readableSources, got, advice: "Check the path, or convert the data" });
}
