import { userError } from "../errors.js";
import { BadRows } from "./bad-rows.js";
import { shorten } from "./classes.js";
import { type ColumnChoice, ColumnProfile } from "./column-profile.js";
import type { OpenOptions } from "./dataset.js";
import { labelsOption } from "./labels-option.js";
import { startHash } from "./sample-array.js";
import type { ColumnNeed, TableBlock } from "./table-block.js";
import { mostCategories, mostEmbedded } from "./table-columns.js";
import { labelKinds } from "./table-labels.js";
import type { TableSource } from "./table-source.js";

/** More classes than this are taken for a column that holds no classes. */
const mostClasses = 10_000;

/** Of more whole numbers, some of them missing, one cannot tell whether they are classes. */
const mostNumberedClasses = 100;

/** In tables of more columns, those that hold numbers alone are told apart first. */
const mostTextColumns = 1000;

/** Where the label column is. */
export interface LabelColumn {
  readonly name: string;
  readonly index: number;
}

/** What the first pass over the rows found. */
export interface Survey {
  /** Rows that are used, at most as many as the options' limit. */
  readonly count: number;
  /** One for each column, in their order. */
  readonly profiles: readonly ColumnProfile[];
  /** SHA-256, in hexadecimal, of the content and of what decides how it is read. */
  readonly hash: string;
  /** Rows that fit no table and were left out. */
  readonly bad: BadRows;
}

/**
 * The first pass over the rows: what each column holds. In a wide table most columns hold numbers only, and the texts
 * of a hundred thousand columns would take gigabytes: there the texts are looked at only of those that turn out to hold
 * some, in a pass of their own.
 *
 * @param path names the table in messages
 * @param format the table to read, which may keep what this pass reads for the next
 * @param source the same, which keeps nothing
 * @param labels the columns that hold labels, if any; with one, its values may be classes
 * @throws UserError for a damaged row that may not be left out, an option that names no column, and labels that are
 *   missing or not what the task needs
 */
export async function surveyRows(
  path: string,
  format: TableSource,
  source: TableSource,
  labels: readonly LabelColumn[],
  options: OpenOptions,
): Promise<Survey> {
  const mostTexts = options.categories === "embedding" ? mostEmbedded : mostCategories;
  const choices = columnChoices(path, format, options);
  const [label] = labels;
  const isLabel = (index: number): boolean => labels.some((one) => one.index === index);
  const wide = format.columnCount > mostTextColumns;
  const quantile = options.normalise === "quantile";
  const profileOf = (index: number, limit: number): ColumnProfile =>
    new ColumnProfile(columnName(format, index), index, limit, choices.get(index), quantile, format.rowOf);
  const needs = Array.from({ length: format.columnCount }, (_, index): ColumnNeed => {
    const choice = choices.get(index);
    // Classes and categories are told apart as texts: 1 and 1.0 may be two.
    if (index === label?.index) return { what: "texts", distinct: mostClasses };
    if (choice === "drop") return { what: "profile", distinct: 0 };
    if (choice === "category") return { what: "texts", distinct: mostTexts };
    // Of numbers it is enough to know whether there are two.
    return wide && !isLabel(index) ? { what: "numbers", distinct: 1 } : { what: "profile", distinct: mostTexts };
  });
  const profiles = needs.map(({ what, distinct }, index) => {
    if (isLabel(index)) return profileOf(index, mostClasses);
    return profileOf(index, what === "numbers" ? distinct : mostTexts);
  });
  const hash = startHash(
    "table",
    labels.length > 1 ? labels.map(({ index }) => index) : label?.index,
    options.limit,
    ...(options.classNames === undefined ? [] : [options.classNames]),
  );
  const bad = new BadRows();
  const skip = options.onBad === "skip";
  const count = await profileRows(
    format.blocks(needs, {
      signal: options.signal,
      onContent: (content) => hash.update(content),
      onBadRow: skip ? (reason) => bad.add(reason) : undefined,
      // The first of two passes is the first half.
      onProgress: (done, total) => options.onProgress?.(done, 2 * total),
    }),
    profiles,
    options.limit,
  );
  const withTexts = profiles
    .filter(({ index, texts, choice }) => needs[index].what === "numbers" && choice === undefined && texts > 0)
    .map(({ index }) => profileOf(index, mostTexts));
  if (withTexts.length > 0) {
    const some = needs.map((): ColumnNeed => ({ what: "nothing", distinct: 0 }));
    for (const { index } of withTexts) some[index] = { what: "profile", distinct: mostTexts };
    const blocks = source.blocks(some, { signal: options.signal, onBadRow: skip ? () => {} : undefined });
    await profileRows(blocks, withTexts, options.limit);
    for (const profile of withTexts) profiles[profile.index] = profile;
  }
  if (options.task !== "none") {
    const found = labels.map(({ index }) => profiles[index]);
    for (const profile of found) checkLabelColumn(path, profile, options.task, labels.length);
  }
  return { count, profiles, hash: hash.digest("hex"), bad };
}

