import { readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import type { Dataset, OpenOptions } from "../../src/data/dataset.js";
import { mapOf, noClass, positionsByClass } from "../../src/data/label-maps.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { surveyPictures } from "../../src/data/survey-pictures.js";
import { unusableSamples } from "../../src/data/unusable-samples.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { colourPicture, deepPng, greyPng, packedPng } from "./mask-files.js";
import { readAll } from "./read-all.js";
import { solidPicture } from "./solid-picture.js";
import { tarFile } from "./tar-file.js";

const [red, green, black] = [0xff0000, 0x00ff00, 0x000000];

/** A grey picture of 2×2 whose values tell which one it is. */
const small = (which: number): Promise<Buffer> => greyPng([which, which, which, 0], 2);

/** Opens images with masks beside them. */
async function opened(
  masks: Readonly<Record<string, Uint8Array>>,
  options: OpenOptions = {},
  pictures = Object.keys(masks),
): Promise<Dataset> {
  const files: Record<string, Uint8Array> = {};
  for (const [index, name] of pictures.entries()) files[`images/${name}`] = await small(index + 1);
  for (const [name, bytes] of Object.entries(masks)) files[`masks/${name}`] = bytes;
  const folder = temporaryFolder(files);
  return openDataset(join(folder, "images"), {
    labels: join(folder, "masks"),
    task: "segmentation",
    normalise: "none",
    ...options,
  });
}

const mapsOf = ({ maps, count }: Dataset) => Array.from({ length: count }, (_, sample) => [...mapOf(maps!, sample)]);

describe("a folder of masks", () => {
  test("gives each picture a map, whatever folders they lie in; 255 is no class", async () => {
    const dataset = await opened({
      "b/1.png": await greyPng([0, 1, 2, 255], 2),
      "a/1.png": await greyPng([3, 3, 0, 0], 2),
      "a/2.png": await deepPng([1, 0, 0, 1], 2),
    });
    expect(dataset.maps?.shape).toEqual([2, 2]);
    expect(mapsOf(dataset)).toEqual([
      [3, 3, 0, 0],
      [1, 0, 0, 1],
      [0, 1, 2, noClass],
    ]);
    // The pictures' values say whose map each is: a/1 was written second, a/2 third.
    expect([...(await readAll(dataset))].filter((_, at) => at % 4 === 0)).toEqual([2, 3, 1]);
    expect([dataset.labels, dataset.targets, dataset.classNames]).toEqual([undefined, undefined, undefined]);
    expect(dataset.record.maps).toEqual({ shape: [2, 2], objects: false });
    const named = await opened({ "1.png": await greyPng([0, 1, 1, 0], 2) }, { classNames: ["ground", "plant"] });
    expect(named.classNames).toEqual(["ground", "plant"]);
  });

  test("is a part of the data's hash", async () => {
    const hashOf = async (last: number) => (await opened({ "1.png": await greyPng([0, 1, 1, last], 2) })).hash;
    expect(await hashOf(0)).toBe(await hashOf(0));
    expect(await hashOf(0)).not.toBe(await hashOf(1));
  });

  test("is read for the pictures of a limit only", async () => {
    const good = await greyPng([0, 1, 1, 0], 2);
    const dataset = await opened({ "1.png": good, "2.png": new Uint8Array(9), "3.png": good }, { limit: 1 });
    expect([dataset.count, dataset.maps?.values.length]).toEqual([1, 4]);
  });

  test("may be the folder of the pictures, where masks have a suffix", async () => {
    const folder = temporaryFolder({
      "a.png": await small(1),
      "a_mask.png": await greyPng([0, 1, 1, 0], 2),
      "b.png": await small(2),
      "b_mask.png": await greyPng([1, 1, 1, 0], 2),
    });
    const dataset = await openDataset(folder, { labels: folder, task: "segmentation", normalise: "none" });
    expect(mapsOf(dataset)).toEqual([
      [0, 1, 1, 0],
      [1, 1, 1, 0],
    ]);
    expect([...(await readAll(dataset))].slice(0, 2)).toEqual([1, 1]);
  });

  test("goes with pictures that a pattern names, and with those of several folders", async () => {
    const mask = await greyPng([0, 1, 1, 0], 2);
    const folder = temporaryFolder({
      "p/1.png": await small(1),
      "p/2.png": await small(2),
      "m/1.png": mask,
      "m/2.png": mask,
      "q/images/3.png": await small(3),
      "q/masks/3.png": await greyPng([2, 1, 1, 0], 2),
      "r/images/4.png": await small(4),
      "r/masks/4.png": mask,
      "s/5.png": await small(5),
    });
    const patterned = await openDataset(join(folder, "p", "*.png"), {
      labels: join(folder, "m"),
      task: "segmentation",
    });
    expect(positionsByClass(patterned.maps!)).toEqual([4, 4]);
    const several = await openDataset([join(folder, "q"), join(folder, "r")], { task: "segmentation" });
    expect(positionsByClass(several.maps!)).toEqual([3, 4, 1]);
    await expect(openDataset([join(folder, "q"), join(folder, "s")], { task: "segmentation" })).rejects.toThrow(
      /required a mask for each picture, got 1 of 2 pictures without one, such as .*5\.png/,
    );
  });
});

test("a mask for each object of a picture is refused, with what to do", async () => {
  const one = await greyPng([0, 255, 0, 0], 2);
  for (const [first, second] of [
    ["1/a.png", "1/b.png"],
    ["1_mask_1.png", "1_mask_2.png"],
  ])
    await expect(opened({ [first]: one, [second]: one }, {}, ["1.png"])).rejects.toThrow(
      /required masks that are called as their pictures, .*where each object has a file of its own, bring those of a picture into one/,
    );
});

describe("a column of masks beside one of pictures", () => {
  const file = join(import.meta.dirname, "../fixtures/masked.parquet");

  test("gives each picture a map, found by its name or named, however columns and rows lie", async () => {
    for (const labels of [undefined, "annotation"]) {
      const dataset = await openDataset(file, { task: "segmentation", labels, normalise: "none", onBad: "skip" });
      expect(mapsOf(dataset)).toEqual([
        [0, 1, 1, 2],
        [3, 0, 0, noClass],
        [1, 1, 2, 2],
      ]);
      expect([...(await readAll(dataset))].filter((_, at) => at % 4 === 0)).toEqual([10, 20, 30]);
      expect(dataset.record).toMatchObject({ column: "image", labelsFrom: "annotation" });
      expect(dataset.record.unreadable).toEqual([{ file: "row 4", reason: "it has no mask" }]);
      expect(dataset.record.notes).toBeUndefined();
    }
    await expect(openDataset(file, { task: "segmentation" })).rejects.toThrow(
      /masked\.parquet: required a mask for each picture, got 1 of 4 pictures without one, such as row 4/,
    );
    const limited = await openDataset(file, {
      task: "segmentation",
      onBad: "skip",
      memory: 1,
      cache: temporaryFolder(),
    });
    expect(mapsOf(limited)[1]).toEqual([3, 0, 0, noClass]);
  });

  test("is left out where no maps are wanted, and never taken for the pictures or for classes", async () => {
    for (const task of [undefined, "none", "classification"] as const) {
      const dataset = await openDataset(file, { task, normalise: "none" });
      expect([...(await readAll(dataset))].filter((_, at) => at % 4 === 0)).toEqual([10, 20, 30, 40]);
      expect([dataset.maps, dataset.labels]).toEqual([undefined, undefined]);
      expect(dataset.record.notes).toEqual(["of the columns of pictures image is taken, and annotation left out"]);
    }
    const scenes = await openDataset(file, { labels: "scene" });
    expect([...scenes.labels!]).toEqual([0, 1, 0, 1]);
    await expect(openDataset(file, { labels: "annotation" })).rejects.toThrow(
      /required a column annotation for the labels, got scene/,
    );
  });
});

describe("masks in tar archives", () => {
  /** Opens archives of pictures that are told by their first value, and masks that have one class each, told by their names' number. */
  async function openedTar(archives: readonly (readonly string[])[], options: OpenOptions = {}): Promise<Dataset> {
    const jpeg = (which: number) =>
      sharp({ create: { width: 2, height: 2, channels: 3, background: { r: which, g: which, b: which } } })
        .jpeg({ quality: 100 })
        .toBuffer();
    const contentOf = async (name: string): Promise<Buffer> => {
      const number = Number(/\d+/.exec(name)![0]);
      if (name.endsWith(".jpg")) return jpeg(10 * number);
      const isMask = /mask|seg/.test(name);
      return greyPng(isMask ? [0, number, 255, number] : [10 * number, 0, 0, 0], 2);
    };
    const files: Record<string, Uint8Array> = {};
    for (const [at, names] of archives.entries()) {
      const members = names.map(async (name) => ({ name, content: await contentOf(name) }));
      files[`labels/${at}.tar`] = tarFile(await Promise.all(members));
    }
    const folder = temporaryFolder(files);
    const paths = archives.map((_, at) => join(folder, `labels/${at}.tar`));
    return openDataset(paths, { task: "segmentation", normalise: "none", convert: true, ...options });
  }
  const maps = (...numbers: number[]) => numbers.map((number) => [0, number, noClass, number]);

  test.each([
    ["of WebDataset's samples", ["1.jpg", "1.mask.png", "2.jpg", "2.mask.png"]],
    ["of samples whose pictures have a word, too", ["1.image.png", "1.seg.png", "2.image.png", "2.seg.png"]],
    ["with a word behind the name", ["a/1.png", "a/1_mask.png", "a/2.png", "a/2_mask.png"]],
    [
      "in folders of their own",
      ["set/train/images/1.png", "set/train/images/2.png", "set/train/masks/2.png", "set/train/masks/1.png"],
    ],
  ])("%s are found, and left out where none are wanted", async (_, names) => {
    const dataset = await openedTar([names, names.map((name) => name.replace("1", "3").replace("2", "4"))]);
    expect(mapsOf(dataset)).toEqual(maps(1, 2, 3, 4));
    expect(dataset.labels).toBeUndefined();
    const plain = await openedTar([names], { task: "none" });
    expect([plain.count, plain.maps]).toEqual([2, undefined]);
    expect(plain.record.notes).toEqual([
      expect.stringMatching(/^2 pictures are left out, as masks of others, such as /),
    ]);
  });

  test("in a lossless format beside JPEG are masks where these are wanted, and samples elsewhere", async () => {
    const pairs = ["1.jpg", "1.png", "2.jpg", "2.png"];
    const dataset = await openedTar([pairs]);
    expect([dataset.count, dataset.maps?.rows.length]).toEqual([2, 2]);
    const plain = await openedTar([pairs], { task: "none" });
    expect(plain.count).toBe(4);
    expect(plain.record.notes).toEqual([
      expect.stringMatching(/^2 samples have several pictures each \(\.jpg, \.png\)/),
    ]);
  });

  test("without a picture are refused or left out, and folders that are classes stay", async () => {
    const names = ["images/1.png", "masks/1.png", "masks/2.png"];
    await expect(openedTar([names])).rejects.toThrow(
      /required a picture for each mask, got 1 mask without one, such as .*0\.tar\[masks\/2\.png\]/,
    );
    const skipped = await openedTar([names], { onBad: "skip" });
    expect([skipped.count, (skipped.record.skipped as { masksWithoutPicture: number }).masksWithoutPicture]).toEqual([
      1, 1,
    ]);
    expect(skipped.record.notes).toContainEqual(expect.stringMatching(/^1 mask without a picture is left out/));
    const classes = ["gloves/1.png", "gloves/2.png", "masks/1.png", "masks/2.png"];
    const plain = await openedTar([classes], { task: "classification" });
    expect([plain.count, plain.classNames]).toEqual([4, ["gloves", "masks"]]);
    const none = await openedTar([["1.png", "2.png"]]);
    expect([none.count, none.maps]).toEqual([2, undefined]);
  });
});

describe("classes of masks", () => {
  test("of a single object: 255 is class 1, in all masks together, and in test data", async () => {
    const masks = { "1.png": await greyPng([0, 255, 255, 0], 2), "2.png": await greyPng([0, 0, 0, 0], 2) };
    const train = await opened(masks);
    expect(positionsByClass(train.maps!)).toEqual([6, 2]);
    expect(train.record.notes).toContain("the values of the masks are 0 and 255: 255 is class 1");
    const others = await opened({ ...masks, "3.png": await greyPng([0, 1, 0, 0], 2) });
    expect(positionsByClass(others.maps!)).toEqual([9, 1]);
    // Test data whose masks lack class 1 are read as the training data are.
    expect(positionsByClass((await opened(masks, { fitted: others.record })).maps!)).toEqual([6]);
    const full = { "1.png": await greyPng([255, 255, 255, 255], 2) };
    expect(positionsByClass((await opened(full, { fitted: train.record })).maps!)).toEqual([0, 4]);
  });

  test("of one bit are 0 and 1, whether others are 0 and 255 or class numbers", async () => {
    const bits = packedPng([0, 1, 1, 1], 2, 1);
    expect(positionsByClass((await opened({ "1.png": bits })).maps!)).toEqual([1, 3]);
    const bytes = await greyPng([0, 0, 0, 255], 2);
    expect(positionsByClass((await opened({ "1.png": bits, "2.png": bytes })).maps!)).toEqual([4, 4]);
    const numbers = await greyPng([0, 0, 1, 2], 2);
    expect(positionsByClass((await opened({ "1.png": bits, "2.png": numbers })).maps!)).toEqual([3, 4, 1]);
  });

  test("with a palette are its places", async () => {
    const palette = [black, 0x800000, 0x008000, 0x808000];
    const dataset = await opened({
      "1.png": packedPng([0, 3, 2, 1], 2, 2, palette),
      "2.png": packedPng([3, 3, 0, 255], 2, 8, [...palette, ...new Array(252).fill(0xe0e0c0)]),
    });
    expect(mapsOf(dataset)).toEqual([
      [0, 3, 2, 1],
      [3, 3, 0, noClass],
    ]);
  });

  test("in colour are in the colours' order, and test data takes them over", async () => {
    const masks = {
      "1.png": await colourPicture([red, red, green, green], 2),
      "2.png": await colourPicture([black, black, black, red], 2),
    };
    const train = await opened(masks);
    expect(mapsOf(train)).toEqual([
      [2, 2, 1, 1],
      [0, 0, 0, 2],
    ]);
    const colours = ["#000000", "#00ff00", "#ff0000"];
    expect(train.record.maps).toEqual({ shape: [2, 2], objects: false, colours });
    expect(train.record.notes).toContain(
      "the masks are in colour; their classes are, from 0 on, #000000, #00ff00, #ff0000",
    );
    const fitted = JSON.parse(JSON.stringify(train.record));
    // One that happens to be black and white, and one with a palette.
    const test = await opened(
      {
        "1.png": await greyPng([0, 0, 0, 0], 2),
        "2.png": packedPng([0, 1, 1, 0], 2, 1, [red, black]),
      },
      { fitted },
    );
    expect(mapsOf(test)).toEqual([
      [0, 0, 0, 0],
      [2, 0, 0, 2],
    ]);
    await expect(opened({ "1.png": await colourPicture([0x0000ff, red, red, red], 2) }, { fitted })).rejects.toThrow(
      /masks.1\.png: required colours that the training data's masks have \(#000000, #00ff00, #ff0000\), got #0000ff/,
    );
    const numbers = await opened({ "1.png": await greyPng([0, 1, 1, 0], 2) });
    await expect(opened(masks, { fitted: numbers.record })).rejects.toThrow(
      /masks.1\.png: required class numbers, as the masks of the training data have, got a mask in colour/,
    );
  });

  test("are grey values where all of an RGB mask is grey", async () => {
    const dataset = await opened({ "1.png": await colourPicture([0, 0x010101, 0x020202, 0xffffff], 2) });
    expect(mapsOf(dataset)).toEqual([[0, 1, 2, noClass]]);
  });

  test("are 255 at most, over all masks together", async () => {
    const colours = (from: number) => Array.from({ length: 144 }, (_, at) => 0x100 * (from + at) + 7);
    const pictures = { "1.png": await colourPicture(colours(0), 12), "2.png": await colourPicture(colours(144), 12) };
    const folder = temporaryFolder({
      "images/1.png": await solidPicture([1], { width: 12, height: 12 }),
      "images/2.png": await solidPicture([2], { width: 12, height: 12 }),
      "masks/1.png": pictures["1.png"],
      "masks/2.png": pictures["2.png"],
    });
    await expect(openDataset(folder, { task: "segmentation" })).rejects.toThrow(
      /required masks that are maps of classes: at most 255 different colours, got 288 in all/,
    );
  });
});

describe("what does not fit", () => {
  const mask = greyPng([0, 1, 1, 0], 2);

  test("a picture without a mask is an error, or left out and recorded", async () => {
    const [masks, pictures] = [{ "1.png": await mask, "3.png": await mask }, ["1.png", "2.png", "3.png"]];
    await expect(opened(masks, {}, pictures)).rejects.toThrow(
      /images: required a mask for each picture, got 1 of 3 pictures without one, such as 2\.png\..*--on-bad skip/,
    );
    const dataset = await opened(masks, { onBad: "skip" }, pictures);
    expect([...(await readAll(dataset))].filter((_, at) => at % 4 === 0)).toEqual([1, 3]);
    expect(unusableSamples(dataset.record)).toEqual({ count: 1, names: ["2.png: it has no mask"] });
  });

  test("a mask without a picture is an error, or left out and recorded", async () => {
    const [masks, pictures] = [{ "1.png": await mask, "3.png": await mask }, ["1.png"]];
    await expect(opened(masks, {}, pictures)).rejects.toThrow(
      /masks: required a picture for each mask, got 1 of 2 without one, such as 3\.png\..*--on-bad skip/,
    );
    const dataset = await opened(masks, { onBad: "skip" }, pictures);
    expect(dataset.count).toBe(1);
    expect(dataset.record.skipped).toMatchObject({ masksWithoutPicture: 1, unreadable: 0 });
    expect(dataset.record.notes).toContain("1 mask without a picture is left out, such as 3.png");
    await expect(opened({ "x.png": await mask }, { onBad: "skip" }, ["1.png"])).rejects.toThrow(
      /required masks that are called as their pictures.*got x\.png, where pictures are called as 1\.png/,
    );
  });

  test("masks that are links are passed over, and it is said", async () => {
    const folder = temporaryFolder({
      "images/1.png": await small(1),
      "elsewhere/1.png": await mask,
      "masks/x.txt": "",
    });
    symlinkSync(join(folder, "elsewhere", "1.png"), join(folder, "masks", "1.png"));
    const options = { labels: join(folder, "masks"), task: "segmentation" } as const;
    await expect(openDataset(join(folder, "images"), options)).rejects.toThrow(
      /got none \(1 other file: 1 \.txt; 1 links, which are not followed\)/,
    );
  });

  test("two masks of one picture are an error", async () => {
    await expect(opened({ "1.png": await mask, "1_mask.png": await mask }, {}, ["1.png"])).rejects.toThrow(
      /^1\.png: required one mask of its name, got 1\.png and 1_mask\.png/,
    );
  });

  test("a damaged mask is an error, or its picture left out; one that is no mask is an error always", async () => {
    const masks = { "1.png": await mask, "2.png": (await mask).subarray(0, 50), "3.png": await mask };
    await expect(opened(masks)).rejects.toThrow(/masks.2\.png: required a mask that can be read, got .*--on-bad skip/);
    const dataset = await opened(masks, { onBad: "skip" });
    expect([...(await readAll(dataset))].filter((_, at) => at % 4 === 0)).toEqual([1, 3]);
    expect(mapsOf(dataset)).toEqual(new Array(2).fill([0, 1, 1, 0]));
    expect(unusableSamples(dataset.record)).toMatchObject({
      count: 1,
      names: [expect.stringMatching(/^2\.png: its mask/)],
    });
    await expect(opened({ "2.png": masks["2.png"] }, { onBad: "skip" })).rejects.toThrow(
      /none of its pictures can be read/,
    );
    const jpeg = await colourPicture([red, black, black, red], 2, "jpeg");
    await expect(opened({ "1.jpg": jpeg }, { onBad: "skip" }, ["1.png"])).rejects.toThrow(
      /got JPEG, whose compression/,
    );
  });

  test("an unreadable picture is left out with its map", async () => {
    const bad = new Uint8Array(9);
    const folder = temporaryFolder({
      "images/1.png": await small(1),
      "images/2.png": bad,
      "images/3.png": await small(3),
      "masks/1.png": await greyPng([0, 0, 0, 0], 2),
      "masks/2.png": await greyPng([0, 1, 0, 1], 2),
      "masks/3.png": await greyPng([2, 0, 0, 2], 2),
    });
    const open = (resize: boolean) => openDataset(folder, { task: "segmentation", onBad: "skip", resize });
    for (const dataset of [await open(false), await open(true)])
      expect(mapsOf(dataset)).toEqual([
        [0, 0, 0, 0],
        [2, 0, 0, 2],
      ]);
    await expect(openDataset(folder, { task: "segmentation" })).rejects.toThrow(
      /images.2\.png: required a picture that/,
    );
  });

  test("a mask of another size than its picture's is an error that names both", async () => {
    await expect(opened({ "1.png": await greyPng([0, 1, 1, 0, 0, 0], 3) })).rejects.toThrow(
      /masks.1\.png: required a mask of its picture's size, 2×2 \(.*images.1\.png\), got 2×3\./,
    );
    // A picture that does not fit itself says so.
    const folder = temporaryFolder({
      "images/1.png": await small(1),
      "images/2.png": await greyPng([1, 2, 3], 3),
      "masks/1.png": await mask,
      "masks/2.png": await greyPng([0, 1, 0], 3),
    });
    await expect(openDataset(folder, { task: "segmentation" })).rejects.toThrow(
      /2\.png: required pictures of one kind/,
    );
  });

  test("maps of more than a gigabyte are refused before they are made", async () => {
    const shape = [1, 40_000, 40_000];
    await expect(opened({ "1.png": await mask }, { shape, resize: true })).rejects.toThrow(
      /required masks that take at most [\d,]+ bytes in memory, a byte a position, got 1,600,000,000 bytes\. .*--limit/,
    );
  });

  test("labels that are no folder of masks are refused, and pictures of classes have none named", async () => {
    const open = (options: OpenOptions) => opened({}, { task: "segmentation", ...options }, ["1.png"]);
    await expect(open({ labels: 3 })).rejects.toThrow(/^labels: required a folder of masks .*got 3\. .*--labels/);
    await expect(open({ labels: join(temporaryFolder(), "none") })).rejects.toThrow(/none: .*got nothing there/);
    await expect(open({ labels: temporaryFolder({ "1.bmp": "" }) })).rejects.toThrow(
      /required a folder of masks.*got none \(1 other file: 1 \.bmp\)\. Convert them to PNG, as/,
    );
    await expect(open({ labels: join(temporaryFolder({ "a.txt": "" }), "a.txt") })).rejects.toThrow(/got a file/);
    await expect(open({ task: "classification", labels: "./masks" })).rejects.toThrow(
      /required none named for pictures/,
    );
  });
});

describe("masks that nobody named", () => {
  const [picture, mask] = [small(1), greyPng([0, 1, 1, 0], 2)];

  test.each([
    ["data", ["data/images/a.png", "data/masks/a.png"]],
    ["data/images", ["data/images/a.png", "data/labels/a_label.png"]],
    ["data", ["data/a.png", "data/masks/a.png"]],
    ["data", ["data/images/a.png", "data/annotations/trimaps/a.png", "data/annotations/list.txt"]],
    ["data", ["data/train/images/a.png", "data/train/masks/a.png", "data/val/images/b.png", "data/val/masks/b.png"]],
    ["data", ["data/images/train/a.png", "data/images/val/b.png", "data/masks/train/a.png", "data/masks/val/b.png"]],
    [
      "data/images/val",
      ["data/images/train/a.png", "data/images/val/b.png", "data/masks/train/a.png", "data/masks/val/b.png"],
    ],
    ["train", ["train/a.png", "train_masks/a_mask.png"]],
    ["data", ["data/images/a.png", "data/masks/a.png", "data/labels/a.txt"]],
  ])("in %s of %j are found, and a note says so", async (path, names) => {
    const files = await Promise.all(
      names.map(async (name) => [name, /mask|label|annot/.test(name) ? await mask : await picture] as const),
    );
    const folder = temporaryFolder(Object.fromEntries(files));
    const dataset = await openDataset(join(folder, path), { task: "segmentation" });
    expect(mapsOf(dataset)).toEqual([[0, 1, 1, 0]]);
    expect(dataset.record.notes).toContainEqual(
      expect.stringMatching(/^the masks of .+ are the labels of the pictures of /),
    );
    expect((await surveyPictures(join(folder, path), { task: "segmentation" }))?.files).toBe(1);
  });

  test.each(["data", "data/leftImg8bit", "data/leftImg8bit/train"])(
    "are found as Cityscapes has them, in %s; drawings of the same in colour and by instances are passed over",
    async (path) => {
      const files: Record<string, Uint8Array> = {};
      for (const [split, town] of ["train/ulm", "train/bonn", "val/kiel"].map((folder) => folder.split("/"))) {
        const name = (top: string, kind: string) => `data/${top}/${split}/${town}/${town}_0_1_${kind}.png`;
        files[name("leftImg8bit", "leftImg8bit")] = await picture;
        files[name("gtFine", "gtFine_labelIds")] = town === "ulm" ? await mask : await greyPng([2, 2, 0, 0], 2);
        files[name("gtFine", "gtFine_color")] = await colourPicture([red, green, black, red], 2);
        files[name("gtFine", "gtFine_instanceIds")] = await deepPng([24001, 24002, 0, 0], 2);
      }
      const folder = temporaryFolder(files);
      const dataset = await openDataset(join(folder, path), { task: "segmentation" });
      expect(mapsOf(dataset)).toEqual([
        [2, 2, 0, 0],
        [0, 1, 1, 0],
      ]);
      expect(dataset.record.notes).toContainEqual(
        expect.stringMatching(/, 4 pictures of the same masks in colour or by instances are passed over$/),
      );
    },
  );

  test("two kinds of Cityscapes' class numbers for one picture are an error", async () => {
    const folder = temporaryFolder({
      "leftImg8bit/a_leftImg8bit.png": await picture,
      "gtFine/a_gtFine_labelIds.png": await mask,
      "gtFine/a_gtFine_labelTrainIds.png": await mask,
    });
    await expect(openDataset(folder, { task: "segmentation" })).rejects.toThrow(
      /required one mask of its name, got a_gtFine_labelIds\.png and a_gtFine_labelTrainIds\.png/,
    );
  });

  test("are left out where there are two such folders, or none", async () => {
    const two = temporaryFolder({
      "images/a.png": await picture,
      "masks/a.png": await mask,
      "segmentations/a.png": await mask,
    });
    expect((await openDataset(join(two, "images"), { task: "segmentation" })).maps).toBeUndefined();
    const none = temporaryFolder({ "images/a.png": await picture, "labels/a.txt": "" });
    const dataset = await openDataset(none, { task: "segmentation" });
    expect([dataset.maps, dataset.labels, dataset.count]).toEqual([undefined, undefined, 1]);
  });

  test("are no matter for other tasks", async () => {
    const folder = temporaryFolder({ "images/a.png": await picture, "masks/a.png": await mask });
    const dataset = await openDataset(join(folder, "images"), { task: "classification" });
    expect([dataset.maps, dataset.count]).toEqual([undefined, 1]);
    const both = await openDataset(folder);
    expect(both.count).toBe(1);
    expect(both.record.notes).toContain(
      "1 picture of masks is left out, as masks of those of images by their names; to read them, name masks itself",
    );
    const names = ["labelIds", "color", "instanceIds"].map((kind) => `gtFine/a_gtFine_${kind}.png`);
    const drawn = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await mask] as const)));
    const town = await openDataset(temporaryFolder({ "leftImg8bit/a_leftImg8bit.png": await picture, ...drawn }));
    expect(town.count).toBe(1);
    expect(town.record.notes).toContainEqual(
      expect.stringMatching(/^3 pictures of gtFine are left out, as masks of those of leftImg8bit/),
    );
  });

  test("may be pictures where nothing but the name of their folder says otherwise", async () => {
    for (const files of [
      { "images/a.png": await picture, "masks/b.png": await mask },
      { "images/a.png": await picture, "labels/a.png": await mask },
    ]) {
      const dataset = await openDataset(temporaryFolder(files), { convert: true });
      expect(dataset.count).toBe(2);
      expect(dataset.record.notes).toEqual([
        expect.stringMatching(
          /^the folder (masks|labels) is read as images is; if it holds their masks, name images alone as the data$/,
        ),
      ]);
    }
  });
});

