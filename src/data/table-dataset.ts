import { userError } from "../errors.js";
import { arrayDataset } from "./array-dataset.js";
import { numberClasses, shorten } from "./classes.js";
import { ColumnProfile } from "./column-profile.js";
import { type Dataset, type OpenOptions, sizeOf } from "./dataset.js";
import { type FittedColumn, type FittedRecord, readFitted } from "./fitted-record.js";
import { memoryLimit, startHash } from "./sample-array.js";
import { CellEncoder, type DroppedColumn, expandRow, fitColumns, mostCategories, widthOf } from "./table-columns.js";
import { isMissing, readFormat, readRows, type TableFormat } from "./table-rows.js";

/** More classes than this are taken for a column that holds no classes. */
const mostClasses = 10_000;

/** Where the label column is. */
interface LabelColumn {
  readonly name: string;
  readonly index: number;
}

/** What the first pass over the rows found. */
interface Survey {
  readonly count: number;
  readonly profiles: readonly ColumnProfile[];
  readonly hash: string;
}

/**
 * Opens a CSV or TSV file, plain or gzipped. Numeric columns are normalised (missing values become the mean, with an
 * indicator column), others become one-hot codes; see {@link fitColumns}. The file is read twice: once to learn the
 * columns, once to encode them.
 *
 * If the model takes pictures or signals, the rows are taken for these: as many numeric columns as a sample has values.
 *
 * @throws UserError for ragged rows, infinite numbers, and features that do not fit the model, each with its place
 */
export async function openTable(path: string, options: OpenOptions): Promise<Dataset> {
  const fitted = readFitted(options.fitted);
  const format = await readFormat(path, options.header ?? "auto");
  const label = findLabel(path, format, options, fitted);
  const survey = await surveyRows(path, format, label, options);
  if (survey.count === 0) {
    throw userError({ where: path, required: "at least one row", got: "none", advice: "Check the path" });
  }
  const features = survey.profiles.filter((profile) => profile.index !== label?.index);
  const wanted = options.shape;
  if (wanted !== undefined && wanted.length > 1) return rowsAsArrays(path, format, label, survey, features, options);

  const fit = fitted?.table
    ? { columns: findFitted(path, format, fitted.table), dropped: [] }
    : fitToModel(path, features, label, options);
  const { columns } = fit;
  const width = columns.reduce((sum, column) => sum + widthOf(column), 0);
  checkWidth(path, width, columns, fit.dropped, label, options);
  const encoded = await encodeRows(path, format, columns, label, survey, options);
  return tableDataset(path, format, fit, width, label, encoded, survey, options);
}

function columnName(format: TableFormat, index: number): string {
  return format.header === undefined ? `column ${index + 1}` : format.header[index];
}

function findLabel(
  path: string,
  format: TableFormat,
  options: OpenOptions,
  fitted: FittedRecord | undefined,
): LabelColumn | undefined {
  const asked = options.labels;
  const at = (index: number) => ({ name: columnName(format, index), index });
  if (asked === undefined) {
    const known = fitted?.table?.labelColumn;
    if (known === undefined) return undefined;
    const byName = format.header?.indexOf(known.name) ?? -1;
    if (byName >= 0) return at(byName);
    // Data without the label column is fine: it is only used without labels then.
    return format.columnCount === fitted?.table?.columnCount && format.header === undefined
      ? at(known.index)
      : undefined;
  }
  const byName = format.header?.indexOf(String(asked)) ?? -1;
  if (byName >= 0) return at(byName);
  const number = Number(asked);
  if (Number.isInteger(number) && number !== 0 && Math.abs(number) <= format.columnCount) {
    return at(number > 0 ? number - 1 : format.columnCount + number);
  }
  throw userError({
    where: path,
    required: `a label column: a name, or a number from 1 to ${format.columnCount} (-1 is the last)`,
    got: String(asked),
    advice: format.header === undefined ? "The table has no header" : `Its columns are ${shorten(format.header)}`,
  });
}

async function surveyRows(
  path: string,
  format: TableFormat,
  label: LabelColumn | undefined,
  options: OpenOptions,
): Promise<Survey> {
  const profiles = Array.from(
    { length: format.columnCount },
    (_, index) =>
      new ColumnProfile(columnName(format, index), index, index === label?.index ? mostClasses : mostCategories),
  );
  const hash = startHash("table", label?.index, options.limit);
  let count = 0;
  for await (const row of readRows(path, format, {
    signal: options.signal,
    onText: (text) => hash.update(text),
    // The first of two passes is the first half.
    onProgress: (done, total) => options.onProgress?.(done, 2 * total),
  })) {
    count++;
    for (let index = 0; index < profiles.length; index++) profiles[index].add(row[index], count);
    if (count === options.limit) break;
  }
  if (label !== undefined) checkLabelColumn(path, profiles[label.index]);
  return { count, profiles, hash: hash.digest("hex") };
}

