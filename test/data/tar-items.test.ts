import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { UserError } from "../../src/errors.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { readAll } from "./read-all.js";
import { solidPicture } from "./solid-picture.js";
import { tarFile } from "./tar-file.js";

async function shard(first: number) {
  const picture = (value: number) => solidPicture([value]);
  return tarFile([
    { name: `./${first}.png`, content: await picture(first) },
    { name: `./${first}.cls`, content: "0\n" },
    { name: `${first + 1}.seg.png`, content: await picture(first + 1) },
    { name: `${first + 1}.json`, content: '{"label": 1}' },
    { name: `${first}.txt`, content: "a caption" },
  ]);
}

test("WebDataset shards, plain and gzipped, with classes from .cls and .json", async () => {
  const folder = temporaryFolder({ "a-0.tar": await shard(10), "a-1.tar.gz": gzipSync(await shard(20)) });
  const dataset = await openDataset(folder, { normalise: "none", cache: folder });
  expect([...new Set(await readAll(dataset))]).toEqual([10, 11, 20, 21]);
  expect([...dataset.labels!]).toEqual([0, 1, 0, 1]);
  expect(dataset.record.skipped).toEqual({ hidden: 0, otherFiles: 2, links: 0, unreadable: 0 });
  const one = await openDataset(join(folder, "a-1.tar.gz"), { normalise: "none", cache: folder });
  expect(one.count).toBe(2);
});

test("a sample without a class, or with an empty one, has none; the others keep theirs", async () => {
  const tar = tarFile([
    ...(await Promise.all([1, 2, 3, 4].map(async (at) => ({ name: `${at}.png`, content: await solidPicture([at]) })))),
    { name: "1.cls", content: "b" },
    { name: "2.cls", content: "\n" },
    { name: "4.cls", content: "a" },
  ]);
  const dataset = await openDataset(join(temporaryFolder({ "a.tar": tar }), "a.tar"), { normalise: "none" });
  expect([...dataset.labels!]).toEqual([1, -1, -1, 0]);
  expect(dataset.classNames).toEqual(["a", "b"]);
  expect(dataset.record.notes).toEqual(["2 of 4 pictures have no label, such as 2.png"]);
});

test("what macOS puts beside every file is passed over", async () => {
  const tar = tarFile([
    { name: "._1.png", content: "no picture" },
    { name: "1.png", content: await solidPicture([1]) },
    { name: "a/._2.png", content: "no picture" },
    { name: "a/2.png", content: await solidPicture([2]) },
    { name: "__MACOSX/a/2.png", content: "no picture" },
  ]);
  const dataset = await openDataset(join(temporaryFolder({ "a.tar": tar }), "a.tar"), { normalise: "none" });
  expect([...new Set(await readAll(dataset))]).toEqual([1, 2]);
  expect(dataset.record.skipped).toEqual({ hidden: 3, otherFiles: 0, links: 0, unreadable: 0 });
});

test("a note tells of samples of several pictures, and not of dots in names", async () => {
  const notesOf = async (...names: string[]): Promise<unknown> => {
    const members = names.map(async (name, at) => ({ name, content: await solidPicture([at]) }));
    const folder = temporaryFolder({ "a.tar": tarFile(await Promise.all(members)) });
    const { count, record } = await openDataset(join(folder, "a.tar"), { normalise: "none" });
    expect(count).toBe(names.length);
    return record.notes;
  };
  expect(await notesOf("0.left.png", "0.png", "1.png", "1.left.png", "2.png", "s/3.png", "s/3.left.png")).toEqual([
    expect.stringMatching(/^3 samples have several pictures each \(\.left\.png, \.png\), .*such as masks$/),
  ]);
  expect(await notesOf("0.png", "1.png", "img.2024.1.png", "img.2024.2.png", "cam.7.png", "cam.8.png")).toBeUndefined();
});

test("folders are classes, whatever the archive's own folder is called", async () => {
  const members = ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"].map(async (name, at) => {
    return { name, content: await solidPicture([at]) };
  });
  const folder = temporaryFolder({ "set [v2]/a [1].tar": tarFile(await Promise.all(members)) });
  const { classNames } = await openDataset(join(folder, "set [v2]", "a [1].tar"), { normalise: "none" });
  expect(classNames).toEqual(["cat", "dog"]);
});

