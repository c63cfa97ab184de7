/** docs/library.md is true: its programs run as they stand. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "./support/temporary-folder.js";

const page = readFileSync(join(import.meta.dirname, "../docs/library.md"), "utf8");
const programs = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, program]) => program);

test("the programs of docs/library.md run as they stand, one after another in one folder", { timeout: 120_000 }, () => {
  const folder = temporaryFolder();
  expect(programs.length).toBeGreaterThan(5);
  const outputs = programs.map((program, index) => {
    const file = join(folder, `program-${index}.mjs`);
    const built = JSON.stringify(new URL("../dist/index.js", import.meta.url).href);
    writeFileSync(file, program.replace('"headstart"', built));
    const { status, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: folder, encoding: "utf8" });
    expect(status, `${program}\n${stdout}\n${stderr}`).toBe(0);
    return stdout;
  });
  expect(outputs[0]).toContain("features.2.weight 128");
  expect(outputs[1]).toContain("classifier.bias");
  expect(outputs[2]).toMatch(/\[ 3 \] 200 Float32Array\(6\).* table\n$/s);
  expect(outputs[3]).toMatch(/^at equal steps: he: (helps|hurts|unclear|no difference shown), \S/);
  expect(outputs[4]).toContain("required samples of the shape [8]");
  expect(outputs[5]).toContain("features.0.weight float32 [ 16, 8 ]");
  expect(outputs[5]).toContain("features.0.weight: changed");
  expect(outputs.join("")).not.toContain("undefined");
});
