/**
 * `npm run bench NAME [-- options]`: compiles bench/ with the sources it measures, and runs bench/NAME.ts. A name alone
 * is no measurement: without one, those that there are are listed.
 */
import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installPackages, requireNode, root, run } from "./prepare.mjs";

requireNode();
await installPackages();
const names = readdirSync(join(root, "bench"))
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.slice(0, -".ts".length));
const [name, ...options] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`npm run bench: required one of ${names.join(", ")}, got ${name ?? "nothing"}.`);
  process.exit(2);
}
// Beside node_modules, where the compiled files find their packages.
const built = join(root, ".bench");
rmSync(built, { recursive: true, force: true });
const compiler = join(root, "node_modules", "@typescript", "native", "bin", "tsc");
const status = await run(process.execPath, [compiler, "-p", join(root, "bench", "tsconfig.json")]);
if (status !== 0) process.exit(status);
cpSync(join(root, "package.json"), join(built, "package.json"));
if (existsSync(join(root, "bench", `${name}.py`))) cpSync(join(root, "bench", `${name}.py`), join(built, `${name}.py`));
process.exitCode = await run(process.execPath, [join(built, "bench", `${name}.js`), ...options]);
