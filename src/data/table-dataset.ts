import { userError } from "../errors.js";
import { nearest } from "../nearest.js";
import { arrayDataset, filedArrayDataset } from "./array-dataset.js";
import { shorten } from "./classes.js";
import type { ColumnProfile } from "./column-profile.js";
import { type Dataset, type OpenOptions, sizeOf } from "./dataset.js";
import { type EncodedRows, encodeRows } from "./encode-table.js";
import { evenRows } from "./even-rows.js";
import { FileSamples, type FileSegment, type OpenFile } from "./file-samples.js";
import { type FittedColumn, type FittedRecord, readFitted } from "./fitted-record.js";
import { keepingBlocks } from "./kept-blocks.js";
import { labelsOption } from "./labels-option.js";
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
  if (survey.count === 0) {
    throw userError({ where: path, required: "at least one row", got: "none", advice: "Check the path" });
  }
  const features = survey.profiles.filter((profile) => labels.every(({ index }) => index !== profile.index));
  const wanted = options.shape;
  if (wanted !== undefined && wanted.length > 1) return rowsAsArrays(path, format, labels, survey, features, options);
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
    : fitToModel(format, features, labels, survey.bad, options);
  const { columns } = fit;
  const width = columns.reduce((sum, column) => sum + widthOf(column), 0);
  checkWidth(path, width, columns, fit.dropped, labels, options);
  const profiles = labels.map(({ index }) => survey.profiles[index]);
  const encoded = await encodeRows(format, columns, profiles, survey.count, options);
  if (encoded.count === 0) {
    throw userError({
      where: path,
      required: "at least one usable row",
      got: `none${leftOutRows(encoded.bad)}`,
      advice: "Say what the columns are (--columns NAME=number, category or drop), or mend the rows",
    });
  }
  return tableDataset(path, format, fit, width, labels, encoded, survey, options);
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
  bad: Survey["bad"],
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
  if (lean.columns.length === 0) {
    throw userError({
      where: path,
      required: "columns with something to learn",
      got: `${shorten(lean.dropped.map(({ name, reason }) => `${name}: ${reason}`)) || "none"}${leftOutRows(bad)}`,
      advice: `Give a table with varying columns${labels.length === 0 ? "" : " beside the labels"}`,
    });
  }
  return lean;
}