describe("masks are resized as their pictures are", () => {
  /** A bright rectangle on a dark ground, and where it is. */
  function rectangle(height: number, width: number, top: number, left: number, bottom: number, right: number) {
    return Uint8Array.from({ length: height * width }, (_, at) => {
      const [y, x] = [Math.floor(at / width), at % width];
      return Number(y >= top && y < bottom && x >= left && x < right);
    });
  }

  /** Opens two pictures and their masks, brought to a size. */
  async function resized(
    cells: readonly Uint8Array[],
    masks: readonly Uint8Array[],
    width: number,
    to: [number, number],
  ) {
    const files: Record<string, Uint8Array> = {};
    for (const index of cells.keys()) {
      files[`images/${index}.png`] = await greyPng(cells[index], width);
      files[`masks/${index}.png`] = await greyPng(masks[index], width);
    }
    const dataset = await openDataset(temporaryFolder(files), {
      task: "segmentation",
      shape: [1, ...to],
      resize: true,
      normalise: "none",
    });
    expect(dataset.maps?.shape).toEqual(to);
    return { values: await readAll(dataset), maps: dataset.maps!.values };
  }

  test.each([
    [64, 64],
    [64, 96],
    [104, 64],
    [64, 68],
  ])("so that what is bright is what is marked, from %i×%i to 16×16", async (height, width) => {
    const cells = [rectangle(height, width, 8, 24, 24, 48), rectangle(height, width, 32, 12, 60, 36)];
    const masks = cells.map((cell) => cell.map((value) => 7 * value));
    const bright = cells.map((cell) => cell.map((value) => 255 * value));
    const { values, maps } = await resized(bright, masks, width, [16, 16]);
    expect(new Set(maps)).toEqual(new Set([0, 7]));
    expect([...values].map((value) => (value > 127.5 ? 7 : 0))).toEqual([...maps]);
  });

  test.each([
    [61, 101, 20, 20],
    [101, 61, 20, 20],
    [37, 91, 20, 20],
    [91, 37, 24, 16],
    [45, 100, 16, 30],
    [8, 12, 32, 32],
    [20, 12, 30, 36],
    [8, 8, 13, 13],
  ])("so that each position comes from where its picture does, from %i×%i to %i×%i", async (height, width, ...to) => {
    const scale = Math.floor(250 / Math.max(height, width));
    const ramps = [width, 1].map((step) =>
      Uint8Array.from(
        { length: height * width },
        (_, at) => scale * (step === 1 ? at % width : Math.floor(at / width)),
      ),
    );
    const { values, maps } = await resized(ramps, ramps, width, to);
    const shrink = Math.min(height / to[0], width / to[1]);
    const size = to[0] * to[1];
    for (const sample of [0, 1]) {
      let [worst, sum] = [0, 0];
      for (let y = 4; y < to[0] - 4; y++) {
        for (let x = 4; x < to[1] - 4; x++) {
          const at = sample * size + y * to[1] + x;
          const distance = (values[at] - maps[at]) / scale;
          worst = Math.max(worst, Math.abs(distance));
          sum += distance / ((to[0] - 8) * (to[1] - 8));
        }
      }
      // In the picture's own positions: half of one is as near as one can be, and the values are rounded.
      expect(worst).toBeLessThan(0.5 + 1.1 / scale);
      expect(Math.abs(sum)).toBeLessThan(0.3 * Math.max(1, shrink));
    }
  });

  test("which are turned as their orientation says", async () => {
    // Stored lying, 2 high and 4 wide; shown standing.
    const jpeg = await sharp(
      await greyPng(
        [255, 255, 0, 0, 255, 255, 0, 0].flatMap((v) => new Array(8).fill(v)),
        32,
      ),
    )
      .resize(64, 32, { kernel: "nearest", fit: "fill" })
      .withMetadata({ orientation: 6 })
      .jpeg({ quality: 100 })
      .toBuffer();
    const standing = rectangle(64, 32, 0, 0, 32, 32);
    const folder = temporaryFolder({ "images/1.jpg": jpeg, "masks/1.png": await greyPng(standing, 32) });
    const dataset = await openDataset(folder, {
      task: "segmentation",
      shape: [1, 16, 16],
      resize: true,
      convert: true,
      normalise: "none",
    });
    const values = await readAll(dataset);
    expect(mapsOf(dataset)[0]).toEqual([...values].map((value) => Number(value > 127.5)));
    expect(positionsByClass(dataset.maps!)).toEqual([128, 128]);
  });

  test("for networks that take flat vectors, too", async () => {
    const dataset = await opened({ "1.png": await greyPng([0, 1, 2, 3], 2) }, { shape: [4] });
    expect([dataset.shape, dataset.maps?.shape]).toEqual([[4], [2, 2]]);
  });
});

