/** What the user should know of a table that was read, in sentences. */

import type { OpenOptions } from "./dataset.js";
import { firstRowsNote } from "./first-rows-note.js";
import type { FittedColumn } from "./fitted-record.js";
import type { SampleLabels } from "./sample-labels.js";
import type { LabelColumn, Survey } from "./survey-table.js";
import { plainNumbers } from "./table-cell.js";
import type { TableSource } from "./table-source.js";

/** A column is mentioned where at least this share of its cells are numbers, and it is not taken for numbers. */
const mostlyNumbers = 0.9;

/** What a limit may have left out of a table of which it takes the first rows, in sentences. */
export function limitNotes(
  format: TableSource,
  labelled: SampleLabels,
  survey: Survey,
  options: OpenOptions,
): string[] {
  if (format.countRows !== undefined || survey.count !== options.limit) return [];
  const note = firstRowsNote(labelled);
  return note === undefined ? [] : [note];
}

/**
 * Notes on columns of numbers but for a few texts, which make categories of them, and of numbers with decimal commas or
 * separators of thousands.
 */
export function almostNumeric(format: TableSource, { profiles }: Survey, labels: readonly LabelColumn[]): string[] {
  return profiles.flatMap(({ name, index, choice, numbers, texts, formatted, firstText, firstFormatted }) => {
    if (choice !== undefined || firstText === undefined) return [];
    const placeOf = (of: number): string => {
      const { where, row } = format.place(of);
      return `row ${row}${where === format.where ? "" : ` of ${where}`}`;
    };
    const wrong = `${name} is not taken for numbers:`;
    if (firstFormatted !== undefined && formatted >= texts / 2) {
      const plain = plainNumbers(firstFormatted.cell);
      return [
        `${wrong} ${formatted} of ${numbers + texts} cells are written with a decimal comma, ` +
          `separators of thousands, a currency or %, the first "${firstFormatted.cell}" in ${placeOf(firstFormatted.row)}; write ${plain.join(" or ")} in its place` +
          `${plain.length > 1 ? ", whichever is meant" : ""}, and so all others`,
      ];
    }
    if (labels.some((label) => label.index === index) || numbers < mostlyNumbers * (numbers + texts)) return [];
    return [
      `${wrong} ${texts} of ${numbers + texts} cells are none, the first "${firstText.cell}" in ` +
        `${placeOf(firstText.row)}; correct them, or say what it is (columns: ${name}=number or ${name}=category)`,
    ];
  });
}

/** A date as most tables write it, with or without the time of day. */
const date = /^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([T ]\d{1,2}:\d\d.*)?$/;
/** From so many categories on they may be the rows' names. */
const fewestNames = 10;

/** Columns of categories that are rather dates or names of the rows: nothing is to be learned from their codes. */
export function doubtfulTexts(columns: readonly FittedColumn[], { profiles, count }: Survey): string[] {
  return columns.flatMap((column) => {
    const { firstText, choice, texts: all, formatted } = profiles[column.index];
    if (column.type === "numeric" || firstText === undefined || choice !== undefined || formatted >= all / 2) return [];
    const { name } = column;
    const texts = `${column.categories.length} different texts in ${count} rows`;
    if (date.test(firstText.cell)) {
      return [
        `${name} looks like dates ("${firstText.cell}"), which are taken for categories (${texts}): give numbers, such as ` +
          `days or hours, in their place, or leave it out (columns: ${name}=drop)`,
      ];
    }
    if (column.categories.length < fewestNames || column.categories.length <= count / 2) return [];
    return [`${name} has ${texts}: if it names the rows, leave it out (columns: ${name}=drop)`];
  });
}
