import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { InterruptedError, UserError } from "../../src/errors.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { readAll } from "./read-all.js";

type Format = "png" | "jpeg" | "webp" | "gif" | "tiff" | "avif";

/** A picture of one colour. */
function picture(colour: readonly number[], { width = 4, height = 4, format = "png" as Format } = {}): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: width * height * colour.length }, (_, at) => colour[at % colour.length]);
  const channels = colour.length as 1 | 2 | 3 | 4;
  const image = sharp(pixels, { raw: { width, height, channels } });
  return (colour.length < 3 ? image.toColourspace("b-w") : image).toFormat(format).toBuffer();
}

/** A grey TIFF of values in single precision, which sharp does not write. */
function floatTiff(width: number, height: number): Uint8Array {
  const tags = [
    [256, width],
    [257, height],
    [258, 32],
    [259, 1],
    [262, 1],
    [273, 8 + 2 + 12 * 10 + 4],
    [277, 1],
    [278, height],
    [279, 4 * width * height],
    [339, 3],
  ];
  const start = 8 + 2 + 12 * tags.length + 4;
  const view = new DataView(new ArrayBuffer(start + 4 * width * height));
  view.setUint32(0, 0x49492a00);
  view.setUint32(4, 8, true);
  view.setUint16(8, tags.length, true);
  for (const [index, [tag, value]] of tags.entries()) {
    const at = 10 + 12 * index;
    view.setUint16(at, tag, true);
    view.setUint16(at + 2, 4, true);
    view.setUint32(at + 4, 1, true);
    view.setUint32(at + 8, value, true);
  }
  for (let at = start; at < view.byteLength; at += 4) view.setFloat32(at, 0.5, true);
  return new Uint8Array(view.buffer);
}

