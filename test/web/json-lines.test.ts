import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hasStep, lastJsonLine, readJsonLines } from "../../src/web/json-lines.js";
import { temporaryFolder } from "./lab-folder.js";

test("reads whole lines, names broken ones, and waits for the end of the last", async () => {
  const file = join(await temporaryFolder(), "metrics.jsonl");
  expect(await readJsonLines(file, "m", 0, hasStep)).toEqual({ lines: [], position: 0, problems: [] });
  const first = '{"step":1}\n{"st\n[1]\n{"step":2,"a":"é"}\n';
  await writeFile(file, `${first}{"step":3`);
  const read = await readJsonLines(file, "m", 0, hasStep);
  expect(read.lines).toEqual([{ step: 1 }, { step: 2, a: "é" }]);
  expect(read.position).toBe(Buffer.byteLength(first));
  expect(read.problems).toEqual([
    { path: "m", reason: "line 2 is no record" },
    { path: "m", reason: "line 3 is no record" },
  ]);
  expect(await lastJsonLine(file, Buffer.byteLength(first) + 9)).toEqual({ step: 2, a: "é" });
  await appendFile(file, "}\n");
  const more = await readJsonLines(file, "m", read.position, hasStep);
  expect(more.lines).toEqual([{ step: 3 }]);
  expect((await readJsonLines(file, "m", more.position + 99, hasStep)).lines).toEqual([]);
});
