import { userError } from "../errors.js";
import { shorten } from "./classes.js";
import { type ColumnarFile, isCoded, valuesOf } from "./columnar-file.js";
import type { OpenOptions } from "./dataset.js";
import { labelsOption } from "./labels-option.js";
import { PictureBag, type PictureItems } from "./picture-items.js";

const usualLabels = ["label", "labels", "class", "cls", "target", "fine_label"];

/** The column that holds pictures: bytes, or structs of bytes and path as Hugging Face's datasets library writes them. */
export async function pictureColumn(file: ColumnarFile): Promise<string | undefined> {
  for await (const batch of file.batches()) {
    return file.columns.find((name) => {
      const values = batch.get(name) ?? [];
      return (
        !isCoded(values) &&
        !ArrayBuffer.isView(values) &&
        Array.from(values).some((value) => bytesIn(value) !== undefined)
      );
    });
  }
  return undefined;
}

/**
 * The pictures of a Parquet or Arrow file, with their classes: those of the column that is asked for, or of one with a
 * usual name.
 *
 * @throws UserError if there is no such column, or a row has no picture and may not be skipped
 */
export async function columnarItems(file: ColumnarFile, column: string, options: OpenOptions): Promise<PictureItems> {
  const label = labelColumn(file, column, options);
  const names = label === undefined ? undefined : file.classNames.get(label);
  const bag = new PictureBag(options);
  let row = 0;
  let without = 0;
  try {
    for await (const batch of file.batches(options.signal)) {
      const pictures = valuesOf(batch.get(column)!);
      const labels = label === undefined ? undefined : valuesOf(batch.get(label)!);
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
        // A copy: the column's own buffer would be held as a whole.
        bag.add({ name, where: `${file.where}, row ${row}`, class: classOf(labels?.[at]) }, bytes.slice());
      }
    }
  } catch (error) {
    bag.discard();
    throw error;
  }
  const { items, files } = bag.finish();
  if (items.length === 0) {
    throw userError({ where: file.where, required: "rows with pictures", got: "none", advice: "Check the file" });
  }
  return {
    where: file.where,
    items,
    classNames: names,
    record: {
      source: file.format,
      column,
      ...(label === undefined ? {} : { labelsFrom: label }),
      files: items.length,
      skipped: { withoutPicture: without },
    },
    files,
  };
}

function labelColumn(file: ColumnarFile, pictures: string, options: OpenOptions): string | undefined {
  const others = file.columns.filter((name) => name !== pictures);
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
