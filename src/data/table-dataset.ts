import { userError } from "../errors.js";
import { nearest } from "../nearest.js";
import { afterBadRows, recordOfBadRows } from "./bad-rows.js";
import { shorten } from "./classes.js";
import type { ColumnProfile } from "./column-profile.js";
import type { Dataset, OpenOptions } from "./dataset.js";
import { cellSegment, type EncodedRows, encodeRows } from "./encode-table.js";
import { evenRows } from "./even-rows.js";
import { FileSamples } from "./file-samples.js";
import { type FittedColumn, type FittedRecord, readFitted } from "./fitted-record.js";
import { keepingBlocks } from "./kept-blocks.js";
import { labelsOption } from "./labels-option.js";
import { rowsAsArrays } from "./rows-as-arrays.js";
import { defaultMemory } from "./sample-array.js";
import { columnName, type LabelColumn, type Survey, surveyRows } from "./survey-table.js";
import { type DroppedColumn, expandRow, fitColumns, widthOf } from "./table-columns.js";
import { almostNumeric, doubtfulTexts, limitNotes } from "./table-notes.js";
import { type TableSource, textTable } from "./table-source.js";

/**
 * Opens a CSV or TSV file, plain or gzipped. Numeric columns are normalised (missing values become the mean, with an
 * indicator column), others become one-hot codes; see {@link fitColumns}. The file is read twice, once to learn the
 * columns, once to encode them, unless its cells fit in a quarter of the memory meanwhile.
 *
 * If the model takes pictures or signals, the rows are taken for these: as many numeric columns as a sample has values.
 *
 * @throws UserError for ragged rows, infinite numbers, and features that do not fit the model, each with its place
 */
export async function openTable(path: string, options: OpenOptions): Promise<Dataset> {
  return openTableSource(await textTable(path, options), options);
}

/** As {@link openTable}, of a table that is stored in any way. */
export async function openTableSource(table: TableSource, options: OpenOptions): Promise<Dataset> {
  const source = await evenRows(table, options.limit);
  const format = keepingBlocks(source, (options.memory ?? defaultMemory()) / 4);
  const path = format.where;
  const fitted = readFitted(options.fitted);
  const labels = findLabels(path, format, options, fitted);
  const survey = await surveyRows(path, format, source, labels, options);
  if (survey.count === 0) throw noRows(format, survey);
  const features = survey.profiles.filter((profile) => labels.every(({ index }) => index !== profile.index));
  const wanted = options.shape;
  if (wanted !== undefined && wanted.length > 1) return rowsAsArrays(format, labels, survey, options);
  if (fitted?.normalisation !== undefined && fitted.table === undefined) {
    throw userError({
      where: path,
      required: "samples of the kind that the record was fitted on",
      got: "a table",
      advice: "Give the record of a table, or data of that kind",
    });
  }

  const fit = fitted?.table
    ? { columns: findFitted(path, format, fitted.table), dropped: [] }
    : fitToModel(format, features, labels, survey, options);
  const { columns } = fit;
  const width = columns.reduce((sum, column) => sum + widthOf(column), 0);
  checkWidth(path, width, columns, fit.dropped, labels, options);
  const profiles = labels.map(({ index }) => survey.profiles[index]);
  const encoded = await encodeRows(format, columns, profiles, survey.count, options);
  return tableDataset({ format, ...fit, width, labelColumns: labels, encoded, survey }, options);
}

function noRows({ where, format, header }: TableSource, { bad }: Survey): Error {
  const names = header === undefined || bad.count > 0 ? "" : `, only the names of columns (${shorten(header)})`;
  return userError({
    where,
    required: "at least one row",
    got: `none${names}${afterBadRows(bad)}`,
    advice:
      names !== "" && format === "table"
        ? "Give a table with rows below its header, or say --header no if that line is a sample"
        : "Check the path",
  });
}

/** The columns that hold labels: those asked for, or those of the data that this one is read as. */
function findLabels(
  path: string,
  format: TableSource,
  options: OpenOptions,
  fitted: FittedRecord | undefined,
): LabelColumn[] {
  const asked = options.labels;
  const at = (index: number) => ({ name: columnName(format, index), index });
  // Data without the label columns is fine where it is only used without labels.
  const spare = options.task === "none" && fitted?.table !== undefined;
  if (asked === undefined || spare) {
    const usual = format.usualLabel === undefined ? -1 : (format.header?.indexOf(format.usualLabel) ?? -1);
    const one = fitted?.table?.labelColumn;
    const known = fitted?.table?.labelColumns ?? (one ? [one] : []);
    if (known.length === 0) return usual >= 0 && fitted?.table === undefined ? [at(usual)] : [];
    const found = known.flatMap(({ name, index }) => {
      const byName = format.header?.indexOf(name) ?? -1;
      if (byName >= 0) return [at(byName)];
      return format.columnCount === fitted?.table?.columnCount && format.header === undefined ? [at(index)] : [];
    });
    return spare || found.length === known.length ? found : [];
  }
  const names = typeof asked === "object" ? asked : [asked];
  const places = names.flatMap((name) => {
    const whole = columnIndex(format, name);
    if (whole !== undefined || typeof name === "number") return [{ name, index: whole }];
    return name.split(",").map((part) => ({ name: part, index: columnIndex(format, part.trim()) }));
  });
  const found = places.map(({ name, index }) => {
    if (index === undefined) throw noLabelColumn(path, format, name);
    return at(index);
  });
  return found.filter(({ index }, place) => found.findIndex((other) => other.index === index) === place);
}

