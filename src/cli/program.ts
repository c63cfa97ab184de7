/** The command line as a function: arguments and streams in, exit status out. */
import { fileError, InterruptedError, UsageError, UserError } from "../errors.js";
import { nearest } from "../nearest.js";
import { type CatalogueEntry, catalogue } from "./catalogue.js";
import type { Console } from "./console.js";
import { printable } from "./printable.js";

/** Exit statuses, as docs/architecture.md lists them. */
export const exitStatus = { done: 0, failed: 1, usage: 2, bug: 70, interrupted: 130 } as const;

/** The world that the program runs in. */
export interface ProgramEnvironment {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly signal: AbortSignal;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Default: the one that it runs on. */
  readonly platform?: NodeJS.Platform;
  /** Default: the commands of headstart. */
  readonly commands?: readonly CatalogueEntry[];
}

/** Runs one command line, without the program's own name. @returns the exit status; nothing is thrown */
export async function runProgram(words: readonly string[], environment: ProgramEnvironment): Promise<number> {
  const debug = words.includes("--debug");
  try {
    return await dispatch(words, environment);
  } catch (error) {
    if (error instanceof UserError && (environment.platform ?? process.platform) === "win32")
      error.message += powerShellHint(error.message, words);
    return reportError(error, debug, environment.stderr);
  }
}

async function dispatch(words: readonly string[], environment: ProgramEnvironment): Promise<number> {
  const { stdout, stderr, signal, variables, commands = catalogue } = environment;
  const [first, ...rest] = words;
  if (first === undefined) {
    stderr.write(overview(commands));
    return exitStatus.usage;
  }
  if (first === "--version" || first === "-V") {
    const { version } = await import("../library/version.js");
    stdout.write(`${version}\n`);
    return exitStatus.done;
  }
  if (first === "--help" || first === "-h" || (first === "help" && rest.length === 0)) {
    stdout.write(overview(commands));
    return exitStatus.done;
  }
  const command = await find(first === "help" ? rest[0] : first, commands).load();
  const { readArguments } = await import("./command.js");
  const invocation = readArguments(command, first === "help" ? ["--help"] : rest);
  if (invocation.kind === "help") {
    stdout.write(invocation.text);
    return exitStatus.done;
  }
  const { Console } = await import("./console.js");
  const { json, debug, ...options } = invocation.options;
  const console: Console = new Console({ stdout, stderr, json: json === true, variables });
  try {
    await command.run({ arguments: invocation.arguments, options, console, signal });
  } catch (error) {
    console.end();
    if (json === true && !(error instanceof UsageError)) console.event({ type: "error", message: messageOf(error) });
    throw error;
  }
  console.end();
  return exitStatus.done;
}

/** What npm puts on Windows' path for PowerShell hands a list with commas on with spaces in their places. */
function powerShellHint(message: string, words: readonly string[]): string {
  const values = words.map((word) => word.replace(/^--[\w-]+=/, ""));
  const isTorn = values.some((value) => /\S \S/.test(value) && !value.includes(",") && message.includes(`"${value}"`));
  return isTorn ? " In PowerShell, a list with commas needs quotes." : "";
}

function find(name: string, commands: readonly CatalogueEntry[]): CatalogueEntry {
  const found = commands.find((entry) => entry.name === name);
  if (found !== undefined) return found;
  const names = commands.map((entry) => entry.name);
  throw new UsageError(
    `${name}: required a command, got an unknown one. The nearest is ${nearest(name, names)}. See headstart --help.`,
  );
}

/** What `headstart --help` shows. */
function overview(commands: readonly CatalogueEntry[]): string {
  const width = Math.max(...commands.map((entry) => entry.name.length));
  const lines = commands.map((entry) => `  ${entry.name.padEnd(width)}  ${entry.summary}`);
  return `headstart gives a neural network a head start: initial weights that have already learned the features of
your unlabelled data.

Usage: headstart COMMAND [ARGUMENTS] [OPTIONS]

Commands:
${lines.join("\n")}

headstart COMMAND --help shows a command's arguments and options; headstart --version the version.
`;
}

/** Says what went wrong, in one line wherever it is not a bug. @returns the exit status */
export function reportError(error: unknown, debug: boolean, stderr: NodeJS.WritableStream): number {
  const expected = asExpected(error);
  if (expected instanceof InterruptedError) {
    stderr.write(`headstart: ${printable(expected.message)}\n`);
    return exitStatus.interrupted;
  }
  if (expected instanceof UserError) {
    stderr.write(`headstart: ${oneLine(expected.message)}\n`);
    if (debug) stderr.write(`${stackOf(error)}\n`);
    return expected instanceof UsageError ? exitStatus.usage : exitStatus.failed;
  }
  stderr.write(`headstart: ${oneLine(messageOf(error))}\n`);
  stderr.write(
    debug
      ? `${stackOf(error)}\n`
      : "This is a bug in headstart. Run the command again with --debug, and report what it prints.\n",
  );
  return exitStatus.bug;
}

/** What the file system said no to is the user's to put right, wherever it came up. */
function asExpected(error: unknown): unknown {
  if (error instanceof UserError || error instanceof InterruptedError) return error;
  if (error instanceof Error && error.name === "AbortError") return new InterruptedError("interrupted");
  const path = error instanceof Error && "path" in error ? String(error.path) : undefined;
  return fileError(
    error,
    path ?? "file system",
    path === undefined ? "room for the output" : "a file that can be used",
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): string {
  return printable(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

function oneLine(message: string): string {
  return printable(message).replace(/\s*\n\s*/g, " ");
}
