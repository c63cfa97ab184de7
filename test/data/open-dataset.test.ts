import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { zipSync } from "fflate";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { savedTransform } from "../../src/data/saved-transform.js";
import { InterruptedError, UserError } from "../../src/errors.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { idxFile, npyFile } from "./array-files.js";
import { readAll } from "./read-all.js";
import { solidPicture } from "./solid-picture.js";

const pictures = idxFile(8, [2, 2, 2], [0, 51, 102, 153, 204, 255, 0, 0]);
const labels = idxFile(8, [2], [1, 0]);
const floats = (dims: readonly number[], values: readonly number[]) => npyFile("<f4", dims, new Float32Array(values));

describe("what a path is", () => {
  test("MNIST's four files: the training images with their labels", async () => {
    const folder = temporaryFolder({
      "t10k-images-idx3-ubyte.gz": gzipSync(idxFile(8, [1, 2, 2], [9, 9, 9, 9])),
      "t10k-labels-idx1-ubyte.gz": gzipSync(idxFile(8, [1], [0])),
      "train-images-idx3-ubyte.gz": gzipSync(pictures),
      "train-labels-idx1-ubyte.gz": gzipSync(labels),
    });
    const training = await openDataset(folder, { shape: [1, 2, 2], normalise: "unit" });
    expect([training.kind, training.count, [...training.labels!]]).toEqual(["images", 2, [1, 0]]);
    expect((await readAll(training))[5]).toBe(1);
    const testing = await openDataset(join(folder, "t10k-images-idx3-ubyte.gz"), { fitted: training.record });
    expect(testing.count).toBe(1);
    expect(testing.record.normalisation).toEqual(training.record.normalisation);
    expect(testing.classNames).toEqual(["0", "1"]);
  });

  test("refuses a name of labels that no part of the data could have", async () => {
    const folder = temporaryFolder({
      "train-images-idx3-ubyte": pictures,
      "train-labels-idx1-ubyte": labels,
      "set/cat/one.png": await solidPicture([1, 2, 3]),
      "set/dog/two.png": await solidPicture([1, 2, 3]),
    });
    const images = join(folder, "train-images-idx3-ubyte");
    await expect(openDataset(images, { labels: "lables" })).rejects.toThrow(/labels: required a file .*, got lables\./);
    await expect(openDataset(join(folder, "set"), { labels: "y.npy" })).rejects.toThrow(
      /none named for pictures.*, got y\.npy\./,
    );
    // What is used without labels may have any.
    expect((await openDataset(images, { labels: "lables", task: "none" })).count).toBe(2);
    expect((await openDataset(join(folder, "set"), { labels: "y.npy", task: "none" })).count).toBe(2);
  });

  test("NPY and NPZ with labels", async () => {
    const folder = temporaryFolder({
      "x.npy": floats([2, 3], [1, 2, 3, 4, 5, 6]),
      "y.npy": npyFile("<i8", [2], new BigInt64Array([3n, 5n])),
      "both.npz": zipSync({
        "x.npy": floats([2, 3], [1, 2, 3, 4, 5, 6]),
        "y.npy": npyFile("<i4", [2], new Int32Array([0, 2])),
      }),
    });
    const array = await openDataset(join(folder, "x.npy"), { labels: join(folder, "y.npy"), normalise: "none" });
    expect([array.kind, array.shape, array.classNames]).toEqual(["vectors", [3], ["3", "5"]]);
    expect([...(await readAll(array))]).toEqual([1, 2, 3, 4, 5, 6]);
    const archive = await openDataset(join(folder, "both.npz"));
    expect([...archive.labels!]).toEqual([0, 2]);
    expect(archive.classNames).toEqual(["0", "1", "2"]);
  });

  test("a table and a folder of pictures", async () => {
    const blank = await sharp(new Uint8Array(12), { raw: { width: 2, height: 2, channels: 3 } })
      .png()
      .toBuffer();
    const folder = temporaryFolder({ "table.csv": "1,2\n3,5\n", "pictures/a.png": blank });
    expect((await openDataset(join(folder, "table.csv"))).kind).toBe("table");
    expect((await openDataset(join(folder, "pictures"))).shape).toEqual([3, 2, 2]);
    expect((await openDataset(folder)).kind).toBe("images");
  });

  test("refuses to say what the columns of something else than a table are", async () => {
    const folder = temporaryFolder({
      "images-idx3-ubyte": pictures,
      "set/cat/one.png": await solidPicture([1, 2, 3]),
    });
    const columns = { age: "number" } as const;
    for (const [name, kind] of [
      ["images-idx3-ubyte", "an array"],
      ["set", "pictures"],
    ])
      await expect(openDataset(join(folder, name), { columns })).rejects.toThrow(
        new RegExp(
          `^columns: required a table, got age for ${kind} \\(.*${name}\\)\\. Leave out what columns are \\(--columns\\)`,
        ),
      );
  });

  test("ranges of numbers, with leading zeros and without, and each of them must be there", async () => {
    const folder = temporaryFolder({
      "t-008.csv": "a,b\n1,2\n",
      "t-009.csv": "a,b\n3,5\n",
      "t-010.csv": "a,b\n4,6\n",
      "s-9-1.csv": "a,b\n1,2\n3,5\n",
      "s-10-1.csv": "a,b\n6,6\n",
    });
    expect((await openDataset(join(folder, "t-{008..010}.csv"))).count).toBe(3);
    expect((await openDataset(join(folder, "s-{10..9}-{1..1}.csv"))).count).toBe(3);
    expect((await openDataset(join(folder, "t-{008..009}*"))).count).toBe(2);
    await expect(openDataset(join(folder, "t-{009..011}.csv"))).rejects.toThrow(/t-011\.csv: .* nothing there/);
    await expect(openDataset(join(folder, "t-{0..99999999}.csv"))).rejects.toThrow(
      /a range of at most 1,000,000 files/,
    );
  });

  test("single pictures of a pattern have the folders that tell them apart for classes", async () => {
    const folder = temporaryFolder({
      "set/cat/a/1.png": await solidPicture([1]),
      "set/dog/a/2.png": await solidPicture([2]),
      "set/dog/3.png": "rubbish",
    });
    const dataset = await openDataset(join(folder, "set/**/*.png"), { onBad: "skip" });
    expect([dataset.count, dataset.classNames, [...dataset.labels!]]).toEqual([2, ["cat", "dog"], [0, 1]]);
    expect(dataset.record).toMatchObject({ unreadable: [{ file: "dog/3.png" }], skipped: { unreadable: 1 } });
    const flat = await openDataset(join(folder, "set/dog/a/*.png"), {}).catch((error: Error) => error.message);
    expect(flat).toMatch(/a single picture/);
  });

  test("what is not finite in one of several arrays is named with its file, and counted there", async () => {
    const folder = temporaryFolder({ "a.npy": floats([2, 1], [1, 2]), "b.npy": floats([2, 1], [3, Number.NaN]) });
    for (const memory of [1e6, 1]) {
      const open = (onBad: "fail" | "skip") => openDataset(join(folder, "*.npy"), { onBad, memory });
      await expect(open("fail")).rejects.toThrow(/b\.npy: .*NaN in sample 1, value 0/);
      const { record } = await open("skip");
      expect(record.notFinite).toEqual({ skipped: 1, samples: [`${join(folder, "b.npy")}, sample 1`] });
    }
  });

  test.each([
    ["nothing", "missing", /nothing there/],
    ["an empty file", "empty.csv", /an empty file/],
    ["rubbish", "rubbish.bin", /NPY, NPZ, safetensors, or CSV/],
    ["a single picture", "one.png", /a single picture/],
    [
      "a folder with other files",
      "tables",
      /Give the path of the file that is meant, or a pattern such as ".*tables.\*\.csv"/,
    ],
    ["Feather of version 1", "old.feather", /Feather of version 1, .* version 2/],
    ["an address of another kind", "gs://bucket/x.csv", /https:\/\/, http:\/\/, s3:\/\/ or hf/],
    ["an empty folder", "hollow", /no picture/],
  ])("refuses %s", async (_, name, message) => {
    const folder = temporaryFolder({
      "empty.csv": "",
      "rubbish.bin": "some rubbish",
      "one.png": "not even a picture",
      "tables/a.csv": "1,2",
      "old.feather": "FEA1 and more",
      "hollow/.keep": "",
    });
    const opened = openDataset(name.includes("://") ? name : join(folder, name));
    await expect(opened).rejects.toBeInstanceOf(UserError);
    await expect(opened).rejects.toThrow(message);
  });
});

