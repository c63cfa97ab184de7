import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.js";
import { floatTensor, intTensor, type Tensor } from "../../src/graph/tensor.js";

const where = "weights.safetensors";
const every: readonly Tensor[] = [
  { type: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
  { type: "uint8", shape: [1], data: Uint8Array.of(200) },
  { type: "int8", shape: [1], data: Int8Array.of(-5) },
  { type: "uint16", shape: [1], data: Uint16Array.of(65535) },
  { type: "int16", shape: [1], data: Int16Array.of(-5) },
  { type: "float16", shape: [2], data: Uint16Array.of(0x3c00, 1) },
  { type: "bfloat16", shape: [1], data: Uint16Array.of(0x3f80) },
  { type: "uint32", shape: [1], data: Uint32Array.of(2 ** 32 - 1) },
  { type: "int32", shape: [1], data: Int32Array.of(-5) },
  floatTensor([1, -0, Number.NaN, Number.POSITIVE_INFINITY], [2, 2]),
  { type: "float64", shape: [], data: Float64Array.of(0.1) },
  intTensor([-1, 2]),
  { type: "uint64", shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
  floatTensor([], [3, 0]),
];

/** A file with this header, as text or as what becomes JSON. */
function fileOf(header: unknown, elements = 0): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + elements);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const headerOf = (bytes: Uint8Array): unknown => {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  return JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
};

/** Reads; gives undefined where it is refused by a UserError. Any other error is the test's. */
function readOrRefuse(bytes: Uint8Array) {
  try {
    return readSafetensors(bytes, where);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

describe("safetensors", () => {
  it("come back as they were written", () => {
    const tensors = new Map(every.map((tensor, index) => [`t${index}`, tensor]));
    const metadata = { format: "headstart", ü: "\n" };
    const bytes = writeSafetensors(tensors, metadata);
    const read = readSafetensors(bytes, where);
    expect(new Map([...read.tensors].sort())).toEqual(new Map([...tensors].sort()));
    expect(read.metadata).toEqual(metadata);
    // The elements begin, as the format asks, at a multiple of 8, and wide types stand first.
    expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
    expect([...read.tensors.values()][0].type).toBe("uint64");
  });

  it("come back from any offset of a buffer", () => {
    const bytes = writeSafetensors(new Map([["a", floatTensor([1, 2])]]));
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(readSafetensors(shifted.subarray(3), where).tensors.get("a")?.data).toEqual(Float32Array.of(1, 2));
  });

  it("may be empty", () => {
    const read = readSafetensors(writeSafetensors(new Map()), where);
    expect(read).toEqual({ tensors: new Map(), metadata: {} });
  });

  it("have bytes that do not hang on the order of insertion", () => {
    const [a, b] = [floatTensor([1]), floatTensor([2])];
    const first = writeSafetensors(
      new Map([
        ["a", a],
        ["b", b],
      ]),
      { p: "1", q: "2" },
    );
    const second = writeSafetensors(
      new Map([
        ["b", b],
        ["a", a],
      ]),
      { q: "2", p: "1" },
    );
    expect(second).toEqual(first);
    expect(headerOf(first)).toEqual({
      __metadata__: { p: "1", q: "2" },
      a: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
      b: { dtype: "F32", shape: [1], data_offsets: [4, 8] },
    });
  });

  it("are these bytes", () => {
    const tensors = new Map<string, Tensor>([
      ["b", floatTensor([2])],
      ["a", floatTensor([1])],
      ["n", intTensor([3])],
    ]);
    const header =
      '{"__metadata__":{"k":"v"},"n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},' +
      '"a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}';
    const expected = fileOf(header.padEnd(Math.ceil(header.length / 8) * 8), 16);
    expected.set([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40], expected.length - 16);
    expect(writeSafetensors(tensors, { k: "v" })).toEqual(expected);
  });

  it("have every tensor aligned to its elements", () => {
    const header = headerOf(writeSafetensors(new Map(every.map((tensor, index) => [`t${index}`, tensor]))));
    every.forEach(({ data }, index) => {
      const [begin] = (header as Record<string, { data_offsets: number[] }>)[`t${index}`].data_offsets;
      expect(begin % (data as Uint8Array).BYTES_PER_ELEMENT).toBe(0);
    });
  });

  it("keep any name, number of axes and float32 bits", () => {
    const names = fc.uniqueArray(fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "a.b/c", "😀")), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(names, fc.array(fc.nat(3), { maxLength: 4 }), fc.integer(), (keys, shape, seed) => {
        const size = shape.reduce((product, length) => product * length, 1);
        const tensors = new Map(
          keys
            .filter((name) => name !== "__metadata__")
            .map((name, index) => [
              name,
              floatTensor(
                Float32Array.from({ length: size }, (_, i) => Math.sin(seed + index + i)),
                shape,
              ),
            ]),
        );
        const read = readSafetensors(writeSafetensors(tensors), where).tensors;
        expect([...read.keys()].sort()).toEqual([...tensors.keys()].sort());
        for (const [name, tensor] of tensors) expect(read.get(name)).toEqual(tensor);
      }),
      { seed: 2 },
    );
  });

  it("do not take what the format does not have", () => {
    expect(() => writeSafetensors(new Map([["a", { type: "string", shape: [1], data: ["x"] }]]))).toThrow(/no string/);
    expect(() => writeSafetensors(new Map([["a", floatTensor([1, 2, 3, 4], [3, 2])]]))).toThrow(
      new UserError(
        "tensor a: required 24 bytes of elements, as float32 of the shape [3, 2] has, got 16. Check its shape and data.",
      ),
    );
    expect(() => writeSafetensors(new Map([["__metadata__", floatTensor([1])]]))).toThrow(/__metadata__/);
  });
});

describe("readSafetensors", () => {
  const a = { dtype: "F32", shape: [1], data_offsets: [0, 4] };
  it("reads what others write: spaces, any order, no padding", () => {
    const header = `  {"b" : {"shape":[1],"data_offsets":[4,8],"dtype":"I32"}, "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`;
    const { tensors } = readSafetensors(fileOf(header, 8), where);
    expect(tensors.get("a")).toEqual(floatTensor([0], []));
    expect(tensors.get("b")).toEqual({ type: "int32", shape: [1], data: Int32Array.of(0) });
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(0), /0 bytes/],
    ["seven bytes", new Uint8Array(7), /7 bytes/],
    ["an empty header", fileOf(""), /JSON/],
    ["a header beyond the file", fileOf({ a }, 4).subarray(0, 20), /header of/],
    ["a huge header", Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 1), /header of/],
    ["a header that is no JSON", fileOf("{"), /JSON/],
    ["a header that is no UTF-8", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff), /JSON/],
    ["a very deep header", fileOf("[".repeat(100_000)), /JSON/],
    ["a list", fileOf([]), /object/],
    ["null", fileOf("null"), /object/],
    ["a number", fileOf("1"), /object/],
    ["metadata of numbers", fileOf({ __metadata__: { a: 1 } }), /metadata/],
    ["metadata in a list", fileOf({ __metadata__: ["a"] }), /metadata/],
    ["null as tensor", fileOf({ a: null }), /type for a/],
    ["an unknown type", fileOf({ a: { ...a, dtype: "F7" } }, 4), /F7/],
    ["the name of a method as type", fileOf({ a: { ...a, dtype: "toString" } }, 4), /toString/],
    ["no shape", fileOf({ a: { ...a, shape: undefined } }, 4), /shape for a/],
    ["a negative shape", fileOf({ a: { ...a, shape: [-1] } }, 4), /shape for a/],
    ["a broken shape", fileOf({ a: { ...a, shape: [0.5] } }, 4), /shape for a/],
    ["a shape in a text", fileOf({ a: { ...a, shape: ["1"] } }, 4), /shape for a/],
    ["an overflowing shape", fileOf({ a: { ...a, shape: [2 ** 52, 2 ** 52] } }, 4), /within the file/],
    ["one offset", fileOf({ a: { ...a, data_offsets: [0] } }, 4), /offsets for a/],
    ["a negative offset", fileOf({ a: { ...a, data_offsets: [-4, 0] } }, 4), /offsets for a/],
    ["offsets that go back", fileOf({ a: { ...a, data_offsets: [4, 0] } }, 4), /within the file/],
    ["offsets beyond the file", fileOf({ a }, 3), /within the file/],
    ["offsets that do not fit the shape", fileOf({ a: { ...a, data_offsets: [0, 8] } }, 8), /4 bytes/],
    ["bytes of no tensor before", fileOf({ a: { ...a, data_offsets: [4, 8] } }, 8), /begin at byte 0/],
    ["bytes of no tensor behind", fileOf({ a }, 5), /got 5/],
    ["tensors that overlap", fileOf({ a, b: a }, 4), /begin at byte 4/],
    ["a tensor twice", fileOf(`{"a":${JSON.stringify(a)},"a":${JSON.stringify(a)}}`, 4), /a twice/],
    ["a tensor twice, once escaped", fileOf(`{"a":${JSON.stringify(a)},"\\u0061":${JSON.stringify(a)}}`, 4), /a twice/],
    [
      "a tensor twice, with space",
      fileOf(`{"a":${JSON.stringify(a)},"a"${" ".repeat(50)}:${JSON.stringify(a)}}`, 4),
      /a twice/,
    ],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => readSafetensors(bytes, where)).toThrow(UserError);
    expect(() => readSafetensors(bytes, where)).toThrow(message);
    expect(() => readSafetensors(bytes, where)).toThrow(/^weights\.safetensors: /);
  });

  it("reads metadata of any length", () => {
    const text = "x\\".repeat(5_000_000);
    const bytes = writeSafetensors(new Map(), { text });
    expect(readSafetensors(bytes, where).metadata.text === text).toBe(true);
  });

  it("answers any damage with tensors or a UserError", () => {
    const whole = writeSafetensors(new Map(every.map((tensor, index) => [`t${index}`, tensor])), { a: "b" });
    for (let length = 0; length < whole.length; length++)
      expect(readOrRefuse(whole.subarray(0, length))).toBeUndefined();
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = whole.slice();
        for (const [place, byte] of changes) bytes[place] = byte;
        readOrRefuse(bytes);
      }),
      { seed: 3, numRuns: 1000 },
    );
  });

  it("answers any header with tensors or a UserError", () => {
    const number = fc.oneof(fc.integer({ min: -2, max: 16 }), fc.double(), fc.constant(2 ** 53));
    const entry = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom("F32", "F16", "BOOL", "I64"), fc.string()),
        shape: fc.oneof(fc.array(number, { maxLength: 3 }), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(number, number), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const header = fc.oneof(fc.dictionary(fc.string(), fc.oneof(entry, fc.jsonValue())), fc.jsonValue());
    fc.assert(
      fc.property(header, fc.nat(32), (json, size) => {
        const read = readOrRefuse(fileOf(json, size));
        if (!read) return;
        let bytes = 0;
        for (const { data } of read.tensors.values()) bytes += (data as Uint8Array).byteLength;
        expect(bytes).toBe(size);
      }),
      { seed: 4, numRuns: 1000 },
    );
  });
});
