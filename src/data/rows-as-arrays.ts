/** A table whose rows are pictures or signals. */
import { userError } from "../errors.js";
import { arrayDataset, filedArrayDataset } from "./array-dataset.js";
import { recordOfBadRows } from "./bad-rows.js";
import type { ColumnProfile } from "./column-profile.js";
import { type Dataset, type OpenOptions, sizeOf } from "./dataset.js";
import { cellSegment, encodeRows } from "./encode-table.js";
import type { FittedColumn } from "./fitted-record.js";
import { labelsOption } from "./labels-option.js";
import type { LabelColumn, Survey } from "./survey-table.js";
import { limitNotes } from "./table-notes.js";
import type { TableSource } from "./table-source.js";

/**
 * The rows of a table as samples of the shape that the model takes: all columns but those of labels, and those that the
 * user leaves out, must be numbers, as many as a sample has values.
 *
 * @param labelColumns the columns that hold labels, if any
 * @param survey what the first pass over the rows has found
 * @throws UserError where the columns are others, and as {@link encodeRows} does
 */
export async function rowsAsArrays(
  format: TableSource,
  labelColumns: readonly LabelColumn[],
  survey: Survey,
  options: OpenOptions,
): Promise<Dataset> {
  const path = format.where;
  const others = survey.profiles.filter(({ index }) => labelColumns.every((label) => label.index !== index));
  const features = others.filter(({ choice }) => choice !== "drop");
  requireNumbers(format, features, labelColumns, options);
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
  const encoded = await encodeRows(format, columns, profiles, survey.count, options);
  const { cells, labelled } = encoded;
  const dims = [encoded.count, features.length];
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
  const notes = [
    ...(format.notes ?? []),
    ...others.flatMap(({ name, choice }) => (choice === "drop" ? [`${name} left out: as asked`] : [])),
    ...limitNotes(format, labelled, survey, options),
  ];
  const record = {
    ...dataset.record,
    ...(notes.length === 0 ? {} : { notes }),
    ...recordOfBadRows(survey.bad, encoded.bad),
  };
  if (labelColumns.length === 0) return { ...dataset, record };
  const { classNames } = labelled;
  return {
    ...dataset,
    ...labelled,
    record: {
      ...record,
      ...(classNames === undefined ? {} : { classNames }),
      labelsFrom: labelColumns.map(({ name }) => name).join(", "),
    },
    hash: survey.hash,
  };
}

/** @throws UserError where a column holds anything but numbers, or they are not as many as a sample has values */
function requireNumbers(
  format: TableSource,
  features: readonly ColumnProfile[],
  labelColumns: readonly LabelColumn[],
  options: OpenOptions,
): void {
  const wanted = options.shape!;
  const odd = features.find(
    (profile) =>
      !profile.numeric || profile.missing > 0 || (profile.firstInfinite !== undefined && options.onBad !== "skip"),
  );
  const known = wanted.every((length) => length !== null) ? sizeOf(wanted as readonly number[]) : undefined;
  if (odd === undefined && (known === undefined || known === features.length)) return;
  const shape = wanted.map((length) => length ?? "?").join(", ");
  throw userError({
    where: format.where,
    required: `${known ?? "only"} numeric columns without gaps, for samples of the shape [${shape}]`,
    got: odd === undefined ? `${features.length} columns` : `${odd.name} with ${oddCell(odd, format)}`,
    advice:
      labelColumns.length === 0 && known === features.length - 1
        ? `If one column holds the labels, name it (${labelsOption}); else leave it out (--columns NAME=drop)`
        : "Give one column per value, leave columns out (--columns NAME=drop), or choose a model for tables",
  });
}

/** The first cell of a column that is no finite number, with its place. */
function oddCell({ firstText, firstMissing, firstInfinite }: ColumnProfile, format: TableSource): string {
  const row = firstText?.row ?? firstMissing ?? firstInfinite ?? 1;
  const at = format.place(row);
  const what = firstText !== undefined ? `"${firstText.cell}"` : firstMissing !== undefined ? "nothing" : "infinity";
  return `${what} in row ${at.row}${at.where === format.where ? "" : ` of ${at.where}`}`;
}
