import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeData } from "../../src/library/describe-data.js";
import { npyFile } from "../data/array-files.js";
import { solidPicture } from "../data/solid-picture.js";
import { temporaryFolder } from "../support/temporary-folder.js";

test("pictures: sizes, classes, duplicates, what is unreadable, a grid and a normalisation", async () => {
  const folder = temporaryFolder({
    "cat/1.png": await solidPicture([10, 20, 30]),
    "cat/2.png": await solidPicture([200, 20, 130]),
    "dog/3.png": await solidPicture([10, 20, 30]),
    "dog/4.png": await solidPicture([50], { width: 8, height: 6 }),
    "dog/5.png": "rubbish",
  });
  const found = await describeData({ data: folder });
  expect(found).toMatchObject({
    kind: "images",
    count: 4,
    shape: [3, 4, 4],
    classes: [
      { name: "cat", count: 2 },
      { name: "dog", count: 2 },
    ],
    duplicates: { count: 1, pairs: [[0, 2]] },
    unusableCount: 1,
    onDisk: false,
  });
  expect(found.pictures!.sizes).toEqual([
    { channels: 3, height: 4, width: 4, count: 3 },
    { channels: 1, height: 6, width: 8, count: 1 },
  ]);
  expect(found.unusable[0]).toMatch(/^dog\/5\.png: /);
  expect(found.channels.map(({ name, max }) => [name, max])).toEqual([
    ["red", 200],
    ["green", 50],
    ["blue", 130],
  ]);
  expect(found.suggestion.normalise).toMatch(/^0\.\d+,0\.\d+,0\.\d+\/0\.\d+,0\.\d+,0\.\d+$/);
  expect([...found.grid!.subarray(1, 4)]).toEqual([...Buffer.from("PNG")]);
});

test("large pictures are looked at shrunk, so that photos do not take gigabytes", async () => {
  const large = { width: 2048, height: 1024 };
  const folder = temporaryFolder({
    "1.png": await solidPicture([10, 20, 30], large),
    "2.png": await solidPicture([110, 20, 30], large),
  });
  const found = await describeData({ data: folder });
  expect(found.shape).toEqual([3, 181, 362]);
  expect(found.pictures!.sizes).toEqual([{ channels: 3, ...large, count: 2 }]);
  expect(found.channels[0]).toMatchObject({ mean: 60, min: 10, max: 110 });
  expect(found.notes).toEqual(["the pictures are large: what is said of their values is of 181x362"]);
});

test("with a limit the sizes are those of the pictures that are looked at", async () => {
  const [small, large] = [await solidPicture([10]), await solidPicture([50], { width: 8, height: 6 })];
  const names = ["cat/1", "cat/2", "cat/3", "dog/1", "dog/2", "dog/3"];
  const files = Object.fromEntries(names.map((name) => [`${name}.png`, name < "d" ? small : large]));
  const found = await describeData({ data: temporaryFolder(files), limit: 4 });
  expect(found.pictures!.sizes.map(({ width, count }) => [width, count])).toEqual([
    [4, 2],
    [8, 2],
  ]);
  expect(found.classes).toEqual([
    { name: "cat", count: 2 },
    { name: "dog", count: 2 },
  ]);
});

test("tables: columns, damaged rows by number, and quantiles where a column has far outliers", async () => {
  const rows = Array.from({ length: 400 }, (_, row) => `${Math.sin(row)},${row % 3 === 0 ? "x" : "y"}`);
  rows[7] = "1,x,surplus";
  rows[9] = "inf,x";
  const path = join(temporaryFolder(), "t.csv");
  writeFileSync(path, `size,kind\n${rows.join("\n")}\n`);
  const found = await describeData({ data: path });
  expect(found).toMatchObject({ kind: "table", count: 398, shape: [3], unusableCount: 2 });
  expect(found.channels).toMatchObject([
    { name: "size", type: "numeric" },
    { name: "kind", type: "categorical", categories: 2 },
  ]);
  expect(found.unusable).toEqual([
    expect.stringContaining("row 8: 3 cells"),
    expect.stringMatching(/t\.csv, row 10: inf in size/),
  ]);
  expect(found.suggestion.normalise).toBe("standard");
  expect(found.grid).toBeUndefined();
  writeFileSync(path, `size,kind\n${rows.join("\n").replace("inf", "9e9")}\n`);
  expect((await describeData({ data: path })).suggestion).toMatchObject({ normalise: "quantile" });
});

test("arrays without a channel's axis: what a network that takes them as pictures needs", async () => {
  const [count, frames, coefficients] = [12, 6, 5];
  const values = Float32Array.from({ length: count * frames * coefficients }, (_, place) => {
    const noise = ((place * 37) % 11) - 5;
    return place % coefficients === 0 ? 40 * noise - 300 : noise;
  });
  const file = npyFile("<f4", [count, frames, coefficients], values);
  const { kind, notes } = await describeData({ data: join(temporaryFolder({ "mfcc.npy": file }), "mfcc.npy") });
  expect(kind).toBe("signals");
  expect(notes).toEqual([expect.stringMatching(/^the columns of its samples .* needs --normalise standard-columns/)]);
});

test("labels that are numbers of many values are no classes, a few are both", async () => {
  const rows = Array.from({ length: 60 }, (_, row) => `${row % 7},${1000 + 17 * row},${row % 3}`);
  const path = join(temporaryFolder({ "t.csv": `size,price,rooms\n${rows.join("\n")}\n` }), "t.csv");
  const prices = await describeData({ data: path, labels: "price" });
  expect(prices.classes).toBeUndefined();
  expect(prices.targets).toMatchObject([{ name: "price", mean: 1000 + (17 * 59) / 2 }]);
  const rooms = await describeData({ data: path, labels: "rooms" });
  expect(rooms.classes?.map(({ name }) => name)).toEqual(["0", "1", "2"]);
  expect(rooms.targets).toMatchObject([{ name: "rooms", mean: 1 }]);
});

test("maps of classes: their size, and how many positions are of each class", async () => {
  const folder = temporaryFolder({
    "x.npy": npyFile(
      "|u1",
      [2, 2, 3],
      Uint8Array.from({ length: 12 }, (_, at) => at),
    ),
    "masks.npy": npyFile("|u1", [2, 2, 3], Uint8Array.of(0, 0, 0, 1, 1, 255, 0, 2, 2, 2, 0, 0)),
  });
  const found = await describeData({ data: join(folder, "x.npy"), labels: join(folder, "masks.npy") });
  expect(found.maps).toEqual({
    shape: [2, 3],
    classes: [
      { name: "0", count: 6 },
      { name: "1", count: 2 },
      { name: "2", count: 3 },
    ],
  });
  expect(found.classes ?? found.targets).toBeUndefined();
});

test("pictures with a folder of masks", async () => {
  const size = { width: 4, height: 2 };
  const folder = temporaryFolder({
    "images/a.png": await solidPicture([9, 9, 9], size),
    "masks/a.png": await solidPicture([255], size),
    "images/b.png": await solidPicture([7, 7, 7], size),
    "masks/b.png": await solidPicture([0], size),
  });
  const found = await describeData({ data: join(folder, "images"), labels: join(folder, "masks") });
  expect(found.count).toBe(2);
  expect(found.maps).toEqual({
    shape: [2, 4],
    classes: [
      { name: "0", count: 8 },
      { name: "1", count: 8 },
    ],
  });
});
