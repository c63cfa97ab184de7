import { expect, test } from "vitest";
import { workerBytes, workersNote, workersThatFit } from "../../src/library/study-workers.js";
import { barDataset, folderWith } from "../support/toy-data.js";

test("as many workers as memory is free for, at least one, never more than wanted", () => {
  expect(workersThatFit(8, 1e9, 100e9)).toBe(8);
  expect(workersThatFit(8, 1e9, 4e9)).toBe(3);
  expect(workersThatFit(8, 1e9, 5e8)).toBe(1);
  expect(workersThatFit(2, 1)).toBe(2);
});

test("more workers than memory is free for are told of", () => {
  expect(workersNote(3, 2 ** 30, 2 * 2 ** 30)).toBe(
    "3 trials side by side take about 3.0 GiB of memory, and 2.0 GiB are free, so they may be slow, or the system may end them: fewer --workers take less",
  );
  expect(workersNote(2, 2 ** 30, 2 * 2 ** 30)).toBeUndefined();
  expect(workersNote(1, 2 ** 30, 2 ** 20)).toBeUndefined();
});

test("a worker takes what its data, its largest network and its steps take", async () => {
  const [train, test, unlabelled] = [barDataset(100), barDataset(50), barDataset(1000)];
  const path = folderWith({ small: new Uint8Array(10), large: new Uint8Array(5000) });
  const files = [path("small"), path("large")];
  const own = await workerBytes({ train, test, unlabelled: train }, files, 1e6);
  expect(own).toBeGreaterThan(200e6);
  expect((await workerBytes({ train, test, unlabelled }, files, 1e6)) - own).toBe(4 * 1000 * 64);
  expect(own - (await workerBytes({ train, test, unlabelled: train }, files.slice(0, 1), 1e6))).toBe(20 * 4990);
  expect((await workerBytes({ train, test, unlabelled: train }, files, 3e6)) - own).toBe(1.3 * 2e6);
  const maps = { shape: [8, 8], values: new Uint8Array(6400), rows: new Uint32Array(100), objects: false };
  expect(
    (await workerBytes({ train: { ...train, maps }, test, unlabelled: { ...train, maps } }, files, 1e6)) - own,
  ).toBe(2 * 6400 + 4 * 100 * 64);
});
