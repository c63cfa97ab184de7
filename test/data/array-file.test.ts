import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { describeArrayFile, gatherArrays } from "../../src/data/array-file.js";
import { FileSamples } from "../../src/data/file-samples.js";
import { UserError } from "../../src/errors.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { idxFile, npyFile, safetensorsFile } from "./array-files.js";

const samples = npyFile("<f4", [2, 3], new Float32Array([1, 2, 3, 4, 5, 6]));
const labels = npyFile("<i4", [2], new Int32Array([1, 0]));

function written(bytes: Uint8Array, name = "file.npz"): { path: string; folder: string } {
  const folder = temporaryFolder();
  writeFileSync(join(folder, name), bytes);
  return { path: join(folder, name), folder };
}

async function described(bytes: Uint8Array, name?: string, labelled?: string) {
  const { path, folder } = written(bytes, name);
  return (await describeArrayFile(path, { labels: labelled, cache: folder }))!;
}

describe("NPZ", () => {
  test("finds the only deep array and the labels, packed or stored", async () => {
    for (const level of [0, 9] as const) {
      const found = await described(zipSync({ "pictures.npy": samples, "y.npy": labels }, { level }));
      expect(await found.load()).toEqual({ data: new Float32Array([1, 2, 3, 4, 5, 6]), dims: [2, 3] });
      expect([...(await found.labels!.load()).data]).toEqual([1, 0]);
    }
  });

  test("takes the usual name among several, and labels by name", async () => {
    const archive = zipSync({
      "a.npy": npyFile("<f4", [1, 1], new Float32Array(1)),
      "x_train.npy": samples,
      "kinds.npy": labels,
    });
    expect((await described(archive)).dims).toEqual([2, 3]);
    expect((await described(archive)).labels).toBeUndefined();
    expect([...(await (await described(archive, undefined, "kinds")).labels!.load()).data]).toEqual([1, 0]);
    await expect(described(archive, undefined, "nothing")).rejects.toThrow(/nothing/);
  });

  test("passes over texts and objects beside the samples, but not as labels", async () => {
    const texts = npyFile("<U1", [2], new Uint32Array([97, 98]));
    const archive = zipSync({ "x.npy": samples, "y.npy": labels, "class_names.npy": texts });
    expect([...(await (await described(archive)).labels!.load()).data]).toEqual([1, 0]);
    await expect(described(archive, undefined, "class_names")).rejects.toThrow(/class_names\].* got the type <U1/);
    await expect(described(zipSync({ "x.npy": samples, "y.npy": texts }))).rejects.toThrow(/y\].* got the type <U1/);
    // Neither as samples, nor where nothing else may be meant.
    await expect(described(zipSync({ "x.npy": texts, "z.npy": samples }))).rejects.toThrow(/x\].* got the type <U1/);
    await expect(described(zipSync({ "features.npy": texts, "y.npy": labels }))).rejects.toThrow(
      /features\].* got the type <U1/,
    );
  });

  test("passes over an empty file, packed or stored", async () => {
    for (const level of [0, 9] as const) {
      const archive = zipSync({ "x.npy": samples, "empty.npy": new Uint8Array(0) }, { level });
      expect((await described(archive)).dims).toEqual([2, 3]);
    }
  });

  test("refuses several arrays of unknown names, naming them", async () => {
    await expect(described(zipSync({ "a.npy": samples, "b.npy": samples }))).rejects.toThrow(/a \[2, 3\], b \[2, 3\]/);
  });

  test("refuses a truncated archive, one with an impossible size, and one that unpacks to more than it says", async () => {
    const archive = zipSync({ "x.npy": samples });
    await expect(described(archive.subarray(0, 60))).rejects.toThrow(UserError);
    const entry = Buffer.from(archive).lastIndexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    const lying = archive.slice();
    // The central directory's entry holds the unpacked size 24 bytes after its signature.
    new DataView(lying.buffer).setUint32(entry + 24, 4e9, true);
    await expect(described(lying)).rejects.toThrow(/impossible size/);
    // Lengths of the name, of what else is said, and of a comment that go beyond the directory.
    for (const place of [28, 30, 32]) {
      const long = archive.slice();
      new DataView(long.buffer).setUint16(entry + place, 60_000, true);
      await expect(described(long), `${place}`).rejects.toThrow(/broken directory/);
    }
    const small = archive.slice();
    new DataView(small.buffer).setUint32(entry + 24, 100, true);
    await expect(described(small).then((found) => found.load())).rejects.toThrow(UserError);
  });

  test("refuses an array that is not what was packed, in memory and larger than it", async () => {
    for (const level of [0, 9] as const) {
      const archive = zipSync({ "x.npy": samples, "y.npy": labels }, { level });
      const directory = Buffer.from(archive).indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
      // Its entry holds the checksum 16 bytes after its signature: the content does not fit then, packed or not.
      archive[directory + 16] ^= 1;
      const found = await described(archive);
      for (const memory of [{}, { memory: 10 }])
        await expect(gatherArrays([found], memory)).rejects.toThrow(
          /\[x\]: required content with the checksum [0-9a-f]{8}, as the archive says, got [0-9a-f]{8}\. The archive is damaged/,
        );
      expect([...(await found.labels!.load()).data]).toEqual([1, 0]);
    }
  });

  test("refuses an array of which a byte was changed", async () => {
    const archive = zipSync({ "x.npy": samples }, { level: 0 });
    const place = Buffer.from(archive).indexOf(Buffer.from(new Float32Array([6]).buffer));
    archive[place + 3] ^= 2;
    await expect(gatherArrays([await described(archive)], {})).rejects.toThrow(/The archive is damaged/);
  });
});

