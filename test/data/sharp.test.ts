import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { sharpError } from "../../src/data/sharp.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

test("the error takes the first line of sharp's own", () => {
  const own = new Error('Could not load the "sharp" module using the linux-x64 runtime\nPossible solutions:\n- ...');
  expect(sharpError(own).message).toMatch(
    /^sharp: required .*, got Could not load the "sharp" module using the linux-x64 runtime\. .*install again/,
  );
});

test.skipIf(!existsSync(main))("the program says in one line that sharp's library is missing", () => {
  // As where npm has left out the optional packages: there is none for this processor either. ONNX Runtime's comes first.
  const otherMachine = `import { createRequire } from "node:module";
    createRequire(${JSON.stringify(main)})("onnxruntime-node");
    Object.defineProperty(process, "arch", { value: "mips" });`;
  const words = ["--import", `data:text/javascript,${encodeURIComponent(otherMachine)}`, main, "data", "images"];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(/^headstart: sharp: required .* got Could not load the "sharp" module .*\n$/),
  });
});
