/** Kinds of command-line options, for the table of a command. Each knows how its text is read. */
import { UsageError } from "../errors.js";
import { nearest } from "../nearest.js";

/** One option of a command. Its flag follows from its key in the table: `inputShape` is `--input-shape`. */
export interface CommandOption<Value> {
  /** What stands for the value in the help, such as FILE; undefined for an option that takes none. */
  readonly placeholder: string | undefined;
  readonly description: string;
  /** The value where the option is not given. */
  readonly initial: Value;
  /** True where the command cannot do without it. */
  readonly required: boolean;
  /** True where it may be given several times: what each time is read, a list, is joined. */
  readonly repeated?: boolean;
  /** What other commands call it: a user who writes that is told of this one. */
  readonly elsewhere?: string;
  /** The names that can be chosen, where there are only these. */
  readonly choices?: readonly string[];
  /** What of a file or folder the value names; absent where it never names one. */
  readonly path?: PathKind;
  /** Reads the text given; flag is for messages. @throws UsageError where it does not fit */
  readonly read: (text: string, flag: string) => Value;
}

/**
 * How a value names a file or folder: it is the path of what is there, or of what is to be made; or it is a name, such as a
 * recipe's, or else a path; or several of these with commas in between. The lab holds all of them below its folders.
 */
export type PathKind = "existing" | "new" | "name-or-path" | "names-or-paths";

/** What a command gets for its table of options. */
export type OptionValues<Table> = {
  readonly [Key in keyof Table]: Table[Key] extends CommandOption<infer Value> ? Value : never;
};

/** Bounds of a number, both included. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** On where given. */
export function flag(description: string): CommandOption<boolean> {
  return { placeholder: undefined, description, initial: false, required: false, read: () => true };
}

/** Any text that names no file or folder, and is not empty, as it is where a shell's variable is not set. */
export function text(placeholder: string, description: string): CommandOption<string | undefined> {
  return { placeholder, description, initial: undefined, required: false, read: readText };
}

function readText(value: string, name: string): string {
  if (value.trim() === "") throw misfit(name, "a value", value, "Give one, or leave the option out.");
  return value;
}

/** The path of a file or folder that is there. */
export function existingPath(placeholder: string, description: string): CommandOption<string | undefined> {
  return { ...text(placeholder, description), path: "existing" };
}

/** The path of a file or folder that is made where it is not there. */
export function newPath(placeholder: string, description: string): CommandOption<string | undefined> {
  return { ...text(placeholder, description), path: "new" };
}

/** A name, or else the path of a file. */
export function nameOrPath(placeholder: string, description: string): CommandOption<string | undefined> {
  return { ...text(placeholder, description), path: "name-or-path" };
}

/** Paths of what is there; the option may be given several times. */
export function paths(placeholder: string, description: string): CommandOption<readonly string[] | undefined> {
  const read = (value: string, name: string): string[] => [readText(value, name)];
  return { placeholder, description, initial: undefined, required: false, repeated: true, path: "existing", read };
}

/** A number of bytes, such as 500MB or 1.5GiB. */
export function size(placeholder: string, description: string): CommandOption<number | undefined> {
  const units: Readonly<Record<string, number>> = { "": 1, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };
  const binary: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
  const read = (value: string, name: string): number => {
    const [, amount, unit, i] = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?$/i.exec(value) ?? [];
    const bytes = Math.round(Number(amount) * ((i ? binary : units)[unit?.toUpperCase()] ?? Number.NaN));
    if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
    throw misfit(name, "a number of bytes such as 500MB or 4GB", value);
  };
  return { placeholder, description, initial: undefined, required: false, read };
}

/** A whole number, such as 128. */
export function whole(placeholder: string, description: string, range: Range = {}): CommandOption<number | undefined> {
  const read = (value: string, name: string) => readWhole(value, name, range);
  return { placeholder, description, initial: undefined, required: false, read };
}

/** A number, such as 0.001 or 1e-3. */
export function number(placeholder: string, description: string, range: Range = {}): CommandOption<number | undefined> {
  const read = (value: string, name: string) => readNumber(value, name, range);
  return { placeholder, description, initial: undefined, required: false, read };
}

