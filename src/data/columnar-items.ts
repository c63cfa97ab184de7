import { userError } from "../errors.js";
import { shorten } from "./classes.js";
import { type ColumnarFile, isCoded, valuesOf } from "./columnar-file.js";
import type { OpenOptions } from "./dataset.js";
import { labelsOption } from "./labels-option.js";
import { isMaskColumn } from "./mask-names.js";
import { PictureBag, type PictureItem, type PictureItems } from "./picture-items.js";

const usualLabels = ["label", "labels", "class", "cls", "target", "fine_label"];

/** The columns that hold pictures: bytes, or structs of bytes and path as Hugging Face's datasets library writes them. */
export async function pictureColumns(file: ColumnarFile): Promise<readonly string[]> {
  for await (const batch of file.batches()) {
    return file.columns.filter((name) => {
      const values = batch.get(name) ?? [];
      return (
        !isCoded(values) &&
        !ArrayBuffer.isView(values) &&
        Array.from(values).some((value) => bytesIn(value) !== undefined)
      );
    });
  }
  return [];
}

/**
 * The pictures of a Parquet or Arrow file, with their classes, or with their masks where each position has a class: those of the column
 * that is asked for, or of one with a usual name.
 *
 * @param columns those that hold pictures
 * @throws UserError if there is no such column, or a row has no picture and may not be skipped
 */
export async function columnarItems(
  file: ColumnarFile,
  columns: readonly string[],
  options: OpenOptions,
): Promise<PictureItems> {
  const { column, masks, notes } = chooseColumns(columns, options);
  const label = masks ?? labelColumn(file, columns, options);
  const names = label === undefined ? undefined : file.classNames.get(label);
  const bag = new PictureBag(options);
  const maskBag = new PictureBag(options);
  /** By picture, the place of its mask in the bag. */
  const maskOf: (number | undefined)[] = [];
  let row = 0;
  let without = 0;
  try {
    for await (const batch of file.batches(options.signal)) {
      const pictures = valuesOf(batch.get(column)!);
      const labels = label === undefined ? undefined : valuesOf(batch.get(label)!);
      const where = (): string => `${file.where}, row ${row}`;
      for (let at = 0; at < pictures.length; at++) {
        row++;
        const bytes = bytesIn(pictures[at]);
        if (bytes === undefined) {
          if (options.onBad === "skip") {
            without++;
            continue;
          }
          throw userError({
            where: file.where,
            required: `a picture in each row of ${column}`,
            got: `none in row ${row}`,
            advice: "Remove that row, or have such rows skipped with --on-bad skip",
          });
        }
        const { path } = pictures[at] as { path?: unknown };
        const name = typeof path === "string" ? path : `row ${row}`;
        // Copies: the column's own buffer would be held as a whole.
        if (masks === undefined) bag.add({ name, where: where(), class: classOf(labels?.[at]) }, bytes.slice());
        else {
          bag.add({ name, where: where() }, bytes.slice());
          const mask = bytesIn(labels?.[at]);
          maskOf.push(mask && maskBag.items.length);
          if (mask) maskBag.add({ name, where: `${where()}, ${masks}` }, mask.slice());
        }
      }
    }
  } catch (error) {
    bag.discard();
    maskBag.discard();
    throw error;
  }
  const { items, files } = bag.finish();
  const ofMasks = maskBag.finish();
  if (items.length === 0) {
    throw userError({ where: file.where, required: "rows with pictures", got: "none", advice: "Check the file" });
  }
  return {
    where: file.where,
    items: masks === undefined ? items : items.map((item, index) => withMask(item, ofMasks.items[maskOf[index] ?? -1])),
    classNames: names,
    record: {
      source: file.format,
      column,
      ...(label === undefined ? {} : { labelsFrom: label }),
      files: items.length,
      skipped: { withoutPicture: without },
      ...(notes.length > 0 ? { notes } : {}),
    },
    files: [...files, ...ofMasks.files],
  };
}

function withMask(item: PictureItem, mask: PictureItem | undefined): PictureItem {
  return mask === undefined ? item : { ...item, mask: { where: mask.where, place: mask.place } };
}

/** Which of the columns of pictures has the samples, and which their masks, where masks are wanted. */
function chooseColumns(
  columns: readonly string[],
  { labels, task }: OpenOptions,
): { readonly column: string; readonly masks?: string; readonly notes: readonly string[] } {
  const named = columns.find((name) => name === labels);
  const column = columns.find((name) => name !== named && !isMaskColumn(name)) ?? columns[0];
  const others = columns.filter((name) => name !== column);
  const found = named ?? (labels === undefined ? others.find(isMaskColumn) : undefined);
  const masks = task === "segmentation" && found !== column ? found : undefined;
  const left = others.filter((name) => name !== masks);
  const note = `of the columns of pictures ${column} is taken, and ${shorten(left)} left out`;
  return { column, ...(masks === undefined ? {} : { masks }), notes: left.length === 0 ? [] : [note] };
}

function labelColumn(file: ColumnarFile, pictures: readonly string[], options: OpenOptions): string | undefined {
  const others = file.columns.filter((name) => !pictures.includes(name));
  const { labels } = options;
  if (labels === undefined) {
    const [only] = file.classNames.size === 1 ? file.classNames.keys() : [];
    return [only, ...usualLabels].find((name) => name !== undefined && others.includes(name));
  }
  if (others.includes(String(labels))) return String(labels);
  throw userError({
    where: file.where,
    required: `a column ${labels} for the labels`,
    got: shorten(others) || "no other column",
    advice: `Name one of these (${labelsOption})`,
  });
}

function bytesIn(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (value === null || typeof value !== "object" || !("bytes" in value)) return undefined;
  return value.bytes instanceof Uint8Array ? value.bytes : undefined;
}

function classOf(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
}
