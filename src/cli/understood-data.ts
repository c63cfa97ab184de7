/** What a run has understood of its data, in few words: enough to see a mistake before hours of training. */

import { counted } from "../counted.js";
import { shorten } from "../data/classes.js";

/** The parts of a data set's record that are told. */
interface Understood {
  readonly source?: string;
  readonly resized?: boolean;
  readonly converted?: boolean;
  readonly measured?: { readonly [name in "mean" | "std" | "min" | "max"]: readonly number[] };
  readonly table?: {
    readonly columns: readonly { readonly name: string; readonly categories?: readonly string[] }[];
    readonly labelColumn?: { readonly name: string };
    readonly labelColumns?: readonly { readonly name: string }[];
  };
  readonly labelsFrom?: string;
  readonly classNames?: readonly string[];
}

/** Of more channels than this only the range is told. */
const mostChannels = 4;

/** @param record of the data set, as run.json has it under `understood` */
export function understoodData(record: Record<string, unknown>): string {
  const { source = "data", resized, converted, measured, table, classNames } = record as Understood;
  const treated = [
    ...(resized ? ["resized and cut where they have another size"] : []),
    ...(converted ? ["converted between grey and colour where they differ"] : []),
  ];
  const parts = [
    [source, ...treated].join(", "),
    ...(measured === undefined ? [] : [valuesOf(measured)]),
    ...(table === undefined ? [] : columnsOf(table)),
    ...(classNames === undefined
      ? []
      : [`${counted(classNames.length, "class", "classes")}: ${shorten(classNames, 5)}`]),
  ];
  return `data: ${parts.join("; ")}`;
}

function valuesOf({ mean, std, min, max }: NonNullable<Understood["measured"]>): string {
  const each = (numbers: readonly number[]): string => numbers.map(short).join("/");
  const least = min.reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY);
  const most = max.reduce((one, other) => Math.max(one, other), Number.NEGATIVE_INFINITY);
  const range = `values from ${short(least)} to ${short(most)}`;
  return mean.length > mostChannels ? range : `${range}, mean ${each(mean)}, deviation ${each(std)}`;
}

function columnsOf({ columns, labelColumn, labelColumns }: NonNullable<Understood["table"]>): string[] {
  const names = columns.map(({ name, categories }) =>
    categories === undefined ? name : `${name} (${counted(categories.length, "category", "categories")})`,
  );
  const labels = labelColumns ?? (labelColumn ? [labelColumn] : []);
  return [
    `columns ${shorten(names)}`,
    ...(labels.length === 0 ? [] : [`labels in ${shorten(labels.map(({ name }) => name))}, which F does not see`]),
  ];
}

/** Three digits; whole numbers of up to a million, such as tokens, as they are. */
function short(value: number): string {
  return String(Number.isInteger(value) && Math.abs(value) <= 1e6 ? value : +value.toPrecision(3));
}