function checkLabelColumn(path: string, profile: ColumnProfile): void {
  const fraction = profile.numeric && [...profile.distinct].find((cell) => !Number.isInteger(Number(cell)));
  if (profile.missing === 0 && !profile.hasTooManyValues && typeof fraction !== "string") return;
  throw userError({
    where: path,
    required: `a class in every row of the label column (${profile.name})`,
    got:
      profile.missing > 0
        ? `${profile.missing} rows without one`
        : typeof fraction === "string"
          ? `fractions such as ${fraction}`
          : `more than ${mostClasses} different values`,
    advice: "Name another column, or leave the labels out",
  });
}

/** The columns fitted on this table; constant columns stay where the model counts on them. */
function fitToModel(
  path: string,
  features: readonly ColumnProfile[],
  label: LabelColumn | undefined,
  options: OpenOptions,
): { columns: FittedColumn[]; dropped: DroppedColumn[] } {
  const normalise = options.normalise ?? "standard";
  const length = options.shape?.[0] ?? undefined;
  const total = (columns: readonly FittedColumn[]) => columns.reduce((sum, column) => sum + widthOf(column), 0);
  const lean = fitColumns(features, normalise, false, path);
  if (length !== undefined && total(lean.columns) !== length) {
    const full = fitColumns(features, normalise, true, path);
    if (total(full.columns) === length) return full;
  }
  if (lean.columns.length === 0) {
    throw userError({
      where: path,
      required: "columns with something to learn",
      got: shorten(lean.dropped.map(({ name, reason }) => `${name}: ${reason}`)) || "none",
      advice: `Give a table with varying columns${label === undefined ? "" : " beside the labels"}`,
    });
  }
  return lean;
}

/** Where the columns that were fitted on another table are in this one: by name if both have a header, else by place. */
function findFitted(path: string, format: TableFormat, table: NonNullable<FittedRecord["table"]>): FittedColumn[] {
  const { header } = format;
  const withoutLabel = table.labelColumn?.index === table.columnCount - 1 ? table.columnCount - 1 : table.columnCount;
  if (!(table.named && header !== undefined)) {
    if (format.columnCount === table.columnCount || format.columnCount === withoutLabel) return table.columns;
    throw userError({
      where: path,
      required: `${table.columnCount} columns, as in the training data`,
      got: `${format.columnCount}`,
      advice: "Give a table with the same columns",
    });
  }
  return table.columns.map((column) => {
    const index = header.indexOf(column.name);
    if (index >= 0) return { ...column, index };
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
  label: LabelColumn | undefined,
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
      label === undefined
        ? "If one column holds the labels, name it; else choose a model with as many inputs"
        : "Choose a model with as many inputs",
  });
}

/** Encodes the cells of the chosen columns, row after row, and numbers the classes. */
async function encodeRows(
  path: string,
  format: TableFormat,
  columns: readonly FittedColumn[],
  label: LabelColumn | undefined,
  survey: Survey,
  options: OpenOptions,
): Promise<{ cells: Float32Array; labels?: Int32Array; classNames?: readonly string[]; unseen: number }> {
  const { count } = survey;
  if (count * columns.length * 4 > memoryLimit) {
    throw userError({
      where: path,
      required: `at most ${memoryLimit / 1e9} GB in memory`,
      got: `${count} rows of ${columns.length} columns`,
      advice: "Limit the number of rows",
    });
  }
  const classes =
    label && numberClasses(survey.profiles[label.index].distinct, readFitted(options.fitted)?.classNames, path);
  const labels = classes && new Int32Array(count);
  const encoders = columns.map((column) => new CellEncoder(column, path));
  const cells = new Float32Array(count * columns.length);
  let row = 0;
  let put = 0;
  let unseen = 0;
  for await (const line of readRows(path, format, {
    signal: options.signal,
    onProgress: (done, total) => options.onProgress?.(total + done, 2 * total),
  })) {
    for (let place = 0; place < columns.length; place++) {
      const cell = line[columns[place].index];
      const code = encoders[place].encode(cell, row + 1);
      if (code === -1 && columns[place].type === "categorical" && !isMissing(cell)) unseen++;
      cells[put++] = code;
    }
    if (labels !== undefined) labels[row] = classes!.numberOf.get(line[label!.index])!;
    if (++row === count) break;
  }
  return { cells, ...(labels === undefined ? {} : { labels, classNames: classes!.classNames }), unseen };
}

