/** Turns what the form says into a command line, with every path held below the lab's folders. */
import { existsSync } from "node:fs";
import { basename, extname, relative, resolve, sep } from "node:path";
import { UserError, userError } from "../errors.js";
import { RunFolder } from "../library/run-folder.js";
import { nearest } from "../nearest.js";
import type { CommandForm, OptionField, StartRequest } from "./protocol.js";
import { Refusal } from "./refusal.js";
import { newPathBelow, pathBelow } from "./safe-path.js";

/** Options that the page decides about itself, or that would reach beyond this machine. */
const withheld: ReadonlySet<string> = new Set(["resume", "json", "debug", "mlflow"]);

/** The forms of commands as the page offers them. */
export function offeredForms(forms: readonly CommandForm[]): CommandForm[] {
  return forms.map((form) => ({ ...form, options: form.options.filter(({ key }) => !withheld.has(key)) }));
}

/** What to do where an earlier run is in the way: the form has no --resume. */
const whereRun = "Tick --overwrite to replace it, or choose another --output.";

export interface CommandLine {
  /** Below the lab's folder. */
  readonly id: string;
  readonly kind: "run" | "study";
  readonly words: readonly string[];
}

/**
 * @param forms those that the page offers
 * @param roots the lab's folder, where the output goes, and further folders to read from
 * @throws UserError where an option is not known, a path lies elsewhere, or a run would take the place of another
 */
export async function startCommand(
  request: StartRequest,
  forms: readonly CommandForm[],
  roots: readonly string[],
): Promise<CommandLine> {
  const form = forms.find(({ name }) => name === request.command);
  if (!form)
    throw userError({
      where: "start",
      required: `one of the commands ${forms.map(({ name }) => name).join(", ")}`,
      got: JSON.stringify(request.command),
      advice: "Choose one of these.",
    });
  const [root] = roots;
  const words: string[] = [form.name];
  const given = { ...request.options };
  if (!given.output)
    given.output = await freeName(
      root,
      `${basename(request.model, extname(request.model))}-${form.name === "init" ? "headstart" : "study"}`,
    );
  for (const [key, value] of Object.entries(given)) {
    const field = form.options.find((option) => option.key === key);
    if (!field)
      throw userError({
        where: key,
        required: `an option of headstart ${form.name}`,
        got: "another",
        advice: `The nearest is ${nearest(
          key,
          form.options.map((option) => option.key),
        )}.`,
      });
    if (value === "") continue;
    if (field.placeholder === undefined) {
      if (value === "yes") words.push(field.flag);
      continue;
    }
    words.push(`${field.flag}=${await checked(field, value, roots).catch(namedBy(field.flag))}`);
  }
  const output = await newPathBelow(root, given.output);
  // Here rather than in the command: once that is started, its record has taken the place of the earlier run's.
  if (form.name === "init")
    await RunFolder.requireFree(output, given.overwrite === "yes", whereRun).catch(namedBy("--output"));
  const id = relative(root, output).split(sep).join("/") || ".";
  const model = await pathBelow(roots, request.model).catch(namedBy("model"));
  return {
    id,
    kind: form.name === "init" ? "run" : "study",
    words: [...words, "--", shortPath(root, model)],
  };
}

/**
 * What starts the command of these words again, as {@link startCommand} takes it: in the same folder where nothing has come
 * of it, else in one that is free.
 */
export async function startRequest(
  words: readonly string[],
  forms: readonly CommandForm[],
  root: string,
): Promise<StartRequest> {
  const [command, ...rest] = words;
  const place = rest.indexOf("--");
  const known = forms.find(({ name }) => name === command)?.options ?? [];
  const options: Record<string, string> = {};
  for (const word of rest.slice(0, place)) {
    const [flag] = word.split("=", 1);
    const field = known.find((option) => option.flag === flag);
    if (field) options[field.key] = word === flag ? "yes" : word.slice(flag.length + 1);
  }
  if (options.output) options.output = await freeName(root, options.output);
  return { command, model: rest[place + 1], options };
}

/** Says before what was wrong with a value whose it is, as the command does of other values. */
function namedBy(flag: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof Refusal) throw error.named(flag);
    throw error instanceof UserError ? new UserError(`${flag}: ${error.message}`) : error;
  };
}

/** The value, with a path that stands for itself made short. @throws UserError where a path lies elsewhere */
async function checked({ path }: OptionField, value: string, roots: readonly string[]): Promise<string> {
  const [root] = roots;
  if (path === undefined) return value;
  switch (path) {
    case "existing":
      return shortPath(root, await pathBelow(roots, value));
    case "new":
      return shortPath(root, await newPathBelow(root, value));
    case "name-or-path":
      await checkNameOrPath(value, roots);
      return value;
    case "names-or-paths":
      for (const part of value.split(",")) await checkNameOrPath(part.trim(), roots);
      return value;
  }
}

/** Checks what may be a path, as an arm writes it: with `weights:` before it, and `+calibrated` and the like behind it. */
async function checkNameOrPath(given: string, roots: readonly string[]): Promise<void> {
  const whole = given.replace(/^weights:/, "");
  // A file's own name may end like that, too: whatever is there is checked.
  const possible = [whole];
  for (let rest = whole; /\+[a-z-]+$/.test(rest); possible.push(rest)) rest = rest.replace(/\+[a-z-]+$/, "");
  const there = possible.filter((path) => existsSync(resolve(roots[0], path)));
  for (const path of there) await pathBelow(roots, path);
  const isPath = /[/\\]/.test(whole) || whole.startsWith(".");
  if (isPath && there.length === 0) await pathBelow(roots, possible[possible.length - 1]);
}

/** A name that nothing has yet, with a number where it is needed. */
async function freeName(root: string, name: string): Promise<string> {
  for (let number = 1; ; number++) {
    const tried = number === 1 ? name : `${name}-${number}`;
    if (!existsSync(await newPathBelow(root, tried))) return tried;
  }
}

/** Relative where it lies in the lab's folder. */
function shortPath(root: string, path: string): string {
  const way = relative(root, path);
  return way.startsWith("..") || way === "" ? path : way;
}
