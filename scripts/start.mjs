/** `npm start`: installs and builds what is missing, then shows the main job on the pictures that ship with headstart. */
import { join } from "node:path";
import { build, installPackages, requireNode, root, run } from "./prepare.mjs";

requireNode();
await installPackages();
await build();
process.exitCode = await run(process.execPath, [
  join(root, "dist", "cli", "main.js"),
  "demo",
  ...process.argv.slice(2),
]);
