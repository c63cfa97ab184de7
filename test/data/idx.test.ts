import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { describeArrayFile } from "../../src/data/array-file.js";
import { chooseIdxImages, findIdxLabels, parseIdx } from "../../src/data/idx.js";
import { UserError } from "../../src/errors.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { idxFile } from "./array-files.js";

const readArray = async (path: string) => (await describeArrayFile(path, {}))!.load();

const bigEndian = (values: Float32Array | Float64Array) => {
  const bytes = new Uint8Array(values.buffer.slice(0));
  for (let at = 0; at < bytes.length; at += values.BYTES_PER_ELEMENT) {
    bytes.subarray(at, at + values.BYTES_PER_ELEMENT).reverse();
  }
  return [...bytes];
};

describe("parseIdx", () => {
  test.each([
    ["unsigned bytes", 8, [250, 1], [250, 1]],
    ["signed bytes", 9, [250, 1], [-6, 1]],
    ["int16", 11, [0xff, 0xfe, 1, 0], [-2, 256]],
    ["int32", 12, [0xff, 0xff, 0xff, 0xfe, 0, 1, 0, 0], [-2, 65536]],
    ["float32", 13, bigEndian(new Float32Array([1.5, -2])), [1.5, -2]],
    ["float64", 14, bigEndian(new Float64Array([0.1, 1e300])), [0.1, 1e300]],
  ])("reads %s", (_, type, bytes, values) => {
    const { data, dims } = parseIdx(idxFile(type, [2], bytes), "file");
    expect([...data]).toEqual(values);
    expect(dims).toEqual([2]);
  });

  test.each([
    ["truncated", idxFile(8, [3], [1, 2])],
    ["too long", idxFile(8, [3], [1, 2, 3, 4])],
    ["of an unknown type", idxFile(10, [1], [1])],
    ["another file", new TextEncoder().encode("no idx at all")],
    ["empty", new Uint8Array(0)],
  ])("refuses a file that is %s", (_, bytes) => {
    expect(() => parseIdx(bytes, "file")).toThrow(UserError);
  });
});

test("reads a gzipped file like the plain one", async () => {
  const file = idxFile(8, [2, 2], [1, 2, 3, 4]);
  const folder = temporaryFolder({ plain: file, packed: gzipSync(file) });
  expect(await readArray(join(folder, "packed"))).toEqual(await readArray(join(folder, "plain")));
});

test.each([
  ["a truncated gzip file", (file: Uint8Array) => gzipSync(file).subarray(0, 20), /cannot be unpacked/],
  [
    "more data than the header says",
    (file: Uint8Array) => gzipSync(Buffer.concat([file, Buffer.alloc(1e6)])),
    /got more/,
  ],
  ["a header that promises far more than the file can hold", () => idxFile(8, [60000, 1000, 100], [0]), /header says/],
  ["a header that promises more than any memory", () => idxFile(8, [4e9, 4e9], [0]), /header says/],
])("refuses %s", async (_, make, message) => {
  const folder = temporaryFolder({ file: make(idxFile(8, [2, 2], [1, 2, 3, 4])) });
  await expect(readArray(join(folder, "file"))).rejects.toThrow(message);
  await expect(readArray(join(folder, "file"))).rejects.toBeInstanceOf(UserError);
});

test("finds the labels beside the images, plain or gzipped", async () => {
  const folder = temporaryFolder({ "t10k-images-idx3-ubyte": "", "t10k-labels-idx1-ubyte.gz": "", "train.idx3": "" });
  expect(await findIdxLabels(join(folder, "t10k-images-idx3-ubyte"))).toBe(join(folder, "t10k-labels-idx1-ubyte.gz"));
  expect(await findIdxLabels(join(folder, "train.idx3"))).toBeUndefined();
});

test("chooses the training images of a folder", () => {
  const four = [
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
  ];
  expect(chooseIdxImages(four, "folder")).toBe("train-images-idx3-ubyte.gz");
  expect(chooseIdxImages(["readme.md"], "folder")).toBeUndefined();
  expect(() => chooseIdxImages(["a-images-idx3-ubyte", "b-images-idx3-ubyte"], "folder")).toThrow(UserError);
});