/** Whole numbers with commas or ×, such as 256,128 or 1x28x28. */
export function wholes(
  placeholder: string,
  description: string,
  range: Range = {},
): CommandOption<readonly number[] | undefined> {
  const read = (value: string, name: string) =>
    value.split(/[,x×]/).map((part) => readWhole(part.trim(), name, range, value));
  return { placeholder, description, initial: undefined, required: false, read };
}

/** Texts that name no files, with commas in between. */
export function list(placeholder: string, description: string): CommandOption<readonly string[] | undefined> {
  return { placeholder, description, initial: undefined, required: false, read: readList };
}

function readList(value: string, name: string): string[] {
  const parts = value.split(",").map((part) => part.trim());
  if (parts.includes("")) throw misfit(name, "texts with commas in between", value);
  return parts;
}

/** Names or paths of files, with commas in between. */
export function namesOrPaths(placeholder: string, description: string): CommandOption<readonly string[] | undefined> {
  return { ...list(placeholder, description), path: "names-or-paths" };
}

/** One of several names. */
export function choice<const Name extends string>(
  placeholder: string,
  names: readonly Name[],
  description: string,
): CommandOption<Name | undefined> {
  const read = (value: string, name: string) => readChoice(value, name, names);
  const described = `${description}: ${names.join(", ")}`;
  return { placeholder, description: described, initial: undefined, required: false, choices: names, read };
}

/** Some of several names, with commas in between. */
export function choices<const Name extends string>(
  placeholder: string,
  names: readonly Name[],
  description: string,
): CommandOption<readonly Name[] | undefined> {
  const read = (value: string, name: string) => readList(value, name).map((part) => readChoice(part, name, names));
  return { placeholder, description, initial: undefined, required: false, read };
}

function readChoice<Name extends string>(value: string, name: string, names: readonly Name[]): Name {
  const found = names.find((known) => known === value);
  if (found !== undefined) return found;
  throw misfit(name, `one of ${names.join(", ")}`, value, `The nearest is ${nearest(value, names)}.`);
}

/** The same option with a value for when it is not given. */
export function byDefault<Value>(
  option: CommandOption<Value | undefined>,
  initial: NonNullable<Value>,
): CommandOption<NonNullable<Value>> {
  return { ...option, initial } as CommandOption<NonNullable<Value>>;
}

/** The same option as one that must be given. */
export function required<Value>(option: CommandOption<Value | undefined>): CommandOption<NonNullable<Value>> {
  return { ...option, required: true } as CommandOption<NonNullable<Value>>;
}

/** Option values with those that were not given left out, as the functions of the library expect them. */
export type Given<Values> = {
  [Key in keyof Values as undefined extends Values[Key] ? never : Key]: Values[Key];
} & {
  [Key in keyof Values as undefined extends Values[Key] ? Key : never]?: Exclude<Values[Key], undefined>;
};

/** Leaves out the options without a value. */
export function given<Values extends object>(values: Values): Given<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<Values>;
}

/** `inputShape` as `--input-shape`. */
export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function readWhole(value: string, name: string, range: Range, all = value): number {
  if (!/^[+-]?\d+$/.test(value) || !Number.isSafeInteger(Number(value))) {
    throw misfit(name, `a whole number${rangeText(range)}`, all);
  }
  return inRange(Number(value), name, range, "a whole number", all);
}

function readNumber(value: string, name: string, range: Range): number {
  // Number("") is 0, and Number("0x10") is 16: neither is meant.
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) || !Number.isFinite(Number(value))) {
    throw misfit(name, `a number${rangeText(range)}`, value);
  }
  return inRange(Number(value), name, range, "a number", value);
}

function inRange(value: number, name: string, range: Range, kind: string, all: string): number {
  if (value >= (range.min ?? Number.NEGATIVE_INFINITY) && value <= (range.max ?? Number.POSITIVE_INFINITY))
    return value;
  throw misfit(name, kind + rangeText(range), all);
}

function rangeText({ min, max }: Range): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  return max === undefined ? "" : ` of at most ${max}`;
}

function misfit(name: string, what: string, got: string, advice = "See --help."): UsageError {
  return new UsageError(`${name}: required ${what}, got "${got}". ${advice}`);
}
