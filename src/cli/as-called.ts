/** How the program was started, for commands that are printed to be copied. */
import { basename, dirname, join, relative } from "node:path";

/**
 * The words in front of a command: `npx headstart` outside a project that has the package would fetch another one.
 *
 * @param script what Node.js runs
 * @param folder where the user is
 */
export function asCalled(script = process.argv[1] ?? "", folder = process.cwd()): string {
  if (basename(script) === "main.js") {
    const path = relative(folder, script);
    return `node ${/\s/.test(path) ? JSON.stringify(path) : path}`;
  }
  return dirname(script).endsWith(join("node_modules", ".bin")) ? "npx headstart" : "headstart";
}