describe("safetensors", () => {
  test("reads samples and labels by their usual names, and 16-bit floats", async () => {
    const file = safetensorsFile({
      images: { dtype: "F32", shape: [2, 2], bytes: new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer) },
      labels: { dtype: "I64", shape: [2], bytes: new Uint8Array(new BigInt64Array([1n, 0n]).buffer) },
    });
    const found = await described(file, "a.safetensors");
    expect((await found.load()).data).toEqual(new Float32Array([1, 2, 3, 4]));
    expect([...(await found.labels!.load()).data]).toEqual([1, 0]);
    const brain = safetensorsFile({
      x: { dtype: "BF16", shape: [1, 2], bytes: Uint8Array.of(0x80, 0x3f, 0x40, 0xc0) },
    });
    expect([...(await (await described(brain, "b.safetensors")).load()).data]).toEqual([1, -3]);
  });

  test("refuses a header longer than the file, and tensors beyond its end", async () => {
    const file = safetensorsFile({ x: { dtype: "F32", shape: [1, 2], bytes: new Uint8Array(8) } });
    await expect(described(file.subarray(0, 30), "a.safetensors")).rejects.toThrow(/longer than the file/);
    await expect(described(file.subarray(0, file.length - 1), "a.safetensors")).rejects.toThrow(/not there/);
  });

  test("refuses a tensor that is not described, and passes over types that are none", async () => {
    for (const entry of ["null", "7", '"x"', "{}"]) {
      const text = Buffer.from(`{"x":${entry}}`);
      const head = Buffer.alloc(8);
      head.writeUInt32LE(text.length);
      await expect(described(Buffer.concat([head, text]), "a.safetensors"), entry).rejects.toThrow(
        /x, which is not described/,
      );
    }
    const odd = safetensorsFile({ x: { dtype: "toString", shape: [2, 1], bytes: new Uint8Array(2) } });
    await expect(described(odd, "a.safetensors")).rejects.toThrow(/got no array/);
  });
});

describe("larger than memory", () => {
  const values = Float32Array.from({ length: 600 }, (_, index) => index);
  const big = npyFile("<f4", [200, 3], values);

  test.each([
    ["npy", big, "a.npy"],
    ["npy, gzipped", gzipSync(big), "a.npy.gz"],
    ["npz, stored", zipSync({ "x.npy": big }, { level: 0 }), "a.npz"],
    ["npz, packed", zipSync({ "x.npy": big }), "a.npz"],
    ["16-bit IDX", idxFile(11, [200, 3], swapped(values)), "a-idx2-ubyte"],
    ["safetensors", safetensorsFile({ x: { dtype: "F32", shape: [200, 3], bytes: bytesOf(values) } }), "a.safetensors"],
  ])("%s is read from where it lies", async (_, bytes, name) => {
    const file = await described(bytes, name);
    const gathered = await gatherArrays([file, file], { memory: 1000 });
    if (!("filed" in gathered)) throw new Error("it was read into memory");
    const read = new FileSamples(gathered.filed.segments, 3, 1000);
    expect(read.count).toBe(400);
    const found: number[] = [];
    await read.read([399, 0, 201, 7], (data, from, place) => {
      found[place] = data[from + 1];
    });
    expect(found).toEqual([598, 1, 4, 22]);
  });

  test("a gzip bomb is not unpacked beyond what its header says", async () => {
    const bomb = gzipSync(Buffer.concat([big, Buffer.alloc(1e6)]));
    const file = await described(bomb, "a.npy.gz");
    await expect(gatherArrays([file], { memory: 1000 })).rejects.toThrow(/got more/);
    await expect(gatherArrays([file], {})).rejects.toThrow(/got more/);
  });

  test("files of different shapes or types are refused", async () => {
    const other = await described(npyFile("<f8", [1, 3], new Float64Array(3)), "b.npy");
    const file = await described(big, "a.npy");
    await expect(gatherArrays([file, other], {})).rejects.toThrow(/one type/);
    const wide = await described(npyFile("<f4", [1, 4], new Float32Array(4)), "b.npy");
    await expect(gatherArrays([file, wide], {})).rejects.toThrow(/required samples of the shape \[3\]/);
  });
});

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer);
}

function swapped(values: Float32Array): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(values.length * 2));
  values.forEach((value, index) => {
    bytes.setInt16(2 * index, value);
  });
  return new Uint8Array(bytes.buffer);
}
