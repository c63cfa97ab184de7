import { userError } from "../errors.js";
import { byCodeUnit } from "./classes.js";
import type { ColumnProfile } from "./column-profile.js";
import type { OpenOptions } from "./dataset.js";
import { embeddingCodes } from "./embedding-codes.js";
import type { FittedColumn } from "./fitted-record.js";
import { normalScore } from "./normal-score.js";
import { chooseNormalisation } from "./normalisation.js";
import { type ColumnCells, cellAt } from "./table-block.js";
import { type Cell, isFormattedNumber, isMissing, largestNumber, numberIn, plainNumbers } from "./table-cell.js";

/** Text columns with more distinct values than this are left out: they are names or free text, not categories. */
export const mostCategories = 100;
/** The same where categories get codes of a few numbers instead of a column each. */
export const mostEmbedded = 10_000;
/** Points at which a column's distribution is kept for the scaling `quantile`. */
const quantileCount = 257;

/** A column that became no feature, and why. */
export interface DroppedColumn {
  readonly name: string;
  readonly reason: string;
}

/**
 * Decides what each column of a table becomes: a number (normalised; with an indicator column if values are missing),
 * a one-hot code, or nothing.
 *
 * @param keepConstant keeps numeric columns with one single value: they deliver 0
 * @param place tells the file and the row in it, for messages
 * @throws UserError if a numeric column holds an infinite number
 */
export function fitColumns(
  profiles: readonly ColumnProfile[],
  options: Pick<OpenOptions, "normalise" | "categories" | "onBad">,
  keepConstant: boolean,
  where: string,
  place: (row: number) => { where: string; row: number } = (row) => ({ where, row }),
): { columns: FittedColumn[]; dropped: DroppedColumn[] } {
  const normalise = options.normalise ?? "standard";
  const quantile = normalise === "quantile";
  const dropped: DroppedColumn[] = [];
  const hasHeader = profiles.some(({ name }) => name !== "");
  const kept = profiles.filter((profile) => {
    const reason =
      reasonToDrop(profile, keepConstant, options.onBad === "skip") ??
      (hasHeader && isIndexOfRows(profile) ? "an index of the rows" : undefined);
    if (reason !== undefined) dropped.push({ name: profile.name || `column ${profile.index + 1}`, reason });
    return reason === undefined;
  });
  const numeric = kept.filter((profile) => profile.numeric);
  if (options.onBad !== "skip") for (const profile of numeric) requireNumbers(profile, place);
  const { scale, offset } =
    numeric.length === 0
      ? { scale: [], offset: [] }
      : chooseNormalisation(
          quantile ? "standard" : normalise,
          {
            mean: numeric.map(({ mean }) => mean),
            std: numeric.map(({ std }) => std),
            min: numeric.map(({ min }) => min),
            max: numeric.map(({ max }) => max),
          },
          undefined,
          where,
        );
  const places = new Map(numeric.map((profile, place) => [profile, place]));
  const columns = kept.map((profile): FittedColumn => {
    if (!profile.numeric) return categoryColumn(profile, options.categories);
    const at = places.get(profile)!;
    return numberColumn(profile, scale[at], offset[at], quantile);
  });
  return { columns, dropped };
}

/** @throws UserError where a column that is to be one of numbers holds a text, or an infinite number */
function requireNumbers(
  { name, index, firstText, firstInfinite }: ColumnProfile,
  place: (row: number) => { where: string; row: number },
): void {
  if (firstText !== undefined) {
    const at = place(firstText.row);
    throw userError({
      where: at.where,
      required: `numbers in ${name}, as was said`,
      got: `"${firstText.cell}" in row ${at.row}`,
      advice: isFormattedNumber(firstText.cell)
        ? `Write ${plainNumbers(firstText.cell).join(" or ")} in its place`
        : `Take the column for categories (--columns ${name || index + 1}=category)`,
    });
  }
  if (firstInfinite === undefined) return;
  const at = place(firstInfinite);
  throw userError({
    where: at.where,
    required: "finite numbers of at most 3.4e38",
    got: `an infinite or larger one in row ${at.row}, ${name}`,
    advice: "Remove or replace such values",
  });
}

function numberColumn(profile: ColumnProfile, scale: number, offset: number, quantile: boolean): FittedColumn {
  const { name, index, mean, std, min, max, missing } = profile;
  return {
    type: "numeric",
    name,
    index,
    ...{ scale, offset, mean, std, min, max },
    indicator: missing > 0,
    ...(quantile ? { quantiles: profile.quantiles(quantileCount) } : {}),
  };
}

function categoryColumn(profile: ColumnProfile, code: OpenOptions["categories"]): FittedColumn {
  const { name, index } = profile;
  const categories = [...profile.distinct].sort(byCodeUnit);
  const missing = profile.missing > 0;
  if (code !== "embedding") return { type: "categorical", name, index, categories, missing };
  const codes = embeddingCodes(name, categories.length + (missing ? 1 : 0));
  return { type: "embedding", name, index, categories, missing, codes };
}