describe("what is found in a folder", () => {
  test("class folders give labels, in the order of the names; hidden files, links and others are counted", async () => {
    const red = await picture([200, 0, 0]);
    const folder = temporaryFolder({
      "Zebra/1.png": red,
      "ant/deep/2.png": red,
      "ant/1.png": red,
      ".hidden/1.png": red,
      "ant/.DS_Store": "",
      "notes.txt": "no picture",
    });
    const outside = temporaryFolder({ "secret.png": red });
    symlinkSync(join(outside, "secret.png"), join(folder, "ant", "link.png"));
    symlinkSync(outside, join(folder, "linked"));
    const dataset = await openDataset(folder, {});
    expect(dataset.count).toBe(3);
    expect(dataset.classNames).toEqual(["Zebra", "ant"]);
    expect([...dataset.labels!]).toEqual([0, 1, 1]);
    expect(dataset.record.skipped).toEqual({ hidden: 2, links: 2, otherFiles: 1, unreadable: 0 });
    expect(dataset.record.notes).toEqual([
      "2 links were passed over, as links are not followed; copy what they lead to where it belongs to the data",
      expect.stringMatching(/^all 3 samples are the same/),
    ]);
  });

  test("a class is the same however the system composes the letters of its folder's name", async () => {
    const name = "고양이";
    const apart = temporaryFolder({
      [`${name.normalize("NFD")}/1.png`]: await picture([1, 2, 3]),
      "개/1.png": await picture([4, 5, 6]),
    });
    const trained = await openDataset(apart, {});
    expect(trained.classNames).toEqual(["개", name]);
    expect((await openDataset(apart, { classNames: [name.normalize("NFD"), "개"] })).classNames?.[1]).toBe("개");
    const table = temporaryFolder({
      [`${name}/1.png`]: await picture([1, 2, 3]),
      "개/2.png": await picture([4, 5, 6]),
    });
    const fitted = { ...trained.record, classNames: ["개", name.normalize("NFD")] };
    expect([...(await openDataset(table, { fitted })).labels!]).toEqual([0, 1]);
  });

  test("class folders are found below the one folder that holds them, as an archive is unpacked", async () => {
    const grey = await picture([7]);
    const folder = temporaryFolder({ "set/pictures/b/1.png": grey, "set/pictures/a/1.png": grey });
    expect((await openDataset(folder, {})).classNames).toEqual(["a", "b"]);
    const split = temporaryFolder({ "set/train/b/1.png": grey, "set/train/a/1.png": grey, "set/test/a/1.png": grey });
    const dataset = await openDataset(split, {});
    expect([dataset.count, dataset.classNames, dataset.record.subfolder]).toEqual([2, ["a", "b"], "set/train"]);
    const alone = temporaryFolder({ "train/b/1.png": grey, "train/a/1.png": grey });
    expect((await openDataset(alone, {})).classNames).toEqual(["a", "b"]);
  });

  test("a note tells why folders are no classes, and of data in formats that are not read", async () => {
    const [grey, white] = [await picture([7]), await picture([255])];
    const folder = temporaryFolder({
      "cat/1.png": grey,
      "dog/1.png": white,
      "loose.png": grey,
      "cat/2.HEIC": "",
      "cat/3.heic": "",
      "dog/4.bmp": "",
      "notes.txt": "",
      "dog/Thumbs.db": "",
      "dog/film.mp4": "",
    });
    const { labels, record } = await openDataset(folder, {});
    expect(labels).toBeUndefined();
    expect(record.notes).toEqual([
      expect.stringMatching(/^pictures of formats that are not read were passed over: 2 \.heic, 1 \.bmp\. Convert/),
      expect.stringMatching(/^films were passed over: 1 \.mp4\. Save/),
      "the folders cat, dog are not taken for classes, as a picture lies beside them (loose.png); " +
        "move what has a class into its folder",
    ]);
  });

  test.each([
    [["a.wav", "b/c.wav", "d.md"], /no picture \(3 other files: 2 \.wav, 1 \.md\)\. Sound is read as arrays/],
    [["a/1.npy", "b/2.npy"], /no picture \(2 other files: 2 \.npy\)\. Arrays are read .* numpy\.stack/],
    [["a.HEIC"], /no picture \(1 other file: 1 \.heic\)\. Convert/],
    [["README", "Thumbs.db"], /no picture \(2 other files: 1 without an end to their names\)\. Check the path/],
  ])("a folder of %j says what lies there and what to do", async (names, message) => {
    const folder = temporaryFolder(Object.fromEntries(names.map((name) => [name, "x"])));
    await expect(openDataset(folder, {})).rejects.toThrow(message);
  });

  test("pictures beside each other, or in one subfolder, have no labels", async () => {
    const grey = await picture([7]);
    expect((await openDataset(temporaryFolder({ "a.png": grey, "b/1.png": grey }), {})).labels).toBeUndefined();
    expect((await openDataset(temporaryFolder({ "b/1.png": grey }), {})).labels).toBeUndefined();
  });

  test("of train and test folders only the training pictures are taken", async () => {
    const grey = await picture([7]);
    const names = ["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"];
    const dataset = await openDataset(temporaryFolder(Object.fromEntries(names.map((name) => [name, grey]))), {});
    expect(dataset.count).toBe(2);
    expect(dataset.classNames).toEqual(["a", "b"]);
    expect(dataset.record.subfolder).toBe("train");
    expect(dataset.record.notes).toContain(
      "only its folder train is read, not test: what is to be read can be named itself",
    );
  });

  test("class numbers follow the training data", async () => {
    const grey = await picture([7]);
    const training = await openDataset(temporaryFolder({ "a/1.png": grey, "b/1.png": grey, "c/1.png": grey }), {});
    const fitted = JSON.parse(JSON.stringify(training.record));
    const testing = await openDataset(temporaryFolder({ "c/1.png": grey, "b/1.png": grey }), { fitted });
    expect([...testing.labels!]).toEqual([1, 2]);
    const strange = temporaryFolder({ "c/1.png": grey, "d/1.png": grey });
    await expect(openDataset(strange, { fitted })).rejects.toThrow(/the class d/);
  });

  test("a limit takes pictures of every class", async () => {
    const grey = await picture([7]);
    const names = ["a/1", "a/2", "a/3", "b/1", "b/2", "b/3"];
    const folder = temporaryFolder(Object.fromEntries(names.map((name) => [`${name}.png`, grey])));
    expect([...(await openDataset(folder, { limit: 4 })).labels!]).toEqual([0, 0, 1, 1]);
  });
});

