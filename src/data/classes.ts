import { userError } from "../errors.js";
import type { OpenOptions } from "./dataset.js";
import { readFitted } from "./fitted-record.js";
import { labelsOption } from "./labels-option.js";
import type { RawArray } from "./sample-array.js";

/** Class numbers and what they stand for. */
export interface Classes {
  readonly classNames: readonly string[];
  /** From a class as the data writes it to its number. */
  readonly numberOf: ReadonlyMap<string, number>;
}

/** What is known of the classes before the data is read. */
export type KnownClasses = Pick<OpenOptions, "classNames" | "fitted">;

/** The names of the classes in the order of their numbers: as the user says, or as in the data that was fitted on. */
export function knownClassNames({ classNames, fitted }: KnownClasses): readonly string[] | undefined {
  return classNames ?? readFitted(fitted)?.classNames;
}

/**
 * Numbers the classes of a data set by what is known of them, see {@link numberClasses}. Where the user names them, whole
 * numbers that are no names themselves are the places of names, from 0, with −1 for no label.
 *
 * @param found the distinct classes as the data writes them
 * @throws UserError if there is a class that is not among the known ones
 */
export function numberByKnown(found: Iterable<string>, known: KnownClasses, where: string): Classes {
  const { classNames } = known;
  if (classNames === undefined) return numberClasses(found, knownClassNames(known), where);
  const distinct = [...found];
  const isPlace = (label: string) => {
    const number = wholeNumber(label) ?? Number.NaN;
    return number >= -1 && number < classNames.length;
  };
  const byPlace = distinct.every(isPlace) && classNames.every((name) => wholeNumber(name) === undefined);
  if (byPlace) return numberNamedClasses(distinct, classNames, undefined, where);
  return numberClasses(distinct, classNames, where, true);
}

/**
 * Checks the names that a user gives the classes.
 *
 * @throws UserError where they are fewer than two, or one is empty or stands twice
 */
export function checkClassNames(names: readonly string[]): void {
  const twice = names.find((name, place) => names.indexOf(name) < place);
  if (names.length >= 2 && twice === undefined && !names.includes("")) return;
  throw userError({
    where: "class names",
    required: "two or more different names, in the order of the network's outputs",
    got: twice === undefined ? (names.length < 2 ? `${names.length}` : "an empty one") : `"${twice}" twice`,
    advice: "Name every class once",
  });
}

/**
 * Numbers the classes of a data set: in the order of `fittedNames` if given; else whole numbers that begin at 0 are
 * class numbers already; others are numbered in their order, by value or by code unit (so that no locale matters).
 * Whole numbers are the same class however they are written, as "3", "3.0", "+3" and "03".
 *
 * @param found the distinct classes as the data writes them
 * @param areNamed whether `fittedNames` are those that the user has given, for messages
 * @throws UserError if there is a class that `fittedNames` lacks
 */
export function numberClasses(
  found: Iterable<string>,
  fittedNames: readonly string[] | undefined,
  where: string,
  areNamed = false,
): Classes {
  const distinct = [...found];
  if (fittedNames !== undefined) return numberAmong(fittedNames, distinct, where, areNamed);
  const values = distinct.flatMap((name) => wholeNumber(name) ?? []);
  if (values.length < distinct.length) {
    const classNames = distinct.sort(byCodeUnit);
    return { classNames, numberOf: new Map(classNames.map((name, number) => [name, number])) };
  }
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  const [largest = 0] = sorted.slice(-1);
  if (sorted[0] === 0 && largest < Math.max(1000, 4 * sorted.length)) {
    const classNames = Array.from({ length: largest + 1 }, (_, number) => String(number));
    return { classNames, numberOf: new Map(distinct.map((name) => [name, Number(name)])) };
  }
  const places = new Map(sorted.map((value, number) => [value, number]));
  const classNames: string[] = [];
  const numberOf = new Map<string, number>();
  for (const name of distinct) {
    const place = places.get(Number(name))!;
    const plain = plainNumber(name);
    // Of several spellings the shortest.
    if (plain.length < (classNames[place]?.length ?? Number.POSITIVE_INFINITY)) classNames[place] = plain;
    numberOf.set(name, place);
  }
  return { classNames, numberOf };
}

