/** What `npm start` and `npm test` need before they can begin, on plain Node without any package. */
import { spawn } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of package.json. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const required = [20, 19];

/** Ends the process with a clear message on a Node that is too old. */
export function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > required[0] || (major === required[0] && minor >= required[1])) return;
  console.error(
    `headstart: required Node ${required.join(".")} or later, got ${process.versions.node}. Install a newer Node.`,
  );
  process.exit(1);
}

/** Installs the packages of package-lock.json where that has not been done since it changed. */
export async function installPackages() {
  const { isNeeded, note, refusal } = planInstall(root);
  if (note !== undefined) console.error(note);
  if (refusal !== undefined) {
    console.error(`headstart: ${refusal}`);
    process.exit(1);
  }
  if (!isNeeded) return;
  console.error("Installing packages (once) ...");
  const { program, words, shell } = npmCommand(["ci", "--no-audit", "--no-fund"]);
  // Newer npm versions no longer hand the line of .npmrc on to install scripts; the variable says the same.
  const environment = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" };
  const status = await run(program, words, { environment, shell });
  if (status !== 0) fail("npm ci", status);
}

/**
 * Whether the packages of a folder have to be installed. Where its node_modules is a link, as to the packages of another
 * clone, never: npm ci would empty the folder that it leads to.
 *
 * @param folder has package.json and package-lock.json
 * @returns `note` is to be said, `refusal` why there is nothing to go on with
 */
export function planInstall(folder) {
  const path = join(folder, "node_modules");
  const installed = modified(join(path, ".package-lock.json"));
  if (installed !== undefined && installed >= modified(join(folder, "package-lock.json"))) return { isNeeded: false };
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return { isNeeded: true };
  const link = `node_modules is a link to ${readlinkSync(path)}`;
  if (installed === undefined) {
    const refusal = `${link}, where npm has installed no packages, and installing them here would empty that folder. Install them there, or remove the link.`;
    return { isNeeded: false, refusal };
  }
  return {
    isNeeded: false,
    note: `${link}: the packages there are taken as they are, though package-lock.json is newer.`,
  };
}

/**
 * How npm is started: as a script for Node where npm has started us, which tells its place. Else by its name, which on
 * Windows is that of a batch file, and takes a shell and one line.
 *
 * @param options npm's own
 */
export function npmCommand(options, { npm_execpath: npm } = process.env, platform = process.platform) {
  if (npm?.endsWith("npm-cli.js")) return { program: process.execPath, words: [npm, ...options], shell: false };
  if (platform !== "win32") return { program: "npm", words: options, shell: false };
  const line = ["npm", ...options].map((word) => (/\s/.test(word) ? `"${word}"` : word)).join(" ");
  return { program: line, words: [], shell: true };
}

/** Compiles src to dist where a source is newer than what stands there, or ends the process where it does not compile. */
export async function build() {
  const status = await tryBuild();
  if (status !== 0) fail("The build", status);
}

/** The same, but returns the compiler's exit status. */
export async function tryBuild() {
  const sources = [join(root, "tsconfig.json"), join(root, "node_modules", ".package-lock.json")];
  for (const entry of readdirSync(join(root, "src"), { recursive: true })) sources.push(join(root, "src", entry));
  const stamp = join(root, "dist", ".built");
  const built = modified(stamp);
  // A folder's own time tells of files that were removed.
  if (built !== undefined && sources.every((source) => modified(source) <= built)) return 0;
  console.error("Building ...");
  return await run(process.execPath, [join(root, "scripts", "build.mjs")]);
}

/**
 * Runs a program to its end with our terminal. Ctrl-C reaches the child by itself, and the child decides how to end.
 *
 * @returns its exit status
 */
export function run(program, options, { environment = process.env, shell = false } = {}) {
  const ignore = () => {};
  process.on("SIGINT", ignore);
  return new Promise((resolve, reject) => {
    const child = spawn(program, options, { cwd: root, stdio: "inherit", env: environment, shell });
    child.on("error", reject);
    child.on("close", (status, signal) => {
      process.off("SIGINT", ignore);
      resolve(status ?? (signal === "SIGINT" ? 130 : 1));
    });
  });
}

function fail(what, status) {
  console.error(`headstart: ${what} ended with status ${status}; its own messages stand above.`);
  process.exit(1);
}

function modified(path) {
  return existsSync(path) ? statSync(path).mtimeMs : undefined;
}