describe("decoding", () => {
  test.each(["png", "jpeg", "webp", "tiff", "avif", "gif"] as Format[])("reads %s", async (format) => {
    const folder = temporaryFolder({ [`a.${format}`]: await picture([200, 100, 50], { format }) });
    const dataset = await openDataset(folder, { normalise: "none" });
    expect(dataset.shape).toEqual([3, 4, 4]);
    const values = await readAll(dataset);
    [200, 100, 50].forEach((colour, channel) => {
      expect(Math.abs(values[channel * 16 + 5] - colour)).toBeLessThan(6);
    });
  });

  test("pictures of other values than whole ones of 8 or 16 bits are refused", async () => {
    const floats = floatTiff(4, 4);
    expect((await sharp(floats).metadata()).depth).toBe("float");
    const folder = temporaryFolder({ "a.tif": floats, "b.png": await picture([7]) });
    await expect(openDataset(folder, {})).rejects.toThrow(/a\.tif.*got values of the type float.*NPY/);
    expect((await openDataset(folder, { onBad: "skip" })).count).toBe(1);
  });

  test("16-bit grey becomes 8-bit, an opaque alpha channel is dropped, a used one is not", async () => {
    const deep = await sharp(new Uint16Array(16).fill(0x8080), { raw: { width: 4, height: 4, channels: 1 } })
      .toColourspace("grey16")
      .png()
      .toBuffer();
    const grey = await openDataset(temporaryFolder({ "a.png": deep }), { normalise: "none" });
    expect(grey.shape).toEqual([1, 4, 4]);
    expect(Math.abs((await readAll(grey))[0] - 128)).toBeLessThan(2);
    const opaque = temporaryFolder({ "a.png": await picture([1, 2, 3, 255]) });
    expect((await openDataset(opaque, {})).shape).toEqual([3, 4, 4]);
    const glass = temporaryFolder({ "a.png": await picture([1, 2, 3, 128]) });
    expect((await openDataset(glass, {})).shape).toEqual([4, 4, 4]);
    await expect(openDataset(glass, { shape: [3, 4, 4] })).rejects.toThrow(/--convert/);
    const dropped = await openDataset(glass, { shape: [3, 4, 4], convert: true, normalise: "none" });
    expect((await readAll(dropped)).slice(0, 1)).toEqual(new Float32Array([1]));
  });

  test("grey and RGB are converted into each other when asked", async () => {
    const grey = temporaryFolder({ "a.png": await picture([90]) });
    const repeated = await openDataset(grey, { shape: [3, 4, 4], convert: true, normalise: "none" });
    expect(new Set(await readAll(repeated))).toEqual(new Set([90]));
    const red = temporaryFolder({ "a.png": await picture([200, 0, 0]) });
    await expect(openDataset(red, { shape: [1, 4, 4] })).rejects.toThrow(/Pass --convert/);
    const luma = await openDataset(red, { shape: [1, 4, 4], convert: true, normalise: "none" });
    expect(new Set(await readAll(luma))).toEqual(new Set([60]));
  });

  test("delivers channels last, and flat in the layout's order", async () => {
    const folder = temporaryFolder({ "a.png": await picture([1, 2, 3], { width: 2, height: 1 }) });
    const last = await openDataset(folder, { shape: [1, 2, 3], layout: "NHWC", normalise: "none" });
    expect([...(await readAll(last))]).toEqual([1, 2, 3, 1, 2, 3]);
    const flat = await openDataset(folder, { shape: [6], normalise: "none" });
    expect(flat.shape).toEqual([6]);
    expect([...(await readAll(flat))]).toEqual([1, 1, 2, 2, 3, 3]);
    const flatLast = await openDataset(folder, { shape: [6], layout: "NHWC", normalise: "none" });
    expect([...(await readAll(flatLast))]).toEqual([1, 2, 3, 1, 2, 3]);
  });

  test("resizes only when asked", async () => {
    const folder = temporaryFolder({
      "a.png": await picture([10], { width: 8, height: 8 }),
      "b.png": await picture([20], { width: 6, height: 3 }),
    });
    await expect(openDataset(folder, { shape: [1, 4, 4] })).rejects.toThrow(/4×4 grey, got 8×8 grey.*--resize/);
    await expect(openDataset(folder, {})).rejects.toThrow(/8×8 grey, as a.png\), got 3×6 grey.*--resize/);
    const dataset = await openDataset(folder, { shape: [1, 4, 4], resize: true, normalise: "none" });
    expect([...(await readAll(dataset))]).toEqual([...Array(16).fill(10), ...Array(16).fill(20)]);
  });
});

