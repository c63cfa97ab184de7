import { userError } from "../errors.js";
import { byCodeUnit } from "./classes.js";
import type { ColumnProfile } from "./column-profile.js";
import type { NormalisationChoice } from "./dataset.js";
import type { FittedColumn } from "./fitted-record.js";
import { chooseNormalisation } from "./normalisation.js";
import { isMissing, numberIn } from "./table-rows.js";

/** Text columns with more distinct values than this are left out: they are names or free text, not categories. */
export const mostCategories = 100;

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
 * @throws UserError if a numeric column holds an infinite number
 */
export function fitColumns(
  profiles: readonly ColumnProfile[],
  normalise: NormalisationChoice,
  keepConstant: boolean,
  where: string,
): { columns: FittedColumn[]; dropped: DroppedColumn[] } {
  const dropped: DroppedColumn[] = [];
  const kept = profiles.filter((profile) => {
    const reason = reasonToDrop(profile, keepConstant);
    if (reason !== undefined) dropped.push({ name: profile.name, reason });
    return reason === undefined;
  });
  const numeric = kept.filter((profile) => profile.numeric);
  for (const profile of numeric) {
    if (profile.firstInfinite === undefined) continue;
    throw userError({
      where,
      required: "finite numbers",
      got: `an infinite one in row ${profile.firstInfinite}, ${profile.name}`,
      advice: "Remove or replace such values",
    });
  }
  const { scale, offset } =
    numeric.length === 0
      ? { scale: [], offset: [] }
      : chooseNormalisation(
          normalise,
          {
            mean: numeric.map(({ mean }) => mean),
            std: numeric.map(({ std }) => std),
            min: numeric.map(({ min }) => min),
            max: numeric.map(({ max }) => max),
          },
          undefined,
          where,
        );
  const columns = kept.map((profile): FittedColumn => {
    const { name, index } = profile;
    if (!profile.numeric) {
      const categories = [...profile.distinct].sort(byCodeUnit);
      return { type: "categorical", name, index, categories, missing: profile.missing > 0 };
    }
    const place = numeric.indexOf(profile);
    return {
      type: "numeric",
      name,
      index,
      scale: scale[place],
      offset: offset[place],
      mean: profile.mean,
      std: profile.std,
      min: profile.min,
      max: profile.max,
      indicator: profile.missing > 0,
    };
  });
  return { columns, dropped };
}

function reasonToDrop(profile: ColumnProfile, keepConstant: boolean): string | undefined {
  if (profile.numbers + profile.texts === 0) return "no values";
  if (profile.numeric && profile.counting && profile.numbers > 2 && /^(|index|id|unnamed: 0)$/i.test(profile.name)) {
    return "counts the rows";
  }
  if (profile.distinct.size === 1 && profile.missing === 0 && !(keepConstant && profile.numeric)) return "constant";
  if (!profile.numeric && profile.hasTooManyValues) return `more than ${mostCategories} distinct texts`;
  return undefined;
}

/** How many features a column becomes. */
export function widthOf(column: FittedColumn): number {
  if (column.type === "numeric") return column.indicator ? 2 : 1;
  return column.categories.length + (column.missing ? 1 : 0);
}

/** One number a cell, from which {@link expandRow} makes features: NaN and -1 stand for missing and unseen values. */
export class CellEncoder {
  readonly #column: FittedColumn;
  readonly #codes: ReadonlyMap<string, number>;
  readonly #where: string;

  constructor(column: FittedColumn, where: string) {
    this.#column = column;
    this.#where = where;
    this.#codes = new Map(
      column.type === "categorical" ? column.categories.map((category, code) => [category, code]) : [],
    );
  }

  /** @param row counted from 1, for the message */
  encode(cell: string, row: number): number {
    const column = this.#column;
    if (column.type === "categorical") {
      if (isMissing(cell)) return column.missing ? column.categories.length : -1;
      return this.#codes.get(cell) ?? -1;
    }
    if (isMissing(cell)) return Number.NaN;
    const value = numberIn(cell);
    if (value === undefined || !Number.isFinite(value)) {
      throw userError({
        where: this.#where,
        required: `finite numbers in ${column.name}`,
        got: `"${cell}" in row ${row}`,
        advice: "Correct it, or leave the cell empty",
      });
    }
    return value * column.scale + column.offset;
  }
}

/** Writes the features of one row of encoded cells; returns where the next row's begin. */
export function expandRow(
  cells: Float32Array,
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
      target[put++] = missing ? column.mean * column.scale + column.offset : cell;
      if (column.indicator) target[put++] = missing ? 1 : 0;
    } else {
      const width = widthOf(column);
      target.fill(0, put, put + width);
      if (cell >= 0) target[put + cell] = 1;
      put += width;
    }
  }
  return put;
}