/** Where a column is by its name, or its number from 1 (from the end where negative). */
function columnIndex(format: TableSource, asked: string | number): number | undefined {
  const byName = format.header?.indexOf(String(asked)) ?? -1;
  if (byName >= 0) return byName;
  const number = Number(asked);
  if (!Number.isInteger(number) || number === 0 || Math.abs(number) > format.columnCount) return undefined;
  return number > 0 ? number - 1 : format.columnCount + number;
}

function noLabelColumn(path: string, format: TableSource, asked: string | number): Error {
  return userError({
    where: path,
    required: `a label column: a name, or a number from 1 to ${format.columnCount} (-1 is the last)`,
    got: String(asked),
    advice:
      format.header === undefined
        ? "The table has no header"
        : `Did you mean ${nearest(String(asked), format.header)}? Its columns are ${shorten(format.header)}`,
  });
}

/** The columns fitted on this table; constant columns stay where the model counts on them. */
function fitToModel(
  source: TableSource,
  features: readonly ColumnProfile[],
  labels: readonly LabelColumn[],
  { count, bad }: Survey,
  options: OpenOptions,
): { columns: FittedColumn[]; dropped: DroppedColumn[] } {
  const path = source.where;
  const place = (row: number) => source.place(row);
  const length = options.shape?.[0] ?? undefined;
  const total = (columns: readonly FittedColumn[]) => columns.reduce((sum, column) => sum + widthOf(column), 0);
  const lean = fitColumns(features, options, false, path, place);
  if (length !== undefined && total(lean.columns) !== length) {
    const full = fitColumns(features, options, true, path, place);
    if (total(full.columns) === length) return full;
  }
  if (lean.columns.length === 0 && count === 1) {
    throw userError({
      where: path,
      required: "at least two rows, as all columns of one are constant",
      got: `one${afterBadRows(bad)}`,
      advice: "Give a table with more rows",
    });
  }
  if (lean.columns.length === 0) {
    throw userError({
      where: path,
      required: "columns with something to learn",
      got: `${shorten(lean.dropped.map(({ name, reason }) => `${name}: ${reason}`)) || "none"}${afterBadRows(bad)}`,
      advice: `Give a table with varying columns${labels.length === 0 ? "" : " beside the labels"}`,
    });
  }
  return lean;
}

/** Where the columns that were fitted on another table are in this one: by name if both have a header, else by place. */
function findFitted(path: string, format: TableSource, table: NonNullable<FittedRecord["table"]>): FittedColumn[] {
  const { header } = format;
  const labels = (table.labelColumns ?? (table.labelColumn ? [table.labelColumn] : [])).map(({ index }) => index);
  // Where the labels are the last columns, the others keep their places without them.
  const last = Math.min(...labels) === table.columnCount - labels.length;
  const withoutLabel = labels.length > 0 && last ? table.columnCount - labels.length : table.columnCount;
  if (!(table.named && header !== undefined)) {
    if (format.columnCount === table.columnCount || format.columnCount === withoutLabel) return table.columns;
    throw userError({
      where: path,
      required: `${table.columnCount} columns, as in the training data`,
      got: `${format.columnCount}`,
      advice: "Give a table with the same columns",
    });
  }
  // The first of equal names counts.
  const places = new Map([...header.entries()].reverse().map(([index, name]) => [name, index]));
  return table.columns.map((column) => {
    const index = places.get(column.name);
    if (index !== undefined) return { ...column, index };
    throw userError({
      where: path,
      required: `the column ${column.name}, as in the training data`,
      got: shorten(header),
      advice: "Give a table with the same columns",
    });
  });
}

function checkWidth(
  path: string,
  width: number,
  columns: readonly FittedColumn[],
  dropped: readonly DroppedColumn[],
  labels: readonly LabelColumn[],
  options: OpenOptions,
): void {
  const length = options.shape?.[0] ?? undefined;
  if (length === undefined || length === width) return;
  const parts = columns.map((column) => {
    const wide = widthOf(column);
    return wide === 1 ? column.name : `${column.name} (${wide})`;
  });
  const left =
    dropped.length === 0 ? "" : `; left out: ${shorten(dropped.map(({ name, reason }) => `${name}: ${reason}`))}`;
  throw userError({
    where: path,
    required: `${length} features, as the model takes`,
    got: `${width}: ${shorten(parts, 20)}${left}`,
    advice:
      labels.length === 0
        ? `If one column holds the labels, name it (${labelsOption}); else choose a model with as many inputs, or leave columns out (--columns NAME=drop)`
        : "Choose a model with as many inputs, or leave columns out (--columns NAME=drop)",
  });
}