/** Rows that were left out may be why nothing remains, such as all but a first line of another kind. */
function leftOutRows({ count, rows }: Survey["bad"]): string {
  return count === 0 ? "" : `, after ${count} rows were left out (${rows[0]})`;
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

function tableDataset(
  path: string,
  format: TableSource,
  { columns, dropped }: { columns: FittedColumn[]; dropped: DroppedColumn[] },
  width: number,
  labelColumns: readonly LabelColumn[],
  encoded: EncodedRows,
  survey: Survey,
  options: OpenOptions,
): Dataset {
  const { cells, labelled, unseen, count } = encoded;
  const { classNames } = labelled;
  const badRows = { count: survey.bad.count + encoded.bad.count, rows: [...survey.bad.rows, ...encoded.bad.rows] };
  const missing = survey.profiles.reduce((sum, profile) => sum + profile.missing, 0);
  // Without codes, indicators and gaps the cells are the features themselves.
  const columnCount = columns.length;
  const plain = columns.length === width && missing === 0 && columns.every(({ type }) => type === "numeric");
  const oneHotGroups: { start: number; end: number }[] = [];
  let start = 0;
  for (const column of columns) {
    const end = start + widthOf(column);
    if (column.type === "categorical") oneHotGroups.push({ start, end });
    start = end;
  }
  const notes = [
    ...(format.notes ?? []),
    ...(options.fitted === undefined ? almostNumeric(format, survey, labelColumns) : []),
    ...(options.fitted === undefined ? doubtfulTexts(columns, survey) : []),
    ...dropped.map(({ name, reason }) => `${name} left out: ${reason}`),
    ...(unseen > 0 ? [`${unseen} cells hold categories that the training data lacks; they deliver zeros`] : []),
    ...limitNotes(format, labelled, survey, options),
  ];
  const dataset: Omit<Dataset, "read"> = {
    where: path,
    kind: "table",
    count,
    shape: [width],
    ...labelled,
    oneHotGroups,
    record: {
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
      missing,
      ...(badRows.count === 0 ? {} : { badRows: { count: badRows.count, rows: badRows.rows.slice(0, 100) } }),
      notes,
      ...(classNames === undefined ? {} : { classNames }),
    },
    hash: survey.hash,
    range: tableRange(encoded, columns, options),
  };
  const deliver = (data: ArrayLike<number>, from: number, target: Float32Array, to: number) => {
    if (plain) for (let at = 0; at < columnCount; at++) target[to + at] = data[from + at];
    else expandRow(data, from, columns, target, to);
  };
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

/** The encoded cells in a file, as samples. */
function cellSegment(file: OpenFile, columnCount: number): FileSegment {
  return {
    file,
    start: 0,
    count: file.length / (4 * columnCount),
    valueBytes: 4,
    decode: (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
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

/** Rows that are pictures or signals: all columns but the label must be numbers, as many as a sample has values. */
async function rowsAsArrays(
  path: string,
  format: TableSource,
  labelColumns: readonly LabelColumn[],
  survey: Survey,
  features: readonly ColumnProfile[],
  options: OpenOptions,
): Promise<Dataset> {
  const wanted = options.shape!;
  const odd = features.find(
    (profile) =>
      !profile.numeric || profile.missing > 0 || (profile.firstInfinite !== undefined && options.onBad !== "skip"),
  );
  const shape = wanted.map((length) => length ?? "?").join(", ");
  const known = wanted.every((length) => length !== null) ? sizeOf(wanted as readonly number[]) : undefined;
  if (odd !== undefined || (known !== undefined && known !== features.length)) {
    throw userError({
      where: path,
      required: `${known ?? "only"} numeric columns without gaps, for samples of the shape [${shape}]`,
      got: odd === undefined ? `${features.length} columns` : `${odd.name} with ${oddCell(odd, format)}`,
      advice:
        labelColumns.length === 0 && known === features.length - 1
          ? `If one column holds the labels, name it (${labelsOption})`
          : "Give one column per value, or choose a model for tables",
    });
  }
  const columns = features.map(
    ({ name, index, mean, std, min, max }): FittedColumn => ({
      type: "numeric",
      name,
      index,
      ...{ mean, std, min, max },
      ...{ scale: 1, offset: 0, indicator: false },
    }),
  );
  const profiles = labelColumns.map(({ index }) => survey.profiles[index]);
  const { cells, count, labelled } = await encodeRows(format, columns, profiles, survey.count, options);
  const dims = [count, features.length];
  const dataset =
    cells instanceof Float32Array
      ? arrayDataset({ data: cells, dims }, undefined, path, format.format, options)
      : await filedArrayDataset(
          { dims, segments: [cellSegment(cells, features.length)], like: new Float32Array(0) },
          undefined,
          path,
          format.format,
          options,
        );
  if (labelColumns.length === 0) return dataset;
  const { classNames } = labelled;
  const notes = limitNotes(format, labelled, survey, options);
  return {
    ...dataset,
    ...labelled,
    record: {
      ...dataset.record,
      ...(notes.length === 0 ? {} : { notes }),
      ...(classNames === undefined ? {} : { classNames }),
      labelsFrom: labelColumns.map(({ name }) => name).join(", "),
    },
    hash: survey.hash,
  };
}

/** The first cell of a column that is no finite number, with its place. */
function oddCell({ firstText, firstMissing, firstInfinite }: ColumnProfile, format: TableSource): string {
  const row = firstText?.row ?? firstMissing ?? firstInfinite ?? 1;
  const at = format.place(row);
  const what = firstText !== undefined ? `"${firstText.cell}"` : firstMissing !== undefined ? "nothing" : "infinity";
  return `${what} in row ${at.row}${at.where === format.where ? "" : ` of ${at.where}`}`;
}
