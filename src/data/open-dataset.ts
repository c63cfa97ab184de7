import { readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { userError } from "../errors.js";
import { looksLikeZip } from "../zip-directory.js";
import { arrayDataset, filedArrayDataset } from "./array-dataset.js";
import { type ArrayFile, describeArrayFile, gatherArrays } from "./array-file.js";
import { removeLeftBehind } from "./cache-folder.js";
import { checkOptions } from "./check-options.js";
import { checkClassNames, shorten } from "./classes.js";
import { type ColumnarFile, looksLikeArrow, looksLikeParquet } from "./columnar-file.js";
import { columnarItems, pictureColumns } from "./columnar-items.js";
import { columnarTable } from "./columnar-table.js";
import { constantNote } from "./constant-samples.js";
import type { Dataset, OpenOptions } from "./dataset.js";
import { expandPaths, type FoundPath } from "./expand-paths.js";
import { FetchedNames } from "./fetched-names.js";
import { chooseIdxImages, findIdxLabels, looksLikeIdx } from "./idx.js";
import { labelsOption } from "./labels-option.js";
import { maskedFolder, withMasks } from "./mask-folders.js";
import { looksLikeNpy } from "./npy.js";
import { openPictures } from "./picture-dataset.js";
import { listPictures, looksLikePicture } from "./picture-folder.js";
import { fileItems, folderItems, joinItems, type PictureItems } from "./picture-items.js";
import { readHead, unreadable } from "./read-bytes.js";
import { looksLikeSafetensors } from "./safetensors-array.js";
import type { RawArray } from "./sample-array.js";
import { shallowNote } from "./shallow-pictures.js";
import { chooseShards } from "./shards.js";
import { openTableSource } from "./table-dataset.js";
import { joinTables, type TableSource, textTable } from "./table-source.js";
import { tarItems } from "./tar-items.js";
import { unevenLines } from "./uneven-lines.js";

const tableName = /\.(csv|tsv|tab|txt|data|dat)(\.gz)?$/i;
const tarName = /\.(tar|tgz|tar\.gz)$/i;

/** What is read, for messages. */
export const readableSources =
  "a folder of pictures (PNG, JPEG, WebP, GIF, TIFF, AVIF), tar shards, Parquet, Arrow or Feather, " +
  "IDX (MNIST's files, plain or .gz), NPY, NPZ, safetensors, or CSV or TSV (plain or .gz)";

/** What a path leads to. */
type Part =
  | { readonly kind: "pictures"; readonly items: PictureItems }
  | { readonly kind: "table"; readonly table: TableSource }
  | { readonly kind: "array"; readonly array: ArrayFile };

/**
 * Opens data of any kind that headstart reads, to be delivered in the model's shape. What a file is, its first bytes
 * say; text tables and archives are known by their names. Several files are one data set, in the order given; a
 * pattern such as `shards/*.tar` stands for the files that fit it, in the order of their names; addresses
 * (`https://`, `s3://`, `hf://datasets/`) are fetched into the cache folder first.
 *
 * Data that fits in the memory allowed is read into it; larger data stays on disk, see {@link OpenOptions.memory}.
 *
 * @throws UserError if there is nothing, it is of no known kind, it is damaged, or it does not fit the model
 * @throws InterruptedError if the options' signal is given
 */
export async function openDataset(path: string | readonly string[], given: OpenOptions = {}): Promise<Dataset> {
  checkOptions(given);
  const options = withClassNames(given);
  removeLeftBehind(options.cache);
  const found = await expandPaths(typeof path === "string" ? [path] : path, options);
  const names = new FetchedNames(found);
  try {
    const dataset = await openParts(await examineAll(found, options), found[0].path, options);
    const record = await checkedRecord(dataset, options).catch(async (error: unknown) => {
      await dataset.close?.();
      throw error;
    });
    return { ...dataset, where: names.inText(dataset.where), record: names.inRecord(record) };
  } catch (error) {
    throw names.inError(error);
  }
}

/** Labels whose classes are named are classes. @throws UserError where they are said to be numbers, or a name is amiss */
function withClassNames(options: OpenOptions): OpenOptions {
  const { classNames, task } = options;
  if (classNames === undefined) return options;
  checkClassNames(classNames);
  if (task === "regression") {
    throw userError({
      where: "class names",
      required: "labels that are classes",
      got: "numbers to predict",
      advice: "Leave the names out (--class-names), or choose a network and a loss for classes",
    });
  }
  return { ...options, task: task ?? "classification" };
}

/** A data set's record, with notes on what shows once it is open. @throws UserError where names lack their labels */
async function checkedRecord(dataset: Dataset, options: OpenOptions): Promise<Record<string, unknown>> {
  requireNamed(dataset, options);
  const constant = await constantNote(dataset, options.signal);
  const uneven = constant === undefined ? await unevenLines(dataset) : undefined;
  const note = uneven ? `${uneven.because}: --normalise ${uneven.normalise} gives each its own scale` : constant;
  const found = [shallowNote(dataset), note].filter((each) => each !== undefined);
  const { notes } = dataset.record as { notes?: readonly string[] };
  return found.length === 0 ? dataset.record : { ...dataset.record, notes: [...(notes ?? []), ...found] };
}

function requireNamed({ labels, maps, where }: Dataset, { classNames, task }: OpenOptions): void {
  if (classNames === undefined || task === "none" || (labels ?? maps) !== undefined) return;
  throw userError({
    where,
    required: `labels, since names of classes are given (${shorten(classNames)})`,
    got: "none",
    advice: `Say where the labels are (${labelsOption}), or leave the names out (--class-names)`,
  });
}

/** The pictures of a source before they are decoded; undefined if it holds other data. */
export async function gatherPictures(
  path: string | readonly string[],
  options: OpenOptions,
): Promise<PictureItems | undefined> {
  const found = await expandPaths(typeof path === "string" ? [path] : path, options);
  const parts = await examineAll(found, options).catch((error: unknown) => {
    throw new FetchedNames(found).inError(error);
  });
  const pictures = parts.flatMap((part) => (part.kind === "pictures" ? [part.items] : []));
  return pictures.length > 0 && pictures.length === parts.length ? joinItems(pictures) : undefined;
}

async function examineAll(found: readonly FoundPath[], options: OpenOptions): Promise<Part[]> {
  const parts: Part[] = [];
  const tars: string[] = [];
  const pictures: FoundPath[] = [];
  for (const one of found) {
    if (looksLikePicture(one.path) && (await stat(one.path).catch(() => undefined))?.isFile()) {
      pictures.push(one);
      continue;
    }
    const examined = await examine(one.path, options);
    if (examined === "tar") tars.push(one.path);
    else parts.push(...examined);
  }
  // One picture is no data set: a slip.
  if (found.length === 1 && pictures.length === 1) throw unknownKind(found[0].path, "a single picture");
  if (tars.length > 0) parts.push(await picturePart(await tarItems(tars, options), options));
  if (pictures.length > 0) parts.push(await picturePart(fileItems(pictures), options));
  return parts;
}

async function openParts(parts: readonly Part[], where: string, options: OpenOptions): Promise<Dataset> {
  const [first] = parts;
  const other = parts.find(({ kind }) => kind !== first.kind);
  if (other !== undefined) {
    throw userError({
      where,
      required: "data of one kind",
      got: `a mixture of ${first.kind} and ${other.kind}`,
      advice: "Name files of one kind",
    });
  }
  const named = Object.keys(options.columns ?? {});
  if (first.kind !== "table" && named.length > 0) {
    throw userError({
      where: "columns",
      required: "a table",
      got: `${shorten(named)} for ${first.kind === "array" ? "an array" : "pictures"} (${where})`,
      advice: "Leave out what columns are (--columns), or give the table that it is for",
    });
  }
  const pictures = parts.flatMap((part) => (part.kind === "pictures" ? [part.items] : []));
  const tables = parts.flatMap((part) => (part.kind === "table" ? [part.table] : []));
  const arrays = parts.flatMap((part) => (part.kind === "array" ? [part.array] : []));
  if (pictures.length > 0) return openPictures(joinItems(pictures), options);
  if (tables.length > 0) return openTableSource(joinTables(tables), options);
  return openArrays(arrays, options);
}

/** Finds out what a path leads to; tar archives are gathered, because their shards are one data set. */
async function examine(path: string, options: OpenOptions): Promise<readonly Part[] | "tar"> {
  const status = await stat(path).catch((error) => {
    throw unreadable(path, error);
  });
  if (status.isDirectory()) return examineFolder(path, options);
  if (!status.isFile()) throw unknownKind(path, "neither a file nor a folder");
  if (tarName.test(path)) return "tar";
  const head = await readHead(path, 16);
  if (head.length === 0) throw unknownKind(path, "an empty file");
  // Their readers are large, and loaded where there is something to read only.
  if (looksLikeParquet(head)) {
    const { openParquet } = await import("./parquet-file.js");
    return [await columnarPart(await openParquet(path), options)];
  }
  if (looksLikeArrow(head, path)) {
    const { openArrow } = await import("./arrow-file.js");
    return [await columnarPart(await openArrow(path, head), options)];
  }
  if (looksLikeIdx(head) || looksLikeNpy(head) || looksLikeZip(head) || looksLikeSafetensors(head, path)) {
    const inside = options.labels === undefined || isLabelFile(options.labels) ? undefined : String(options.labels);
    const array = await describeArrayFile(path, { ...options, labels: inside });
    if (array !== undefined) return [{ kind: "array", array }];
  }
  if (String.fromCharCode(...head.subarray(0, 4)) === "FEA1") {
    throw unknownKind(
      path,
      "Feather of version 1, which pyarrow.feather.write_feather(table, path) writes as version 2",
    );
  }
  if (/^\s*<(!doctype html|html)/i.test(String.fromCharCode(...head))) {
    throw unknownKind(path, "a web page, as servers send it in place of what is not there or needs a login");
  }
  if (tableName.test(path)) return [{ kind: "table", table: await textTable(path, options) }];
  throw unknownKind(path, "a file of another kind");
}

/** @throws UserError where labels are named but for masks: pictures bring theirs, and a slip must not go unseen */
async function picturePart(items: PictureItems, options: OpenOptions): Promise<Part> {
  const { labels, task } = options;
  if (labels === undefined || task === "none") return { kind: "pictures", items };
  if (task === "segmentation") return { kind: "pictures", items: await withMasks(items, options) };
  throw userError({
    where: "labels",
    required: "none named for pictures, which have theirs from class folders (in tar archives from .cls files too)",
    got: String(labels),
    advice: `Leave it out (${labelsOption}); sort the pictures into a folder a class, or give them as one array`,
  });
}

async function columnarPart(file: ColumnarFile, options: OpenOptions): Promise<Part> {
  const columns = await pictureColumns(file);
  if (columns.length > 0) return { kind: "pictures", items: await columnarItems(file, columns, options) };
  return { kind: "table", table: await columnarTable(file) };
}

async function examineFolder(path: string, options: OpenOptions): Promise<readonly Part[] | "tar"> {
  const names = await readdir(path).catch((error) => {
    throw unreadable(path, error);
  });
  if (!names.some(looksLikePicture)) {
    const idx = chooseIdxImages(names, path);
    if (idx !== undefined) return examine(join(path, idx), options);
    const shards = await chooseShards(path, options.signal);
    if (shards !== undefined) {
      if (tarName.test(shards[0])) return [await picturePart(await tarItems(shards, options), options)];
      return (await Promise.all(shards.map((shard) => examine(shard, options)))).flatMap((found) =>
        found === "tar" ? [] : found,
      );
    }
    const files = names.filter((name) => tableName.test(name) || /\.(np[yz]|safetensors)$/i.test(name));
    if (files.length > 0 && (await listPictures(path, options.signal).catch(() => undefined)) === undefined) {
      throw userError({
        where: path,
        required: "a folder of pictures, or one file of another kind",
        got: `a folder with ${shorten(files, 4)}`,
        advice: `Give the path of the file that is meant, or a pattern such as "${join(path, `*${extname(files[0])}`)}" for several`,
      });
    }
  }
  if (options.task === "segmentation") return [{ kind: "pictures", items: await maskedFolder(path, options) }];
  return [await picturePart(await folderItems(path, options.signal), options)];
}

async function openArrays(files: readonly ArrayFile[], options: OpenOptions): Promise<Dataset> {
  const [first] = files;
  const where = files.length === 1 ? first.where : `${first.where} and ${files.length - 1} more`;
  requireCounted(files, where, options);
  const gathered = await gatherArrays(files, options);
  const labels = await labelsOf(files, options);
  const place = (sample: number) => placeOf(files, sample);
  return "raw" in gathered
    ? arrayDataset(gathered.raw, labels, where, first.format, options, place)
    : filedArrayDataset(gathered.filed, labels, where, first.format, options, place);
}

/** @throws UserError where each file is one sample: its first axis would be taken for samples */
function requireCounted(files: readonly ArrayFile[], where: string, { shape }: OpenOptions): void {
  const without = (lengths: readonly (number | null)[]) => lengths.filter((length) => length !== 1);
  const wanted = shape === undefined ? [] : without(shape);
  const isOne = ({ dims }: ArrayFile): boolean => {
    const own = without(dims);
    return dims[0] > 1 && own.length === wanted.length && own.every((length, at) => length === (wanted[at] ?? length));
  };
  if (files.length < 2 || !files.every(isOne)) return;
  throw userError({
    where,
    required: "arrays whose axis 0 counts the samples",
    got: `${files.length} files of the shape [${files[0].dims.join(", ")}], which is that of a single sample`,
    advice: "Join them: numpy.save('all.npy', numpy.stack([numpy.load(path) for path in paths]))",
  });
}

/** In which file a sample lies that is counted over all of them, and as which one. */
function placeOf(files: readonly ArrayFile[], sample: number): { where: string; sample: number } {
  let left = sample;
  for (const { where, dims } of files) {
    if (left < dims[0]) return { where, sample: left };
    left -= dims[0];
  }
  throw new RangeError(`no sample ${sample}`);
}

/** Labels beside the samples: of a file that is named, of the same file, or beside an IDX file by MNIST's naming. */
async function labelsOf(
  files: readonly ArrayFile[],
  options: OpenOptions,
): Promise<{ array: RawArray; where: string } | undefined> {
  const [first] = files;
  if (options.task === "none") return undefined;
  if (isLabelFile(options.labels)) return readLabels(options.labels, options);
  // Files of several arrays have looked for the name themselves.
  if (options.labels !== undefined && (first.format === "idx" || first.format === "npy")) {
    throw userError({
      where: "labels",
      required: "a file of labels (IDX or NPY)",
      got: String(options.labels),
      advice: `Give its path (${labelsOption}), or leave it out where it lies beside the samples`,
    });
  }
  if (files.every(({ labels }) => labels !== undefined)) {
    const gathered = await gatherArrays(
      files.map(({ labels }) => labels!),
      { memory: Number.MAX_SAFE_INTEGER },
    );
    if ("raw" in gathered) return { array: gathered.raw, where: `labels in ${first.where}` };
  }
  const beside = files.length === 1 && first.format === "idx" ? await findIdxLabels(first.where) : undefined;
  return beside === undefined ? undefined : readLabels(beside, options);
}

/** Whether labels are said to be in a file of their own, not in an array or column of the data itself. */
export function isLabelFile(labels: OpenOptions["labels"]): labels is string {
  return typeof labels === "string" && /\.(npy|idx\d?|gz)$|idx1-|[/\\]/.test(labels);
}

/** A file of labels on its own: IDX or NPY. */
async function readLabels(path: string, { signal }: OpenOptions): Promise<{ array: RawArray; where: string }> {
  const head = await readHead(path, 16);
  if (looksLikeIdx(head) || looksLikeNpy(head)) {
    const file = await describeArrayFile(path, { signal });
    if (file !== undefined) return { array: await file.load(), where: path };
  }
  throw userError({
    where: path,
    required: "labels as an IDX or NPY file",
    got: "a file of another kind",
    advice: "Save the labels with numpy.save",
  });
}

/** What to do with files that many have and that are not read, by the ends of their names. */
const conversions: readonly (readonly [RegExp, string])[] = [
  [/\.(zip|zst|bz2|xz|lz4|7z|rar|z)$/i, "Unpack it first"],
  [/\.(xlsx?|ods)$/i, "Save the sheet as CSV"],
  [
    /\.(jsonl?|ndjson|sqlite3?|db|sav|dta|sas7bdat|rds|rdata|orc|avro)$/i,
    "Read it with pandas or the like, and save it as Parquet or CSV",
  ],
  [
    /\.(h5|hdf5?|mat|nc|zarr|pkl|pickle|joblib|pth?|ckpt|tfrecords?)$/i,
    "Read it in Python, and save the samples with numpy.save",
  ],
];

function unknownKind(path: string, got: string): Error {
  const advice = conversions.find(([ends]) => ends.test(path))?.[1] ?? "Check the path, or convert the data";
  return userError({ where: path, required: readableSources, got, advice });
}
