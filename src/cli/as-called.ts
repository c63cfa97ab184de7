/** How the program was started, for commands that are printed to be copied. */
import { basename, dirname, join, relative, sep } from "node:path";
import { shellWord } from "../library/shell-word.js";

/** Where the script lies in an installed package: what npm puts on Windows' path calls it there, by its own name. */
const installed = join("node_modules", "headstart", "dist", "cli", "main.js");

/**
 * The words in front of a command: `npx headstart` outside a project that has the package would fetch another one.
 *
 * @param script what Node.js runs
 * @param folder where the user is
 */
export function asCalled(script = process.argv[1] ?? "", folder = process.cwd()): string {
  const path = relative(folder, script);
  const isInstalled = script.endsWith(sep + installed);
  if (basename(script) === "main.js" && !isInstalled) return `node ${shellWord(path)}`;
  const isOfProject = dirname(script).endsWith(join("node_modules", ".bin")) || (isInstalled && path === installed);
  return isOfProject ? "npx headstart" : "headstart";
}
