/** Compiles src to dist and builds the lab's page, from nothing, and leaves the time of the build in dist/.built. */
import { chmodSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildPage } from "./build-page.mjs";
import { root, run } from "./prepare.mjs";

const dist = join(root, "dist");
const started = new Date();
rmSync(dist, { recursive: true, force: true });
const compiler = join(root, "node_modules", "@typescript", "native", "bin", "tsc");
const status = await run(process.execPath, [compiler, "-p", "tsconfig.json", "--noEmitOnError"]);
if (status === 0) {
  await buildPage();
  chmodSync(join(dist, "cli", "main.js"), 0o755);
  const stamp = join(dist, ".built");
  writeFileSync(stamp, `${started.toISOString()}\n`);
  // The time at which the compiler began: what was saved while it ran must count as newer.
  utimesSync(stamp, started, started);
}
process.exitCode = status;
