import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const index = fileURLToPath(new URL("../dist/index.js", import.meta.url));

test.skipIf(!existsSync(index))("the package can be required, too", () => {
  const script = `console.log(typeof require(${JSON.stringify(index)}).initialize)`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", "--eval", script], { encoding: "utf8" });
  expect({ stdout, stderr }).toEqual({ stdout: "function\n", stderr: "" });
});