describe("maps of pictures that stay on disk", () => {
  test("are in memory, and the cache of decoded pictures does not depend on them", async () => {
    const folder = temporaryFolder({
      "images/1.png": await small(1),
      "images/2.png": await small(2),
      "masks/1.png": await greyPng([0, 1, 1, 0], 2),
      "masks/2.png": await greyPng([2, 1, 1, 0], 2),
      "others/1.png": await greyPng([1, 1, 1, 0], 2),
      "others/2.png": await greyPng([1, 1, 1, 1], 2),
    });
    const cache = temporaryFolder();
    const open = async (labels: string, memory: number) => {
      const dataset = await openDataset(join(folder, "images"), {
        labels: join(folder, labels),
        task: "segmentation",
        normalise: "none",
        cache,
        memory,
      });
      const result = { maps: mapsOf(dataset), values: [...(await readAll(dataset))], hash: dataset.hash };
      await dataset.close?.();
      return result;
    };
    const first = await open("masks", 1);
    expect(first.maps).toEqual([
      [0, 1, 1, 0],
      [2, 1, 1, 0],
    ]);
    expect(await open("masks", 1)).toEqual(first);
    const { hash: _, ...inMemory } = await open("masks", 1e6);
    expect(inMemory).toEqual({ maps: first.maps, values: first.values });
    const other = await open("others", 1);
    expect(other.maps[1]).toEqual([1, 1, 1, 1]);
    expect(other.hash).not.toBe(first.hash);
    expect(readdirSync(cache).filter((name) => name.startsWith("pictures-"))).toHaveLength(1);
  });
});
