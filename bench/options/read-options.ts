/** Options of the benches: their help, and one line for what is wrong with them. */
import { type ParseArgsConfig, parseArgs } from "node:util";

/** Ends the process with one line about a wrong option. @param bench as in `npm run bench NAME` */
export function stop(bench: string, message: string): never {
  console.error(`npm run bench ${bench}: ${message}`);
  process.exit(2);
}

/**
 * Reads the options of a bench from words. Where they ask for help, or are wrong, it is printed, and the process ends.
 *
 * @param help printed for `--help`
 * @param options the others, as `parseArgs` has them
 */
export function readOptions<const Options extends NonNullable<ParseArgsConfig["options"]>>(
  bench: string,
  help: string,
  options: Options,
  words = process.argv.slice(2),
) {
  if (words.includes("--help")) {
    console.log(help);
    process.exit(0);
  }
  try {
    return parseArgs({ args: words, options }).values;
  } catch (error) {
    const [reason] = (error as Error).message.split(/\. |\n/);
    return stop(bench, `${reason.replace(/\.$/, "")}. npm run bench ${bench} -- --help lists the options.`);
  }
}

/** A list of known names, all where none is given. */
export function chosen<Name extends string>(
  bench: string,
  option: string,
  given: string | undefined,
  known: readonly Name[],
): Name[] {
  if (given === undefined) return [...known];
  const names = given.split(",").map((name) => name.trim());
  for (const name of names)
    if (!(known as readonly string[]).includes(name))
      stop(bench, `--${option}: required ${known.join(", ")}, got "${name}". Choose one or more of them.`);
  return names as Name[];
}

export function positive(bench: string, option: string, given: string, whole = false): number {
  const value = Number(given);
  if (!(value > 0) || (whole && !Number.isSafeInteger(value)))
    stop(bench, `--${option}: required a ${whole ? "whole " : ""}number above 0, got "${given}".`);
  return value;
}
