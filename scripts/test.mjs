/** `npm test`: installs and builds what is missing, then runs the tests; arguments after `--` go to vitest. */
import { join } from "node:path";
import { build, installPackages, requireNode, root, run } from "./prepare.mjs";

requireNode();
await installPackages();
await build();
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
process.exitCode = await run(process.execPath, [vitest, "run", ...process.argv.slice(2)]);