describe("bad input", () => {
  test("a corrupt picture ends with its name, or is skipped and counted", async () => {
    const good = await picture([10, 20, 30], { format: "jpeg", width: 16, height: 16 });
    const folder = temporaryFolder({
      "x/0.jpg": good.subarray(0, 200),
      "x/1.jpg": good,
      "y/2.jpg": "rubbish",
      "y/3.jpg": good,
    });
    await expect(openDataset(folder, {})).rejects.toThrow(/0\.jpg: required a picture that can be read/);
    const dataset = await openDataset(folder, { onBad: "skip" });
    expect(dataset.count).toBe(2);
    expect([...dataset.labels!]).toEqual([0, 1]);
    expect(dataset.record.skipped).toMatchObject({ unreadable: 2 });
    const values = await readAll(dataset);
    expect(values.slice(0, 768)).toEqual(values.slice(768));
  });

  test("empty folders, folders without readable pictures, and picture bombs", async () => {
    const folder = temporaryFolder({ "bad/a.png": "rubbish", "bomb/a.png": await bomb() });
    mkdirSync(join(folder, "empty"));
    for (const name of ["empty", "bad", "bomb"]) {
      await expect(openDataset(join(folder, name), {})).rejects.toBeInstanceOf(UserError);
    }
    await expect(openDataset(join(folder, "bad"), { onBad: "skip" })).rejects.toThrow(/none of its pictures/);
    await expect(openDataset(join(folder, "bomb"), {})).rejects.toThrow(/pixel limit/);
  });

  test("can be interrupted", async () => {
    const folder = temporaryFolder({ "a.png": await picture([1]) });
    await expect(openDataset(folder, { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(InterruptedError);
  });
});

/** A PNG whose header says 60,000 × 60,000 pixels. */
async function bomb(): Promise<Uint8Array> {
  const bytes = new Uint8Array(await picture([1]));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(16, 60_000);
  view.setUint32(20, 60_000);
  let crc = 0xffffffff;
  for (const byte of bytes.subarray(12, 29)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  view.setUint32(29, ~crc);
  return bytes;
}

test("the same folder has the same hash, another picture another", async () => {
  const [a, b] = [await picture([1]), await picture([2])];
  const first = await openDataset(temporaryFolder({ "1.png": a, "2.png": b }), {});
  const again = await openDataset(temporaryFolder({ "1.png": a, "2.png": b }), {});
  const other = await openDataset(temporaryFolder({ "1.png": b, "2.png": a }), {});
  expect(again.hash).toBe(first.hash);
  expect(other.hash).not.toBe(first.hash);
});
