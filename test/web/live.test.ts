import { appendFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { newRows, positionId, readPosition } from "../../src/web/live.js";
import { lines, temporaryFolder, writeRun } from "./lab-folder.js";

test("an event's id leads on from where it was, also after a reconnect, with nothing lost and nothing twice", async () => {
  const folder = await temporaryFolder();
  await writeRun(folder, 2);
  const first = await newRows(folder, { metrics: 0, timing: 0 });
  expect(JSON.parse(first?.event.data ?? "").metrics.map(({ step }: { step: number }) => step)).toEqual([1, 2]);
  const position = readPosition(first?.event.id);
  expect(position).toEqual(first?.position);
  if (!position) throw new Error("no position");
  expect(await newRows(folder, position)).toBeUndefined();
  await appendFile(join(folder, "metrics.jsonl"), `${lines([{ step: 3, a: 1 }])}{"step":4`);
  const second = await newRows(folder, position);
  expect(JSON.parse(second?.event.data ?? "")).toEqual({ metrics: [{ step: 3, a: 1 }], timing: [] });
  if (!second) throw new Error("nothing new");
  expect(await newRows(folder, second.position)).toBeUndefined();
});

test("a file that has become shorter begins anew", async () => {
  const folder = await temporaryFolder();
  await writeRun(folder, 4);
  const before = await newRows(folder, { metrics: 0, timing: 0 });
  await truncate(join(folder, "metrics.jsonl"), 10);
  const reset = await newRows(folder, before?.position ?? { metrics: 0, timing: 0 });
  expect(reset?.event).toMatchObject({ event: "reset", id: "0:0" });
});

test("ids are read strictly", () => {
  expect(readPosition(positionId({ metrics: 12, timing: 0 }))).toEqual({ metrics: 12, timing: 0 });
  for (const id of [undefined, "", "1", "-1:2", "1:2:3", "x:y", "1e3:2"]) expect(readPosition(id)).toBeUndefined();
});