function tableDataset(
  path: string,
  format: TableFormat,
  { columns, dropped }: { columns: FittedColumn[]; dropped: DroppedColumn[] },
  width: number,
  label: LabelColumn | undefined,
  encoded: Awaited<ReturnType<typeof encodeRows>>,
  survey: Survey,
  options: OpenOptions,
): Dataset {
  const { cells, labels, classNames, unseen } = encoded;
  const missing = survey.profiles.reduce((sum, profile) => sum + profile.missing, 0);
  // Without codes, indicators and gaps the cells are the features themselves.
  const plain = columns.length === width && missing === 0 && columns.every(({ type }) => type === "numeric");
  const oneHotGroups: { start: number; end: number }[] = [];
  let start = 0;
  for (const column of columns) {
    const end = start + widthOf(column);
    if (column.type === "categorical") oneHotGroups.push({ start, end });
    start = end;
  }
  const notes = [
    ...dropped.map(({ name, reason }) => `${name} left out: ${reason}`),
    ...(unseen > 0 ? [`${unseen} cells hold categories that the training data lacks; they deliver zeros`] : []),
  ];
  const classInfo = labels === undefined ? {} : { labels, classNames: classNames! };
  return {
    where: path,
    kind: "table",
    count: survey.count,
    shape: [width],
    ...classInfo,
    oneHotGroups,
    record: {
      source: "table",
      kind: "table",
      count: survey.count,
      shape: [width],
      table: {
        columns,
        columnCount: format.columnCount,
        named: format.header !== undefined,
        ...(label === undefined ? {} : { labelColumn: label }),
      },
      missing,
      notes,
      ...(classNames === undefined ? {} : { classNames }),
    },
    hash: survey.hash,
    range: tableRange(cells, columns, options),
    read(indices, target) {
      const columnCount = columns.length;
      for (let sample = 0; sample < indices.length; sample++) {
        const from = indices[sample] * columnCount;
        if (plain) {
          for (let at = 0; at < columnCount; at++) target[sample * columnCount + at] = cells[from + at];
        } else {
          expandRow(cells, from, columns, target, sample * width);
        }
      }
    },
  };
}

function tableRange(cells: Float32Array, columns: readonly FittedColumn[], options: OpenOptions) {
  if (options.fitted === undefined && options.normalise === "unit") return { min: 0, max: 1 };
  if (options.fitted === undefined && options.normalise === "symmetric") return { min: -1, max: 1 };
  const codes = columns.some((column) => widthOf(column) > 1);
  let [min, max] = codes ? [0, 1] : [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = 0, place = 0; at < cells.length; at++) {
    if (columns[place].type === "numeric") {
      if (cells[at] < min) min = cells[at];
      if (cells[at] > max) max = cells[at];
    }
    if (++place === columns.length) place = 0;
  }
  return { min, max };
}

/** Rows that are pictures or signals: all columns but the label must be numbers, as many as a sample has values. */
async function rowsAsArrays(
  path: string,
  format: TableFormat,
  label: LabelColumn | undefined,
  survey: Survey,
  features: readonly ColumnProfile[],
  options: OpenOptions,
): Promise<Dataset> {
  const wanted = options.shape!;
  const odd = features.find(
    (profile) => !profile.numeric || profile.missing > 0 || profile.firstInfinite !== undefined,
  );
  const shape = wanted.map((length) => length ?? "?").join(", ");
  const known = wanted.every((length) => length !== null) ? sizeOf(wanted as readonly number[]) : undefined;
  if (odd !== undefined || (known !== undefined && known !== features.length)) {
    throw userError({
      where: path,
      required: `${known ?? "only"} numeric columns without gaps, for samples of the shape [${shape}]`,
      got:
        odd === undefined
          ? `${features.length} columns`
          : `${odd.name} with ${odd.texts > 0 ? `"${odd.firstText?.cell}" in row ${odd.firstText?.row}` : "missing or infinite values"}`,
      advice:
        label === undefined && known === features.length - 1
          ? "If one column holds the labels, name it"
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
  const { cells, labels, classNames } = await encodeRows(path, format, columns, label, survey, options);
  const dataset = arrayDataset(
    { data: cells, dims: [survey.count, features.length] },
    undefined,
    path,
    "table",
    options,
  );
  if (labels === undefined) return dataset;
  return {
    ...dataset,
    labels,
    classNames: classNames!,
    record: { ...dataset.record, classNames, labelsFrom: label!.name },
    hash: survey.hash,
  };
}