test("of members of one name the last counts, of labels too", async () => {
  const tar = tarFile([
    { name: "1.png", content: await solidPicture([1]) },
    { name: "1.cls", content: "a" },
    { name: "2.png", content: await solidPicture([2]) },
    { name: "2.cls", content: "b" },
    { name: "1.png", content: await solidPicture([3]) },
    { name: "1.cls", content: "b" },
    { name: "2.cls", content: "a" },
  ]);
  const path = join(temporaryFolder({ "a.tar": tar }), "a.tar");
  const dataset = await openDataset(path, { normalise: "none" });
  expect([...new Set(await readAll(dataset))]).toEqual([2, 3]);
  expect([...dataset.labels!].map((label) => dataset.classNames?.[label])).toEqual(["a", "b"]);
  expect(dataset.record.notes).toEqual([
    `${path}: 3 members are left out, in whose place later ones of the same name stand, as when the archive is unpacked`,
  ]);
});

test("folders inside the archive are classes, long names are read, links are passed over", async () => {
  const long = `${"deep/".repeat(30)}dog/2.png`;
  const tar = tarFile([
    { name: "cat/1.png", content: await solidPicture([1]) },
    { name: "cat/3.png", content: await solidPicture([3]) },
    { name: "cat/link.png", type: "2" },
    { name: long, content: await solidPicture([2]) },
    { name: long.replace("2", "4"), content: await solidPicture([4]) },
  ]);
  const dataset = await openDataset(join(temporaryFolder({ "a.tar": tar }), "a.tar"), { normalise: "none" });
  expect(dataset.classNames).toEqual(["cat", "dog"]);
  expect([...dataset.labels!]).toEqual([0, 0, 1, 1]);
  expect(dataset.record.skipped).toMatchObject({ links: 1 });
  expect(dataset.record.notes).toEqual([expect.stringMatching(/^1 link was passed over/)]);
});

test.each(["../out.png", "/etc/passwd.png", "a/../../b.png", "C:\\x.png"])("refuses the name %s", async (name) => {
  const folder = temporaryFolder({ "a.tar": tarFile([{ name, content: await solidPicture([1]) }]) });
  await expect(openDataset(join(folder, "a.tar"))).rejects.toThrow(/stay inside it/);
});

test("refuses an archive that is cut off, damaged, empty, or unpacks to more than is allowed", async () => {
  const tar = await shard(10);
  const open = (bytes: Uint8Array, name = "a.tar", limit = 1e9) => {
    const folder = temporaryFolder({ [name]: bytes });
    return openDataset(join(folder, name), { cache: folder, cacheLimit: limit });
  };
  await expect(open(tar.subarray(0, 600))).rejects.toThrow(/after the end/);
  await expect(open(tar.subarray(0, 1024 + 20))).rejects.toThrow(/ends within a header, at byte 1044/);
  await expect(open(tar.subarray(0, 20))).rejects.toThrow(/ends within a header/);
  const damaged = tar.slice();
  damaged[1030] ^= 1;
  await expect(open(damaged)).rejects.toThrow(UserError);
  await expect(open(tarFile([{ name: "a.txt", content: "x" }]))).rejects.toThrow(/pictures .* in the archive/);
  await expect(open(gzipSync(new Uint8Array(1e6)), "a.tar.gz", 10_000)).rejects.toThrow(/when unpacked/);
});

test("an archive without an end is taken as it is only where damage may be skipped, with a note", async () => {
  const tar = await shard(10);
  // The first picture takes one block after its header; its class is the second member.
  const folder = temporaryFolder({ "a.tar": tar.subarray(0, 2048), "b.tar": tar });
  const path = join(folder, "a.tar");
  await expect(openDataset(path)).rejects.toThrow(/ends after 2 members without the mark of its end/);
  const dataset = await openDataset(path, { onBad: "skip" });
  expect(dataset.count).toBe(1);
  expect(dataset.record.notes).toEqual([expect.stringMatching(/a\.tar: one that ends after 2 members .* cut off/)]);
  expect((await openDataset(join(folder, "b.tar"))).record.notes).toBeUndefined();
});
