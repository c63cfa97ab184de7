import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { versionRecord } from "../../src/formats/event-file.js";
import { tensorboardWatcher } from "../../src/library/tensorboard-watcher.js";
import { temporaryFolder } from "../web/lab-folder.js";

test("each start has a file of its own, which begins with its version", async () => {
  const folder = join(await temporaryFolder(), "tensorboard");
  const png = await sharp({ create: { width: 5, height: 3, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  const first = await tensorboardWatcher(folder, 0, () => 2000);
  await first.metrics(1, { a: 1, b: 2 });
  await first.picture("samples", 1, png);
  await first.layers(1, [{ layer: "w", singularValues: null, preActivations: { low: 0, high: 1, counts: [1] } }]);
  await first.metrics(2, {});
  await first.end("finished");
  await tensorboardWatcher(folder, 1, () => 4000);
  const names = (await readdir(folder)).sort();
  expect(names).toEqual(["events.out.tfevents.0000000002.headstart.0", "events.out.tfevents.0000000004.headstart.1"]);
  const bytes = await readFile(join(folder, names[0]));
  const lengths: number[] = [];
  for (let place = 0; place < bytes.length; place += Number(bytes.readBigUInt64LE(place)) + 16)
    lengths.push(Number(bytes.readBigUInt64LE(place)));
  expect(lengths.length).toBe(4);
  const version = versionRecord(2);
  expect(bytes.subarray(0, version.length).equals(Buffer.from(version))).toBe(true);
});