/** Shows rows to the profiles of some columns. @returns how many rows, at most `limit` */
async function profileRows(
  blocks: AsyncIterable<TableBlock>,
  profiles: readonly ColumnProfile[],
  limit = Number.POSITIVE_INFINITY,
): Promise<number> {
  let count = 0;
  for await (const block of blocks) {
    const rows = Math.min(block.count, limit - count);
    for (const profile of profiles) profile.addBlock(block.columns[profile.index], rows, count + 1);
    count += rows;
    if (count === limit) break;
  }
  return count;
}

/** What the user says of the columns, by their place. */
function columnChoices(path: string, format: TableSource, options: OpenOptions): Map<number, ColumnChoice> {
  const choices = new Map<number, ColumnChoice>();
  for (const [name, choice] of Object.entries(options.columns ?? {})) {
    const byName = format.header?.indexOf(name) ?? -1;
    const number = Number(name);
    const index = byName < 0 && Number.isInteger(number) && number > 0 ? number - 1 : byName;
    if (index < 0 || index >= format.columnCount) {
      throw userError({
        where: path,
        required: `a column ${name}, of which --columns says what it is`,
        got: format.header === undefined ? `${format.columnCount} columns without names` : shorten(format.header, 20),
        advice: "Name a column of the table, or its number from 1",
      });
    }
    choices.set(index, choice);
  }
  return choices;
}

/** @throws UserError where a label column cannot be what the task needs, or neither classes nor numbers */
function checkLabelColumn(path: string, profile: ColumnProfile, task: OpenOptions["task"], columns: number): void {
  const { classes, numbers } = labelKinds(profile);
  const asNumbers = task === "regression" || (task === undefined && columns > 1);
  const fits = asNumbers ? numbers : task === "classification" ? columns === 1 && classes : classes || numbers;
  if (fits && (profile.missing === 0 || (!asNumbers && areSomeClasses(profile)))) return;
  const fraction = profile.numeric && [...profile.distinct].find((cell) => !Number.isInteger(Number(cell)));
  throw userError({
    where: path,
    required: `a ${asNumbers ? "number" : "class"} in every row of the label column (${profile.name})`,
    got:
      profile.missing > 0
        ? `${profile.missing} rows without one`
        : asNumbers
          ? profile.firstText === undefined
            ? "infinite numbers"
            : `"${profile.firstText.cell}" in row ${profile.firstText.row}`
          : columns > 1
            ? `${columns} label columns`
            : typeof fraction === "string"
              ? `fractions such as ${fraction}`
              : `more than ${mostClasses} different values`,
    advice:
      profile.missing > 0
        ? "Give the rows that have one in a table of their own, and all rows where no labels are needed"
        : `Name another column (${labelsOption}), or leave the labels out`,
  });
}

/** Whether what some rows of a label column have must be classes, so that the others are samples without a label. */
function areSomeClasses({ texts, numbers, distinct }: ColumnProfile): boolean {
  return texts > 0 || (numbers > 0 && distinct.size <= mostNumberedClasses);
}

/** A column's name in the header, or "column 3" where there is none. */
export function columnName(format: TableSource, index: number): string {
  return format.header === undefined ? `column ${index + 1}` : format.header[index];
}