describe("how arrays meet the model", () => {
  const open = (bytes: Uint8Array, options: Parameters<typeof openDataset>[1]) =>
    openDataset(join(temporaryFolder({ file: bytes }), "file"), { normalise: "none", ...options });
  const six = [1, 2, 3, 4, 5, 6];

  test("channels last in the file, first in the model, and the other way round", async () => {
    const last = floats([1, 1, 2, 3], six);
    expect([...(await readAll(await open(last, { shape: [3, 1, 2] })))]).toEqual([1, 4, 2, 5, 3, 6]);
    const first = floats([1, 3, 1, 2], six);
    const delivered = await open(first, { shape: [1, 2, 3], layout: "NHWC" });
    expect([...(await readAll(delivered))]).toEqual([1, 3, 5, 2, 4, 6]);
  });

  test("flat pictures are shaped, pictures flattened, signals get their channel", async () => {
    expect((await open(floats([1, 6], six), { shape: [1, 2, 3] })).kind).toBe("images");
    expect((await open(pictures, { shape: [4] })).shape).toEqual([4]);
    const signal = await open(floats([1, 6], six), { shape: [1, null] });
    expect([signal.kind, signal.shape]).toEqual(["signals", [1, 6]]);
    expect((await open(floats([1, 2, 3], six), { shape: [2, 3] })).kind).toBe("signals");
    expect((await open(floats([6], six), {})).shape).toEqual([1]);
  });

  test("signals are scaled channel by channel, wherever their channels are", async () => {
    const first = await open(floats([2, 1, 3], six), { shape: [1, 3], normalise: "unit" });
    expect(first.record).toMatchObject({
      signal: { channels: 1, length: 3, layout: "NCHW" },
      normalisation: { low: [1], high: [6] },
    });
    const last = await open(floats([1, 3, 2], six), { shape: [3, 2], layout: "NHWC", normalise: "unit" });
    expect(last.record).toMatchObject({
      signal: { channels: 2, length: 3, layout: "NHWC" },
      normalisation: { low: [1, 2], high: [5, 6] },
    });
    expect([...(await readAll(last))]).toEqual([0, 0, 0.5, 0.5, 1, 1]);
  });

  test("axes are joined and split, and never taken for one another", async () => {
    const joined = [
      [
        [2, 3, 1],
        [1, 6],
      ],
      [
        [1, 2, 3],
        [6, 1],
      ],
      [[6], [3, 2]],
      [[2, 3], [6]],
    ] as const;
    for (const [from, shape] of joined)
      expect((await open(floats([1, ...from], six), { shape, normalise: "none" })).shape).toEqual(shape);
    for (const [from, shape] of [
      [
        [2, 3],
        [3, 2],
      ] as const,
      [
        [1, 2, 3],
        [3, 2],
      ] as const,
    ])
      await expect(open(floats([1, ...from], six), { shape })).rejects.toThrow(
        /of the shape \[3, 2\], as the model takes, got \[(1, )?2, 3\]. Reshape or transpose the array/,
      );
  });

  test("pictures whose last axis alone is that of channels have them there", async () => {
    const { record } = await open(floats([1, 2, 2, 3], [...six, ...six]), { shape: [2, 2, 3] });
    expect(record.picture).toEqual({ channels: 3, height: 2, width: 2, layout: "NHWC" });
  });

  test("pictures are resized and converted only when asked", async () => {
    await expect(open(pictures, { shape: [3, 4, 4] })).rejects.toThrow(
      /4×4 RGB, got 2×2 grey. Pass --resize and --conv/,
    );
    const fitted = await open(pictures, { shape: [3, 1, 1], resize: true, convert: true });
    // The mean of the four pixels, to the nearest whole.
    expect([...(await readAll(fitted))]).toEqual([77, 77, 77, 115, 115, 115]);
    await expect(open(pictures, { shape: [9] })).rejects.toThrow(/9 values per sample/);
  });

  test.each([
    ["another length", floats([1, 6], six), { shape: [5] }, /\[5\], as the model takes, got \[6\]/],
    ["NaN", floats([2, 3], [1, 2, 3, 4, Number.NaN, 6]), {}, /NaN in sample 1, value 1/],
    ["numbers too large", npyFile("<f8", [2, 1], new Float64Array([1, -1e39])), {}, /-1e\+39 in sample 1, value 0/],
    ["infinity", floats([2, 3], [1, 2, 3, 4, 5, Number.POSITIVE_INFINITY]), {}, /Infinity in sample 1, value 2/],
    ["no samples", floats([0, 3], []), {}, /an array of samples/],
    ["imagenet on vectors", floats([1, 6], six), { normalise: "imagenet" }, /RGB pictures/],
    ["a damaged record", floats([1, 6], six), { fitted: { normalisation: 3 } }, /a record that headstart wrote/],
    ["a limit of none", floats([1, 6], six), { limit: 0 }, /limit/],
  ])("refuses %s", async (_, bytes, options, message) => {
    const opened = open(bytes, options);
    await expect(opened).rejects.toBeInstanceOf(UserError);
    await expect(opened).rejects.toThrow(message);
  });

  test("is standardised per channel or column", async () => {
    const dataset = await open(floats([2, 3], [1, 10, 5, 3, 30, 5]), { normalise: "standard" });
    expect([...(await readAll(dataset))]).toEqual([-1, -1, 0, 1, 1, 0]);
    const grey = await open(pictures, { normalise: "standard" });
    const values = await readAll(grey);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
    expect(mean).toBeCloseTo(0, 5);
    expect(square).toBeCloseTo(1, 5);
  });

  test("imagenet's and own numbers apply after dividing by 255", async () => {
    const rgb = npyFile("|u1", [1, 3, 1, 1], new Uint8Array([255, 0, 51]));
    const [red, green, blue] = await readAll(await open(rgb, { normalise: "imagenet" }));
    expect(red).toBeCloseTo((1 - 0.485) / 0.229, 5);
    expect(green).toBeCloseTo(-0.456 / 0.224, 5);
    expect(blue).toBeCloseTo((0.2 - 0.406) / 0.225, 5);
    const own = await readAll(await open(rgb, { normalise: { mean: [0.5], std: [0.5] } }));
    [1, -1, -0.6].forEach((value, at) => {
      expect(own[at]).toBeCloseTo(value, 6);
    });
  });

  test("what was fitted on pictures is for pictures of the same units alone, whatever has as many channels", async () => {
    const bytes = npyFile("|u1", [2, 3, 1, 1], Uint8Array.of(0, 10, 20, 200, 210, 250));
    const { record } = await open(bytes, {});
    const values = [0, 0.1, 0.2, 0.8, 0.9, 1];
    const fitted = { fitted: savedTransform(record) };
    await open(bytes, fitted);
    await open(floats([2, 3, 1, 1], [0, 10, 20, 200, 210, 250]), fitted);
    await expect(open(floats([2, 3], values), fitted)).rejects.toThrow(
      /file: required images, as the data that the normalisation was measured on, got vectors/,
    );
    await expect(open(floats([2, 3, 1, 1], values), fitted)).rejects.toThrow(
      /required pictures with values from 0 to 255, .* got values from 0 to 1\. Give both in the same units/,
    );
    const unit = await open(floats([2, 3, 1, 1], values), {});
    await expect(open(bytes, { fitted: unit.record })).rejects.toThrow(
      /values from 0 to 1, .* got values from 0 to 255/,
    );
    // Floats that were standardised already have a range of their own in every file.
    const standardised = await open(floats([2, 3, 1, 1], [-1, 0, 0, 0, 0, 2]), {});
    await open(floats([2, 3, 1, 1], values), { fitted: standardised.record });
    // A record of numbers alone, as one may write it, says nothing of kinds.
    await open(floats([2, 3], values), { fitted: { normalisation: record.normalisation } });
  });

  test.each([
    ["t.csv", "<!DOCTYPE html><html></html>", /got a web page, as servers send it/],
    ["t.xlsx", "x", /Save the sheet as CSV/],
    ["t.csv.zst", "x", /Unpack it first/],
    ["t.h5", "x", /save the samples with numpy\.save/],
    ["t.jsonl", '{"a":1}', /save it as Parquet or CSV/],
    ["t.zip", zipSync({ "a/1.png": new Uint8Array(3) }), /got a file of another kind\. Unpack it first/],
    ["t.xlsx", zipSync({ "xl/workbook.xml": new Uint8Array(3) }), /Save the sheet as CSV/],
    ["t.pt", zipSync({ "t/data.pkl": new Uint8Array(3) }), /save the samples with numpy\.save/],
  ])("%s says what it is, or what to do with it", async (name, text, message) => {
    await expect(openDataset(join(temporaryFolder({ [name]: text }), name), {})).rejects.toThrow(message);
  });

  test("files of one sample each are not taken for many samples", async () => {
    const file = npyFile(
      "<f4",
      [4, 4],
      Float32Array.from({ length: 16 }, (_, at) => at),
    );
    const folder = temporaryFolder({ "1.npy": file, "2.npy": file });
    const paths = [join(folder, "1.npy"), join(folder, "2.npy")];
    for (const shape of [
      [1, 4, 4],
      [4, 4],
      [4, null],
    ])
      await expect(openDataset(paths, { shape })).rejects.toThrow(
        /2 files of the shape \[4, 4\].*single sample.*stack/,
      );
    expect((await openDataset(paths, { shape: [4] })).count).toBe(8);
  });

  test("the signal interrupts", async () => {
    await expect(open(pictures, { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(InterruptedError);
  });
});

test("a damaged file is opened or refused, and never anything else", async () => {
  const files: Record<string, Uint8Array> = {
    "a.npy": floats([2, 3], [1, 2, 3, 4, 5, 6]),
    "a.npz": zipSync({ "x.npy": floats([2, 3], [1, 2, 3, 4, 5, 6]) }),
    "a.csv": new TextEncoder().encode('a,b\n1,x\n2,"y"\n3,x\n'),
    "a.csv.gz": gzipSync("a,b\n1,x\n2,y\n3,x\n"),
    "a-idx3-ubyte": pictures,
  };
  const folder = temporaryFolder();
  const edits = fc.array(fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(255)), { maxLength: 3 });
  const cases = fc.tuple(fc.constantFrom(...Object.keys(files)), edits, fc.double({ min: 0, max: 2, noNaN: true }));
  await fc.assert(
    fc.asyncProperty(cases, async ([name, changes, cut]) => {
      const bytes = Uint8Array.from(files[name]);
      for (const [place, value] of changes) bytes[Math.floor(place * bytes.length)] = value;
      writeFileSync(join(folder, name), bytes.subarray(0, Math.floor(Math.min(cut, 1) * bytes.length)));
      const outcome = await openDataset(join(folder, name)).catch((error) => error);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(UserError);
      else expect((await readAll(outcome)).every(Number.isFinite)).toBe(true);
    }),
    { seed: 5, numRuns: 300 },
  );
});