function reasonToDrop(profile: ColumnProfile, keepConstant: boolean, skip: boolean): string | undefined {
  if (profile.choice === "drop") return "as asked";
  if (profile.numbers + profile.infinite + profile.texts === 0) return "no values";
  // The rows that have a value would be left out, and of the others nothing could be measured.
  if (skip && profile.numeric && profile.numbers === 0 && profile.missing > 0) return "no finite numbers";
  if (
    profile.choice === undefined &&
    profile.numeric &&
    profile.counting &&
    profile.numbers > 2 &&
    /^(|index|id|unnamed: 0)$/i.test(profile.name)
  ) {
    return "counts the rows";
  }
  if (profile.distinct.size === 1 && profile.missing === 0 && !(keepConstant && profile.numeric)) return "constant";
  if (!profile.numeric && profile.hasTooManyValues) return `more than ${profile.distinct.size - 1} distinct texts`;
  return undefined;
}

/**
 * Is this what pandas or R writes of the rows' own names, also where some rows were taken out or shuffled before: a first
 * column without a name with another whole number in each row, or in Parquet a column that pandas has named so?
 */
function isIndexOfRows(profile: ColumnProfile): boolean {
  const { name, index, choice, numeric, numbers, missing, distinct, min, max } = profile;
  if (choice !== undefined) return false;
  if (/^__index_level_\d+__$/.test(name)) return true;
  if (index > 0 || !/^(|unnamed: 0)$/i.test(name) || !numeric || missing > 0 || numbers < 3) return false;
  // No more than so many are told apart; as many others need room between the smallest and the largest.
  const isDistinct = distinct.size > Math.min(numbers - 1, mostCategories) && max - min >= numbers - 1;
  return isDistinct && [...distinct].every((value) => Number.isInteger(Number(value)));
}

/** How many features a column becomes. */
export function widthOf(column: FittedColumn): number {
  if (column.type === "numeric") return column.indicator ? 2 : 1;
  if (column.type === "embedding") return column.codes[0].length;
  return column.categories.length + (column.missing ? 1 : 0);
}

/** One number a cell, from which {@link expandRow} makes features: NaN and -1 stand for missing and unseen values. */
export class CellEncoder {
  readonly #column: FittedColumn;
  readonly #codes: ReadonlyMap<string, number>;
  /** By the place of a text in the list that the blocks refer to. */
  #encoded: (number | undefined)[] = [];

  constructor(column: FittedColumn) {
    this.#column = column;
    this.#codes = new Map(column.type !== "numeric" ? column.categories.map((category, code) => [category, code]) : []);
  }

  /**
   * Encodes the cells of neighbouring rows.
   *
   * @param target where they go, `stride` apart, from `to` on
   * @param onBad is told of rows whose cell {@link encode} refuses
   */
  encodeBlock(
    cells: ColumnCells,
    count: number,
    target: Float32Array,
    to: number,
    stride: number,
    onBad: (row: number) => void,
  ): void {
    const column = this.#column;
    if (cells.kind === "numbers" && column.type === "numeric" && column.quantiles === undefined) {
      const { values } = cells;
      const { scale, offset } = column;
      for (let row = 0, put = to; row < count; row++, put += stride) {
        const value = values[row];
        if (Math.abs(value) > largestNumber) onBad(row);
        target[put] = value * scale + offset;
      }
      return;
    }
    // What a text becomes is worked out once for each.
    const known = cells.kind === "codes" ? this.#codesOf(cells.texts.texts) : undefined;
    for (let row = 0, put = to; row < count; row++, put += stride) {
      const code =
        known === undefined ? this.encode(cellAt(cells, row)) : known[(cells as { codes: Int32Array }).codes[row]];
      if (code === undefined) onBad(row);
      else target[put] = code;
    }
  }

  #codesOf(texts: readonly string[]): readonly (number | undefined)[] {
    for (let at = this.#encoded.length; at < texts.length; at++) this.#encoded.push(this.encode(texts[at]));
    return this.#encoded;
  }

  /** @returns undefined if the column is numeric and the cell holds another text, or an infinite number */
  encode(cell: Cell): number | undefined {
    const column = this.#column;
    if (column.type !== "numeric") {
      if (isMissing(cell)) return column.missing ? column.categories.length : -1;
      return this.#codes.get(typeof cell === "string" ? cell : String(cell)) ?? -1;
    }
    if (isMissing(cell)) return Number.NaN;
    const value = numberIn(cell);
    if (value === undefined || !(Math.abs(value) <= largestNumber)) return undefined;
    if (column.quantiles !== undefined) return normalScore(value, column.quantiles);
    return value * column.scale + column.offset;
  }
}

/** Writes the features of one row of encoded cells; returns where the next row's begin. */
export function expandRow(
  cells: ArrayLike<number>,
  from: number,
  columns: readonly FittedColumn[],
  target: Float32Array,
  to: number,
): number {
  let put = to;
  for (let place = 0; place < columns.length; place++) {
    const column = columns[place];
    const cell = cells[from + place];
    if (column.type === "numeric") {
      const missing = Number.isNaN(cell);
      // What stands for a missing value: the mean, or the median where quantiles count.
      const middle = column.quantiles === undefined ? column.mean * column.scale + column.offset : 0;
      target[put++] = missing ? middle : cell;
      if (column.indicator) target[put++] = missing ? 1 : 0;
    } else if (column.type === "embedding") {
      const width = column.codes[0].length;
      for (let at = 0; at < width; at++) target[put++] = cell >= 0 ? column.codes[cell][at] : 0;
    } else {
      const width = widthOf(column);
      target.fill(0, put, put + width);
      if (cell >= 0) target[put + cell] = 1;
      put += width;
    }
  }
  return put;
}
