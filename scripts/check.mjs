/**
 * `npm run check`: every check that needs no test. All of them run, also after one has failed; arguments choose among
 * them by name.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackages, npmCommand, requireNode, root, run, tryBuild } from "./prepare.mjs";
import { licencesFile } from "./third-party-licenses.mjs";

/** Runs npm with its options. */
async function runNpm(...options) {
  const { program, words, shell } = npmCommand(options);
  return await run(program, words, { shell });
}

/** Runs the program of a package with its options. */
const packageProgram = (...words) => runNpm("exec", "--no", "--", ...words);

/** What package.json says of the built files, and that the licences go with them. */
async function checkPackage() {
  return (await tryBuild()) || (await packageProgram("publint", "--strict")) || checkLicences();
}

/** Whether what would be published has our licence and those of what the page contains. */
function checkLicences() {
  const { program, words, shell } = npmCommand(["pack", "--dry-run", "--json", "--ignore-scripts", "--silent"]);
  const { stdout } = spawnSync(program, words, { cwd: root, encoding: "utf8", shell });
  const missing = ["LICENSE", "NOTICE", `dist/web/page/${licencesFile}`].filter(
    (file) => !stdout.includes(`"path": "${file}"`),
  );
  if (missing.length > 0) console.error(`npm pack leaves out ${missing.join(", ")}.`);
  return missing.length;
}

/** The types as somebody sees them who has installed the package, packed as it would be published. */
async function checkPackedTypes() {
  if ((await tryBuild()) !== 0) return 1;
  const folder = mkdtempSync(join(tmpdir(), "headstart-pack-"));
  try {
    // The build has just been made: without its scripts, packing does not make it again.
    const status = await runNpm("pack", "--ignore-scripts", "--silent", "--pack-destination", folder);
    if (status !== 0) return status;
    // Only ES modules are offered: the profile leaves out CommonJS and TypeScript's old resolution.
    return await packageProgram("attw", join(folder, readdirSync(folder)[0]), "--profile", "esm-only");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const checks = [
  { name: "style", check: () => packageProgram("biome", "check", "--error-on-warnings", ".") },
  { name: "types", check: () => packageProgram("tsc", "-p", "tsconfig.test.json") },
  { name: "page-types", check: () => packageProgram("tsc", "-p", "tsconfig.page.json") },
  { name: "pure-folders", check: () => packageProgram("tsc", "-p", "tsconfig.pure.json") },
  { name: "imports", check: () => packageProgram("depcruise", "src", "--config", ".dependency-cruiser.cjs") },
  { name: "dead-code", check: () => packageProgram("knip") },
  { name: "operators-page", check: () => run(process.execPath, ["scripts/write-operators-page.mjs", "--check"]) },
  { name: "package", check: checkPackage },
  { name: "package-types", check: checkPackedTypes },
];

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !checks.some((known) => known.name === name));
if (unknown.length > 0) {
  console.error(`Unknown check: ${unknown.join(", ")}. There are ${checks.map((known) => known.name).join(", ")}.`);
  process.exit(2);
}

requireNode();
await installPackages();
const failed = [];
for (const { name, check } of checks) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  console.log(`\n== ${name}`);
  const status = await check();
  if (status !== 0) failed.push(name);
}
console.log(failed.length === 0 ? "\nAll checks passed." : `\nFailed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
