/** `headstart lab`: the page. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { lab } from "../library/lab.js";
import { builtInRecipes } from "../recipe/recipe.js";
import type { CommandForm, OptionField } from "../web/protocol.js";
import { type Command, defineCommand, readArguments } from "./command.js";
import { command as compareCommand } from "./compare.js";
import { command as initCommand } from "./init.js";
import { choice, flagOf, namesOrPaths, text, whole } from "./options.js";

export const command = defineCommand({
  name: "lab",
  description:
    "Shows a folder's runs and studies on a local page, live, and starts, pauses and compares runs there. " +
    "It opens by the printed address, on this machine only unless --host says otherwise, and asks no other machine for anything.",
  arguments: [
    { name: "folder", description: "where runs and studies lie and new ones go (default: .)", required: false },
  ],
  options: {
    files: namesOrPaths("FOLDERS", "more folders to choose models and data from, with commas"),
    port: whole("NUMBER", "port (default: a free one)", { min: 0, max: 65535 }),
    host: text("ADDRESS", "address to listen at (default: 127.0.0.1)"),
    open: choice("WHEN", ["yes", "no"], "whether to open a browser (default: yes)"),
  },
  examples: ["headstart lab", "headstart lab ./runs --files ./data"],
  async run({ arguments: [folder = "."], options, console, signal }) {
    const running = await lab({
      folder,
      files: options.files ?? [],
      ...(options.port === undefined ? {} : { port: options.port }),
      ...(options.host === undefined ? {} : { host: options.host }),
      program: [process.execPath, fileURLToPath(new URL("main.js", import.meta.url))],
      forms: startForms(),
      async checkWords([name, ...words]) {
        const chosen = commands.find((offered) => offered.name === name);
        if (chosen) readArguments(chosen, words);
      },
    });
    console.event({ type: "lab", address: running.address });
    if (running.madeFolder) console.line(`note: ${folder} was not there, and was made: it has no runs yet`);
    console.line(`headstart lab: ${running.address}`);
    console.line("Ctrl-C ends it; runs that it has started go on.");
    if (options.open !== "no") openBrowser(running.onceAddress);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await running.close();
  },
});

/** The commands that the page starts. */
const commands: readonly Command[] = [initCommand, compareCommand];

/** What the page's forms ask for. */
export function startForms(): CommandForm[] {
  return commands.map(formOf);
}

function formOf({ name, options }: Command): CommandForm {
  return {
    name: name as CommandForm["name"],
    options: Object.entries(options).map(([key, option]): OptionField => {
      const choices = key === "recipe" ? Object.keys(builtInRecipes) : option.choices;
      return {
        key,
        flag: flagOf(key),
        ...(option.placeholder === undefined ? {} : { placeholder: option.placeholder }),
        description: option.description,
        initial: shownInitial(option.initial),
        required: option.required,
        ...(choices ? { choices } : {}),
        ...(option.path ? { path: option.path } : {}),
      };
    }),
  };
}

/** A default as text; null for none. */
function shownInitial(initial: unknown): string | null {
  if (initial === undefined || initial === false || (Array.isArray(initial) && initial.length === 0)) return null;
  return String(initial);
}

/** Opens the system's browser; where there is none, the printed address is what remains. */
function openBrowser(address: string): void {
  const [program, ...words] =
    process.platform === "win32"
      ? ["rundll32", "url.dll,FileProtocolHandler"]
      : process.platform === "darwin"
        ? ["open"]
        : ["xdg-open"];
  const child = spawn(program, [...words, address], { stdio: "ignore", detached: true });
  child.on("error", () => {});
  child.unref();
}
