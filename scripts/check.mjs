/**
 * `npm run check`: every check that needs no test. All of them run, also after one has failed; arguments choose among
 * them by name.
 */
import { build, installPackages, requireNode, run } from "./prepare.mjs";

const checks = [
  { name: "style", command: "biome check --error-on-warnings ." },
  { name: "types", command: "tsc -p tsconfig.test.json" },
  { name: "pure-folders", command: "tsc -p tsconfig.pure.json" },
  { name: "imports", command: "depcruise src --config .dependency-cruiser.cjs" },
  { name: "dead-code", command: "knip" },
  { name: "package", command: "publint --strict" },
  // The profile says that only ES modules are offered: no CommonJS, no TypeScript before 4.7.
  { name: "package-types", command: "attw --pack --profile esm-only" },
];

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(`Unknown check: ${unknown.join(", ")}. There are ${checks.map((check) => check.name).join(", ")}.`);
  process.exit(2);
}

requireNode();
await installPackages();
await build();
const failed = [];
for (const { name, command } of checks) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  console.log(`\n== ${name}: ${command}`);
  const [program, ...options] = command.split(" ");
  const status = await run("npx", ["--no-install", program, ...options], { shell: process.platform === "win32" });
  if (status !== 0) failed.push(name);
}
console.log(failed.length === 0 ? "\nAll checks passed." : `\nFailed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
