/** Options of all commands that read data. */
import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import type { ColumnChoice } from "../data/column-profile.js";
import type { NormalisationChoice } from "../data/dataset.js";
import { fileError, UsageError, userError } from "../errors.js";
import {
  choice,
  existingPath,
  flag,
  type Given,
  list,
  namesOrPaths,
  newPath,
  type OptionValues,
  size,
  text,
  whole,
} from "./options.js";

/** How samples are understood. */
export const dataOptions = {
  resize: flag("resize pictures to the model's input"),
  convert: flag("convert pictures between grey and colour for the model's input"),
  normalise: text(
    "NAME",
    "how samples are scaled (docs/data.md): standard (default), unit, symmetric, none, standard-rows or standard-columns (arrays of " +
      "one channel, such as spectrograms), imagenet, quantile (tables), or MEAN/STD such as 0.5,0.5,0.5/0.2,0.2,0.2",
  ),
  columns: list("LIST", "what a table's columns are: NAME=number, NAME=category or NAME=drop, with commas in between"),
  categories: choice("CODE", ["one-hot", "embedding"], "how a table's categories are given (default: one-hot)"),
  classNames: namesOrPaths(
    "NAMES",
    "all classes in the order of the network's outputs: names with commas in between, or a text file with one a line " +
      "(default: those of the labels, in their order)",
  ),
  header: choice("WHEN", ["auto", "yes", "no"], "whether a table's first line is its header (default: auto)"),
  transform: existingPath("FILE", "treat the data as an earlier run did: its transform.json"),
  onBad: choice(
    "WHAT",
    ["fail", "skip"],
    "what to do about pictures, rows or samples that cannot be used (default: fail)",
  ),
  limit: whole("COUNT", "use at most this many samples", { min: 2 }),
  memory: size("SIZE", "keep at most this much data in memory, such as 500MB (default: 256MB); the rest stays on disk"),
  cache: newPath("FOLDER", "where decoded and fetched data is kept (default: headstart in the user's cache folder)"),
  cacheLimit: size("SIZE", "most that is kept there of one data set (default: 20GB)"),
  dataWorkers: whole("COUNT", "threads that decode pictures ahead (default: one per core, at most 8)", { min: 0 }),
};

type DataValues = Given<OptionValues<typeof dataOptions>>;

/** What the options say, as the functions of the library take it. @throws UsageError, UserError where it does not fit */
export function readDataOptions(values: DataValues) {
  const { header, normalise, columns, classNames, transform, ...others } = values;
  return {
    ...others,
    ...(header === undefined ? {} : { header: header === "auto" ? ("auto" as const) : header === "yes" }),
    ...(normalise === undefined ? {} : { normalise: readNormalisation(normalise) }),
    ...(columns === undefined ? {} : { columns: readColumns(columns) }),
    ...(classNames === undefined ? {} : { classNames: readClassNames(classNames) }),
    ...(transform === undefined ? {} : { fitted: readTransform(transform) }),
  };
}

/** A label column's or file's name, or a column's number. */
export function readLabels(given: string): string | number {
  return /^-?\d+$/.test(given) ? Number(given) : given;
}

/** A normalisation's name, or its numbers as means, a slash, and standard deviations. */
function readNormalisation(given: string): NormalisationChoice {
  const sides = given.split("/");
  if (sides.length !== 2) return given;
  const [mean, std] = sides.map((side) =>
    side.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part))),
  );
  if ([...mean, ...std].every(Number.isFinite) && std.every((value) => value > 0)) return { mean, std };
  throw new UsageError(
    `--normalise: required means and standard deviations above 0 such as 0.5,0.5,0.5/0.2,0.2,0.2, got "${given}". See --help.`,
  );
}

const choices: readonly ColumnChoice[] = ["number", "category", "drop"];

function readColumns(given: readonly string[]): Record<string, ColumnChoice> {
  const columns = new Map<string, ColumnChoice>();
  for (const part of given) {
    const equals = part.lastIndexOf("=");
    const [name, choice] = [part.slice(0, equals), choices.find((known) => known === part.slice(equals + 1))];
    if (equals < 1 || choice === undefined)
      throw new UsageError(`--columns: required NAME=${choices.join(", NAME=")}, got "${part}". See --help.`);
    if (columns.has(name))
      throw new UsageError(`--columns: required each column once, got ${name} twice. Say one thing of it.`);
    columns.set(name, choice);
  }
  return Object.fromEntries(columns);
}

/** Names of classes: several as they are, a single one is the path of a file with one a line. */
function readClassNames(given: readonly string[]): readonly string[] {
  if (given.length > 1) return given;
  const [path] = given;
  try {
    const bytes = readFileSync(path);
    if (!isUtf8(bytes))
      throw userError({
        where: path,
        required: "names of classes as UTF-8 text",
        got: "other bytes",
        advice: "Save it as UTF-8, in Windows PowerShell with Out-File -Encoding utf8 in place of >",
      });
    const lines = bytes
      .toString("utf8")
      .replace(/^\uFEFF/, "")
      .trimEnd()
      .split("\n");
    return lines.map((line) => line.trim());
  } catch (error) {
    throw fileError(error, path, "names of classes with commas in between, or a text file with one a line");
  }
}

function readTransform(path: string): Record<string, unknown> {
  try {
    const record: unknown = JSON.parse(readFileSync(path, "utf8"));
    // Other records of a run would say nothing, and be taken for one by which nothing is to be done.
    if (typeof record === "object" && record !== null && "transform" in record && record.transform === 1)
      return record as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw fileError(error, path, "a transform.json of an earlier run");
  }
  throw userError({
    where: path,
    required: "a transform.json of an earlier run",
    got: "another content",
    advice: "It lies beside the weights in the run's folder.",
  });
}
