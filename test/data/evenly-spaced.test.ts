import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import type { OpenOptions } from "../../src/data/dataset.js";
import { evenlySpaced } from "../../src/data/evenly-spaced.js";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { streamDataset } from "../../src/data/stream-dataset.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { idxFile, npyFile, safetensorsFile } from "./array-files.js";
import { readAll } from "./read-all.js";

test("indices are spaced evenly from the first on, each once, and all where as many are wanted", () => {
  expect([...evenlySpaced(10, 4)]).toEqual([0, 2, 5, 7]);
  expect([...evenlySpaced(3, 3)]).toEqual([0, 1, 2]);
  expect([...evenlySpaced(3, 5)]).toEqual([0, 1, 2]);
  expect([...evenlySpaced(3, 1)]).toEqual([0]);
  const many = evenlySpaced(60_000, 59_999);
  expect(new Set(many).size).toBe(59_999);
});

/** Sample i is [i, i + 0.5], of the class i / 2 rounded down: ten samples, sorted by class. */
const values = Float32Array.from({ length: 20 }, (_, index) => index / 2);
const classes = Uint8Array.from({ length: 10 }, (_, index) => index >> 1);
const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const x = npyFile("<f4", [10, 2], values);
const y = npyFile("|u1", [10], classes);
/** What a limit of four takes. */
const taken = [0, 0.5, 2, 2.5, 5, 5.5, 7, 7.5];
const takenClasses = [0, 1, 2, 3];

