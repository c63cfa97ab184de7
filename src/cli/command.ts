/** How a command is declared, and how its arguments are read. */
import { Command as CommanderCommand, CommanderError, Option } from "commander";
import { UsageError } from "../errors.js";
import { nearest } from "../nearest.js";
import type { Console } from "./console.js";
import { type CommandOption, flag, flagOf, type OptionValues } from "./options.js";

/** A table of options by key. */
export type OptionTable = Readonly<Record<string, CommandOption<unknown>>>;

/** An argument that stands by its position. */
export interface CommandArgument {
  readonly name: string;
  readonly description: string;
  /** Default true. */
  readonly required?: boolean;
  /** Whether it may be given several times; only the last one may. */
  readonly repeated?: boolean;
}

/** What a command gets when it runs. */
export interface CommandContext<Table extends OptionTable = OptionTable> {
  /** As many as the command declares, or more of a repeated one; an optional one that was not given is undefined. */
  readonly arguments: readonly (string | undefined)[];
  readonly options: OptionValues<Table>;
  readonly console: Console;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** A command as {@link defineCommand} takes it. */
export interface CommandDefinition<Table extends OptionTable> {
  readonly name: string;
  /** What it does, in one or more sentences. */
  readonly description: string;
  readonly arguments?: readonly CommandArgument[];
  readonly options: Table;
  /** Command lines that show what it is for, the simplest first. */
  readonly examples?: readonly string[];
  readonly run: (context: CommandContext<Table>) => Promise<void>;
}

/** A command, whatever its options. */
export type Command = CommandDefinition<OptionTable>;

/** Options that every command has. */
const commonOptions = {
  json: flag("print one JSON object a line on stdout, and text for people on stderr"),
  debug: flag("print stack traces"),
};

/** What the arguments of a command say: run it, or show its help. */
export type Invocation =
  | { readonly kind: "help"; readonly text: string }
  | {
      readonly kind: "run";
      readonly arguments: readonly (string | undefined)[];
      readonly options: Readonly<Record<string, unknown>>;
    };

/** Declares a command; the types of its options' values follow from the table. */
export function defineCommand<const Table extends OptionTable>(definition: CommandDefinition<Table>): Command {
  // The table that run was written for is the one that its options are read by, see readArguments.
  return definition as unknown as Command;
}

/**
 * Reads a command's arguments.
 *
 * @throws UsageError for an option that is not known, a value that does not fit, a missing or surplus argument
 */
export function readArguments(command: Command, words: readonly string[]): Invocation {
  const table: OptionTable = { ...command.options, ...commonOptions };
  const help: string[] = [];
  const parser = parserOf(command, table, (text) => help.push(text));
  try {
    parser.parse(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { kind: "help", text: help.join("") };
    throw usageError(command, table, error);
  }
  const options = parser.opts();
  for (const [key, option] of Object.entries(table)) {
    if (!option.required || options[key] !== undefined) continue;
    throw new UsageError(
      `${flagOf(key)}: required ${option.description}, got nothing. See headstart ${command.name} --help.`,
    );
  }
  return { kind: "run", arguments: parser.processedArgs.flat(), options: withInitials(options, table) };
}

/** commander leaves a flag out that was not given. */
function withInitials(
  options: Readonly<Record<string, unknown>>,
  table: OptionTable,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(table).map(([key, option]) => [key, options[key] ?? option.initial]));
}

function parserOf(command: Command, table: OptionTable, write: (text: string) => void): CommanderCommand {
  const parser = new CommanderCommand(`headstart ${command.name}`)
    .description(command.description)
    .exitOverride()
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
    // What went wrong is told once, by whoever catches the error.
    .configureOutput({ writeOut: write, writeErr: () => {}, outputError: () => {}, getOutHelpWidth: () => 100 })
    .helpOption("-h, --help", "show this help")
    .action(() => {});
  for (const argument of command.arguments ?? []) {
    const name = argument.repeated ? `${argument.name}...` : argument.name;
    parser.argument(argument.required === false ? `[${name}]` : `<${name}>`, argument.description);
  }
  for (const [key, option] of Object.entries(table)) parser.addOption(optionOf(key, option));
  if (command.examples !== undefined) {
    parser.addHelpText("after", `\nExamples:\n${command.examples.map((line) => `  ${line}\n`).join("")}`);
  }
  return parser;
}

function optionOf(key: string, option: CommandOption<unknown>): Option {
  const name = flagOf(key);
  const made = new Option(
    option.placeholder === undefined ? name : `${name} <${option.placeholder}>`,
    option.required ? `${option.description} (required)` : option.description,
  );
  if (option.placeholder !== undefined) {
    made.argParser((text, previous: unknown) => {
      const value = option.read(text, name);
      return option.repeated && Array.isArray(previous) ? [...previous, ...(value as unknown[])] : value;
    });
  }
  // Nothing of commander's for required options: it would complain of them before an unknown option, which is often the
  // required one misspelt.
  if (option.initial !== undefined && option.initial !== false) made.default(option.initial, shown(option.initial));
  return made;
}

function shown(value: unknown): string {
  return Array.isArray(value) ? value.join(",") : String(value);
}

function usageError(command: Command, table: OptionTable, error: CommanderError): UsageError {
  const see = `See headstart ${command.name} --help.`;
  if (error.code === "commander.unknownOption") {
    const given = /'([^']*)'/.exec(error.message)?.[1] ?? "";
    const names = new Map([...Object.keys(table), "help"].map((name) => [flagOf(name), flagOf(name)]));
    for (const [name, { elsewhere }] of Object.entries(table))
      if (elsewhere !== undefined) names.set(flagOf(elsewhere), flagOf(name));
    const near = nearest(given.replace(/=.*/s, ""), names.keys())!;
    return new UsageError(
      `${given}: required an option of headstart ${command.name}, got an unknown one. ` +
        `The nearest is ${names.get(near)}. ${see}`,
    );
  }
  const data = "Data is named by --data; a pattern needs quotes, or the shell makes several arguments of it. ";
  const hint = error.code === "commander.excessArguments" && "data" in table ? data : "";
  return new UsageError(`${error.message.replace(/^error: /, "").replace(/\.$/, "")}. ${hint}${see}`);
}