/** What a table's features are, and what became of its rows. */
interface EncodedTable {
  readonly format: TableSource;
  readonly columns: readonly FittedColumn[];
  readonly dropped: readonly DroppedColumn[];
  /** Features. */
  readonly width: number;
  readonly labelColumns: readonly LabelColumn[];
  readonly encoded: EncodedRows;
  readonly survey: Survey;
}

function tableDataset(table: EncodedTable, options: OpenOptions): Dataset {
  const { columns, width, encoded } = table;
  const { cells, labelled, count } = encoded;
  const dataset: Omit<Dataset, "read"> = {
    where: table.format.where,
    kind: "table",
    count,
    shape: [width],
    ...labelled,
    oneHotGroups: oneHotGroupsOf(columns),
    record: recordOf(table, options),
    hash: table.survey.hash,
    range: tableRange(encoded, columns, options),
  };
  const columnCount = columns.length;
  const deliver = deliveryOf(table);
  if (cells instanceof Float32Array) {
    return {
      ...dataset,
      read(indices, target) {
        for (let sample = 0; sample < indices.length; sample++) {
          deliver(cells, indices[sample] * columnCount, target, sample * width);
        }
      },
    };
  }
  const samples = new FileSamples([cellSegment(cells, columnCount)], columnCount, options.memory ?? defaultMemory());
  return {
    ...dataset,
    record: { ...dataset.record, blocks: samples.blocks ?? null },
    ...(samples.blocks === undefined ? {} : { blocks: samples.blocks }),
    read: (indices, target) =>
      samples.read(indices, (data, from, sample) => deliver(data, from, target, sample * width)),
    prepare: (indices) => samples.prepare(indices),
  };
}

/** Which features are the one-hot code of one column. */
function oneHotGroupsOf(columns: readonly FittedColumn[]): { start: number; end: number }[] {
  const groups: { start: number; end: number }[] = [];
  let start = 0;
  for (const column of columns) {
    const end = start + widthOf(column);
    if (column.type === "categorical") groups.push({ start, end });
    start = end;
  }
  return groups;
}

function recordOf(
  { format, columns, dropped, width, labelColumns, encoded, survey }: EncodedTable,
  options: OpenOptions,
): Record<string, unknown> {
  const { labelled, unseen, count } = encoded;
  const { classNames } = labelled;
  const notes = [
    ...(format.notes ?? []),
    ...(options.fitted === undefined ? almostNumeric(format, survey, labelColumns) : []),
    ...(options.fitted === undefined ? doubtfulTexts(columns, survey) : []),
    ...dropped.map(({ name, reason }) => `${name} left out: ${reason}`),
    ...(unseen > 0 ? [`${unseen} cells hold categories that the training data lacks; they deliver zeros`] : []),
    ...limitNotes(format, labelled, survey, options),
  ];
  return {
    source: format.format,
    kind: "table",
    count,
    shape: [width],
    table: {
      columns,
      columnCount: format.columnCount,
      named: format.header !== undefined,
      ...(labelColumns.length === 1 ? { labelColumn: labelColumns[0] } : {}),
      ...(labelColumns.length > 1 ? { labelColumns } : {}),
    },
    missing: missingIn(survey),
    ...recordOfBadRows(survey.bad, encoded.bad),
    notes,
    ...(classNames === undefined ? {} : { classNames }),
  };
}

function missingIn({ profiles }: Survey): number {
  return profiles.reduce((sum, profile) => sum + profile.missing, 0);
}

/** How a row's encoded cells become its features: without codes, indicators and gaps they are the features themselves. */
function deliveryOf({ columns, width, survey }: EncodedTable) {
  const columnCount = columns.length;
  const plain = columnCount === width && missingIn(survey) === 0 && columns.every(({ type }) => type === "numeric");
  return (data: ArrayLike<number>, from: number, target: Float32Array, to: number): void => {
    if (plain) for (let at = 0; at < columnCount; at++) target[to + at] = data[from + at];
    else expandRow(data, from, columns, target, to);
  };
}

function tableRange(encoded: EncodedRows, columns: readonly FittedColumn[], options: OpenOptions) {
  if (options.fitted === undefined && options.normalise === "unit") return { min: 0, max: 1 };
  if (options.fitted === undefined && options.normalise === "symmetric") return { min: -1, max: 1 };
  let { min, max } = encoded.range;
  for (const column of columns) {
    if (column.type === "embedding") {
      for (const code of column.codes) [min, max] = [Math.min(min, ...code), Math.max(max, ...code)];
    } else if (widthOf(column) > 1) [min, max] = [Math.min(min, 0), Math.max(max, 1)];
  }
  return { min, max };
}