describe("a limit takes samples of arrays at even distances, with their labels", () => {
  const files = {
    "array.npy": x,
    "array.npy.gz": gzipSync(x),
    "fortran.npy": npyFile("<f4", [10, 2], transposed(values), { fortran: true }),
    "packed.npz": zipSync({ "x.npy": x, "y.npy": y }),
    "plain.npz": zipSync({ "x.npy": x, "y.npy": y }, { level: 0 }),
    "tensors.safetensors": safetensorsFile({
      x: { dtype: "F32", shape: [10, 2], bytes: bytesOf(values) },
      y: { dtype: "U8", shape: [10], bytes: classes },
    }),
    "part-0.npy": npyFile("<f4", [3, 2], values.slice(0, 6)),
    "part-1.npy": npyFile("<f4", [1, 2], values.slice(6, 8)),
    "part-2.npy": npyFile("<f4", [6, 2], values.slice(8)),
    "labels/y.npy": y,
  };
  const labels = "labels/y.npy";

  test.each([
    ["array.npy", labels],
    ["array.npy.gz", labels],
    ["fortran.npy", labels],
    ["packed.npz", undefined],
    ["plain.npz", undefined],
    ["tensors.safetensors", undefined],
    ["part-*.npy", labels],
  ])("%s, in memory and on disk", async (name, labelFile) => {
    const folder = temporaryFolder(files);
    const hashes = new Set<string>();
    for (const memory of [1e6, 40]) {
      const given = labelFile === undefined ? {} : { labels: join(folder, labelFile) };
      const options = { ...given, normalise: "none", limit: 4, memory, cache: temporaryFolder() };
      const dataset = await openDataset(join(folder, name), options);
      expect(dataset.count).toBe(4);
      expect([...(await readAll(dataset))]).toEqual(taken);
      expect([...dataset.labels!]).toEqual(takenClasses);
      // Classes of samples that are left out count, as those of pictures do.
      expect(dataset.classNames).toEqual(["0", "1", "2", "3", "4"]);
      expect(dataset.blocks === undefined).toBe(memory > 1000);
      hashes.add(dataset.hash);
    }
    expect(hashes.size).toBe(1);
  });

  test("MNIST's two files", async () => {
    const images = idxFile(
      8,
      [10, 2, 2],
      Uint8Array.from({ length: 40 }, (_, index) => index),
    );
    const folder = temporaryFolder({
      "train-images-idx3-ubyte": images,
      "train-labels-idx1-ubyte": idxFile(8, [10], classes),
    });
    for (const memory of [1e6, 10]) {
      const dataset = await openDataset(join(folder, "train-images-idx3-ubyte"), {
        normalise: "none",
        limit: 4,
        memory,
      });
      expect([...(await readAll(dataset))]).toEqual(
        [0, 2, 5, 7].flatMap((sample) => [0, 1, 2, 3].map((at) => 4 * sample + at)),
      );
      expect([...dataset.labels!]).toEqual(takenClasses);
    }
  });

  test("pictures that are brought into the model's order, one-hot labels, numbers to predict", async () => {
    const pictures = npyFile(
      "|u1",
      [6, 1, 2, 3],
      Uint8Array.from({ length: 36 }, (_, index) => index),
    );
    const oneHot = npyFile("|u1", [6, 3], Uint8Array.of(1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1));
    const folder = temporaryFolder({
      "x.npy": pictures,
      "y.npy": oneHot,
      "z/y.npy": npyFile("<f8", [6, 1], Float64Array.of(0.5, 1, 2, 3, 4, 5)),
    });
    for (const memory of [1e6, 10]) {
      const open = (options: OpenOptions) =>
        openDataset(join(folder, "x.npy"), { normalise: "none", shape: [3, 1, 2], limit: 3, memory, ...options });
      const dataset = await open({ labels: join(folder, "y.npy") });
      expect([...(await readAll(dataset))]).toEqual(
        [0, 12, 24].flatMap((at) => [0, 3, 1, 4, 2, 5].map((value) => at + value)),
      );
      expect([[...dataset.labels!], dataset.classNames]).toEqual([
        [0, 1, 2],
        ["0", "1", "2"],
      ]);
      expect((await open({ labels: join(folder, "z/y.npy") })).targets).toEqual({
        names: ["label"],
        values: Float64Array.of(0.5, 2, 4),
      });
    }
  });

  test("what is not finite is named with its place in its file, and only if it is taken", async () => {
    const bad = values.slice();
    bad[10] = Number.NaN;
    const parts = temporaryFolder({
      "a-0.npy": npyFile("<f4", [4, 2], bad.slice(0, 8)),
      "a-1.npy": npyFile("<f4", [6, 2], bad.slice(8)),
    });
    for (const memory of [1e6, 40]) {
      const open = (limit: number, onBad: "fail" | "skip") =>
        openDataset(join(parts, "a-*.npy"), { limit, memory, onBad, normalise: "none" });
      await expect(open(4, "fail")).rejects.toThrow(/a-1\.npy: .*NaN in sample 1, value 0/);
      const dataset = await open(4, "skip");
      expect([...(await readAll(dataset))]).toEqual([0, 0.5, 2, 2.5, 7, 7.5]);
      expect(dataset.record.notFinite).toEqual({ skipped: 1, samples: [`${join(parts, "a-1.npy")}, sample 1`] });
      // 0, 3 and 6.
      expect((await open(3, "fail")).count).toBe(3);
    }
  });

  test("samples that lie far apart, and batches in any order", async () => {
    const [count, size] = [3000, 1000];
    const many = Float32Array.from({ length: count * size }, (_, index) => Math.floor(index / size));
    const path = join(temporaryFolder({ "far.npy": npyFile("<f4", [count, size], many) }), "far.npy");
    for (const limit of [1499, 50]) {
      const dataset = await openDataset(path, { normalise: "none", limit, memory: 50_000 });
      const expected = [...evenlySpaced(count, limit)];
      const wanted = [limit - 1, 7, 0, 31, 8];
      const target = new Float32Array(wanted.length * size);
      dataset.prepare?.(wanted);
      await dataset.read(wanted, target);
      wanted.forEach((index, place) => {
        expect(new Set(target.subarray(place * size, (place + 1) * size))).toEqual(new Set([expected[index]]));
      });
      const all = await readAll(dataset);
      expect(expected.map((_, at) => all[at * size + size - 1])).toEqual(expected);
    }
  });

  test("of samples in memory, which stay as they are; of a stream the first", async () => {
    const own = values.slice();
    const memory = memoryDataset(own, [2], classes, { limit: 4 });
    expect([...(await readAll(memory))]).toEqual(taken);
    expect([...memory.labels!]).toEqual(takenClasses);
    expect(own).toEqual(values);
    const samples = Array.from(classes, (label, at) => ({ sample: values.slice(2 * at, 2 * at + 2), label }));
    const stream = await streamDataset(samples, [2], { limit: 4 });
    expect([...(await readAll(stream))]).toEqual([...values.slice(0, 8)]);
    expect([...stream.labels!]).toEqual([0, 0, 1, 1]);
  });
});

function transposed(of: Float32Array): Float32Array {
  return Float32Array.from(of, (_, at) => of[(at % 10) * 2 + Math.floor(at / 10)]);
}
