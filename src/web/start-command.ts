/** Turns what the form says into a command line, with every path held below the lab's folders. */
import { existsSync } from "node:fs";
import { basename, extname, relative, resolve, sep } from "node:path";
import { userError } from "../errors.js";
import { nearest } from "../nearest.js";
import type { CommandForm, StartRequest } from "./protocol.js";
import { newPathBelow, pathBelow } from "./safe-path.js";

/** Options that always name a file or folder to read. */
const alwaysPaths: ReadonlySet<string> = new Set(["data", "test", "unlabelled", "stateDict", "transform"]);
/** Options that name one of a few words, or a file. */
const maybePaths: Readonly<Record<CommandForm["name"], ReadonlySet<string>>> = {
  init: new Set(["recipe", "discriminator", "labels"]),
  compare: new Set(["discriminator", "arms", "baseline", "labelColumn", "testLabelColumn"]),
};
/** Options that the page decides about itself, or that would reach beyond this machine. */
const withheld: ReadonlySet<string> = new Set(["resume", "json", "debug", "mlflow"]);

export interface CommandLine {
  /** Below the lab's folder. */
  readonly id: string;
  readonly kind: "run" | "study";
  readonly words: readonly string[];
}

/**
 * @param roots the lab's folder, where the output goes, and further folders to read from
 * @throws UserError where an option is not known or a path lies elsewhere
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
    if (!field || withheld.has(key))
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
    words.push(`${field.flag}=${key === "output" ? value : await checked(form.name, key, value, roots)}`);
  }
  const output = await newPathBelow(root, given.output);
  const id = relative(root, output).split(sep).join("/") || ".";
  return {
    id,
    kind: form.name === "init" ? "run" : "study",
    words: [...words, "--", shortPath(root, await pathBelow(roots, request.model))],
  };
}

async function checked(
  command: CommandForm["name"],
  key: string,
  value: string,
  roots: readonly string[],
): Promise<string> {
  // A folder to write to, made where it is needed.
  if (key === "cache") return shortPath(roots[0], await newPathBelow(roots[0], value));
  if (alwaysPaths.has(key)) return shortPath(roots[0], await pathBelow(roots, value));
  if (!maybePaths[command].has(key)) return value;
  const parts = value.split(",").map((part) =>
    part
      .trim()
      .replace(/^weights:/, "")
      .replace(/\+[a-z-]+$/, ""),
  );
  for (const part of parts) {
    const isPath = /[/\\]/.test(part) || part.startsWith(".") || existsSync(resolve(roots[0], part));
    if (isPath) await pathBelow(roots, part);
  }
  return value;
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
