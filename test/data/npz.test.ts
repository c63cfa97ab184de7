import { zipSync } from "fflate";
import { expect, test } from "vitest";
import { parseNpz } from "../../src/data/npz.js";
import { UserError } from "../../src/errors.js";
import { npyFile } from "./array-files.js";

const samples = npyFile("<f4", [2, 3], new Float32Array([1, 2, 3, 4, 5, 6]));
const labels = npyFile("<i4", [2], new Int32Array([1, 0]));

test("finds the only deep array and the labels, packed or stored", () => {
  for (const level of [0, 9] as const) {
    const archive = zipSync({ "pictures.npy": samples, "y.npy": labels }, { level });
    const found = parseNpz(archive, "file");
    expect(found.samples).toEqual({ data: new Float32Array([1, 2, 3, 4, 5, 6]), dims: [2, 3] });
    expect([...found.labels!.data]).toEqual([1, 0]);
  }
});

test("takes the usual name among several, and labels by name", () => {
  const archive = zipSync({
    "a.npy": npyFile("<f4", [1, 1], new Float32Array(1)),
    "x_train.npy": samples,
    "kinds.npy": labels,
  });
  expect(parseNpz(archive, "file").samples.dims).toEqual([2, 3]);
  expect(parseNpz(archive, "file").labels).toBeUndefined();
  expect([...parseNpz(archive, "file", "kinds").labels!.data]).toEqual([1, 0]);
  expect(() => parseNpz(archive, "file", "nothing")).toThrow(/nothing/);
});

test("refuses several arrays of unknown names, naming them", () => {
  expect(() => parseNpz(zipSync({ "a.npy": samples, "b.npy": samples }), "file")).toThrow(/a \[2, 3\], b \[2, 3\]/);
});

test("refuses a truncated archive, and one with an impossible size", () => {
  const archive = zipSync({ "x.npy": samples });
  expect(() => parseNpz(archive.subarray(0, 60), "file")).toThrow(UserError);
  const lying = archive.slice();
  // The central directory's entry holds the unpacked size 24 bytes after its signature.
  const entry = Buffer.from(lying).lastIndexOf(Buffer.from([0x50, 0x4b, 1, 2]));
  new DataView(lying.buffer, lying.byteOffset).setUint32(entry + 24, 4e9, true);
  expect(() => parseNpz(lying, "file")).toThrow(/impossible size/);
});