/** Numbers classes by the known ones, see {@link numberClasses}. */
function numberAmong(
  fittedNames: readonly string[],
  distinct: readonly string[],
  where: string,
  areNamed: boolean,
): Classes {
  const known = new Map(fittedNames.map((name, number) => [name.normalize("NFC"), number]));
  const byValue = new Map<number | undefined, number>();
  fittedNames.forEach((name, number) => {
    const value = wholeNumber(name);
    if (value !== undefined && !byValue.has(value)) byValue.set(value, number);
  });
  const numberOf = new Map<string, number>();
  for (const name of distinct) {
    // UCI's test files end their lines with a full stop, which thus hangs on the class.
    const composed = name.normalize("NFC");
    const number = known.get(composed) ?? known.get(composed.replace(/\.$/, "")) ?? byValue.get(wholeNumber(name));
    if (number === undefined) {
      throw userError({
        where,
        required: `classes ${areNamed ? "among those that were named" : "of the training data"} (${shorten(fittedNames)})`,
        got: `the class ${name}`,
        advice: `${areNamed ? "Name it too (--class-names), remove" : "Remove"} its samples, or name the column or file that holds the labels (${labelsOption})`,
      });
    }
    numberOf.set(name, number);
  }
  return { classNames: fittedNames, numberOf };
}

/**
 * Numbers the classes of data whose labels are numbers of known names, from 0, with −1 for no label. Labels that are
 * neither are left out; a name itself is one too.
 *
 * @throws UserError if there is a class that `fittedNames` lacks
 */
export function numberNamedClasses(
  found: Iterable<string>,
  names: readonly string[],
  fittedNames: readonly string[] | undefined,
  where: string,
): Classes {
  const numberOf = new Map<string, number>();
  for (const label of found) {
    const place = wholeNumber(label) ?? names.indexOf(label);
    if (wholeNumber(label) === -1) numberOf.set(label, -1);
    else if (place >= 0 && place < names.length) {
      const name = names[place];
      const fitted = fittedNames && numberClasses([name], fittedNames, where).numberOf.get(name);
      numberOf.set(label, fitted ?? place);
    }
  }
  return { classNames: fittedNames ?? names, numberOf };
}

/** What to say of a label that {@link numberNamedClasses} leaves out. */
export function noNumberOfName(label: string, names: readonly string[], where: string): Error {
  return userError({
    where,
    required: `labels from 0 to ${names.length - 1} (${shorten(names)}), or -1 for none`,
    got: label,
    advice: "Correct the label, or the names of the classes in the file",
  });
}

/** The value of a text that is a whole number, also with zeros behind the point: programs write so beside gaps. */
export function wholeNumber(text: string): number | undefined {
  const value = /^[+-]?\d+(\.0*)?$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A whole number without what says nothing of its value, but for zeros in front, which identifiers have. */
function plainNumber(text: string): string {
  return text.replace(/^\+/, "").replace(/\.0*$/, "");
}

/** Orders strings by code unit, the same in every locale. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The classes in an array of labels: one whole number per sample.
 *
 * @throws UserError if the array has another shape, or holds fractions
 */
export function classesOfArray(
  { data: values, dims }: RawArray,
  known: KnownClasses,
  where: string,
): { labels: Int32Array; classNames: readonly string[] } {
  if (dims.length !== 1 && !(dims.length === 2 && dims[1] === 1)) {
    throw userError({
      where,
      required: `one label for each of ${dims[0]} samples`,
      got: `an array of the shape [${dims.join(", ")}]`,
      advice: "Give class numbers, in the order of the samples",
    });
  }
  const distinct = new Set<number>(values);
  for (const value of distinct) {
    if (Number.isInteger(value)) continue;
    throw userError({ where, required: "whole numbers as labels", got: `${value}`, advice: "Give class numbers" });
  }
  const { classNames, numberOf } = numberByKnown([...distinct].map(String), known, where);
  const codes = new Map([...distinct].map((value) => [value, numberOf.get(String(value))!]));
  return { labels: Int32Array.from(values, (value) => codes.get(value)!), classNames };
}

/** The first few of a list, for messages. */
export function shorten(names: readonly string[], most = 8): string {
  return names.length <= most ? names.join(", ") : `${names.slice(0, most).join(", ")}, ... (${names.length})`;
}
