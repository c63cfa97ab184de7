import { describe, expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.js";
import { floatTensor, intTensor, type Tensor } from "../../src/graph/tensor.js";

const where = "weights.safetensors";

function fileOf(header: string, data: ArrayLike<number> = []): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

const tensors = new Map<string, Tensor>([
  ["flags", { type: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) }],
  ["b", floatTensor([1, 2, 3])],
  ["a", floatTensor([4, 5, 6, 7], [2, 2])],
  ["half", { type: "float16", shape: [1], data: Uint16Array.of(15360) }],
  ["brain", { type: "bfloat16", shape: [1], data: Uint16Array.of(16256) }],
  ["steps", intTensor([7], [])],
  ["double", { type: "float64", shape: [1], data: Float64Array.of(0.1) }],
  ["u64", { type: "uint64", shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) }],
  ["i32", { type: "int32", shape: [1], data: Int32Array.of(-1) }],
  ["u32", { type: "uint32", shape: [1], data: Uint32Array.of(1) }],
  ["i16", { type: "int16", shape: [1], data: Int16Array.of(-1) }],
  ["u16", { type: "uint16", shape: [1], data: Uint16Array.of(1) }],
  ["i8", { type: "int8", shape: [1], data: Int8Array.of(-1) }],
  ["u8", { type: "uint8", shape: [0], data: new Uint8Array(0) }],
  ["__proto__", floatTensor([9])],
]);

describe("writeSafetensors", () => {
  it("is read back", () => {
    const bytes = writeSafetensors(tensors, { format: "pt", ä: "ö" });
    const read = readSafetensors(bytes, where);
    expect(read.metadata).toEqual({ format: "pt", ä: "ö" });
    expect(new Map([...read.tensors].sort())).toEqual(new Map([...tensors].sort()));
  });

  it("is read from a Buffer at an odd offset", () => {
    const bytes = writeSafetensors(tensors);
    const buffer = Buffer.alloc(bytes.length + 1);
    buffer.set(bytes, 1);
    expect(readSafetensors(buffer.subarray(1), where).tensors.get("a")).toEqual(tensors.get("a"));
  });

  it("writes these bytes", () => {
    const bytes = writeSafetensors(
      new Map([
        ["b", floatTensor([2])],
        ["a", floatTensor([1])],
        ["n", intTensor([3])],
      ]),
      { k: "v" },
    );
    const header =
      '{"__metadata__":{"k":"v"},"n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},' +
      '"a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    const data = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40];
    expect(Buffer.from(bytes).equals(Buffer.from(fileOf(padded, data)))).toBe(true);
  });

  it("does not depend on the order in which tensors and metadata come", () => {
    const one = writeSafetensors(tensors, { a: "1", b: "2" });
    const other = writeSafetensors(new Map([...tensors].reverse()), { b: "2", a: "1" });
    expect(other).toEqual(one);
  });

  it("aligns every tensor to its elements", () => {
    const bytes = writeSafetensors(tensors);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
      string,
      { data_offsets: number[] }
    >;
    for (const [name, { data }] of tensors)
      if (!Array.isArray(data))
        expect(Object.entries(header).find(([key]) => key === name)![1].data_offsets[0] % data.BYTES_PER_ELEMENT).toBe(
          0,
        );
  });

  it("refuses types and names that the format does not have", () => {
    expect(() => writeSafetensors(new Map([["s", { type: "string", shape: [1], data: ["a"] }]]))).toThrow(/string/);
    expect(() => writeSafetensors(new Map([["__metadata__", floatTensor([1])]]))).toThrow(/__metadata__/);
  });
});

describe("readSafetensors", () => {
  const float = (offsets: string, shape = "[1]") => `{"dtype":"F32","shape":${shape},"data_offsets":${offsets}}`;
  const four = [0, 0, 0x80, 0x3f];
  const bad: [string, Uint8Array][] = [
    ["nothing", new Uint8Array(0)],
    ["seven bytes", new Uint8Array(7)],
    ["a header longer than the file", Uint8Array.of(255, 0, 0, 0, 0, 0, 0, 0, 123, 125)],
    ["a header of 2^63 bytes", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128)],
    ["no JSON", fileOf("{")],
    ["no UTF-8", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 255)],
    ["an array", fileOf("[]")],
    ["null", fileOf("null")],
    ["metadata of numbers", fileOf('{"__metadata__":{"a":1}}')],
    ["metadata that is an array", fileOf('{"__metadata__":["a"]}')],
    ["a null entry", fileOf('{"a":null}')],
    ["an unknown type", fileOf('{"a":{"dtype":"F33","shape":[],"data_offsets":[0,4]}}', four)],
    ["a type from the prototype", fileOf('{"a":{"dtype":"constructor","shape":[],"data_offsets":[0,4]}}', four)],
    ["a shape that is no list", fileOf(`{"a":${float("[0,4]", "4")}}`, four)],
    ["a negative dimension", fileOf(`{"a":${float("[0,4]", "[-1,-1]")}}`, four)],
    ["a fractional dimension", fileOf(`{"a":${float("[0,4]", "[0.5,2]")}}`, four)],
    ["one offset", fileOf(`{"a":${float("[0]")}}`, four)],
    ["offsets in the wrong order", fileOf(`{"a":${float("[4,0]")}}`, four)],
    ["offsets past the end", fileOf(`{"a":${float("[4,8]")}}`, four)],
    ["a shape that does not fit", fileOf(`{"a":${float("[0,4]", "[2]")}}`, four)],
    ["a huge shape", fileOf(`{"a":${float("[0,4]", "[4294967296,4294967296,4294967296]")}}`, four)],
    ["an overlap", fileOf(`{"a":${float("[0,4]")},"b":${float("[0,4]")}}`, four)],
    ["a hole", fileOf(`{"a":${float("[4,8]")}}`, [...four, ...four])],
    ["bytes left over", fileOf(`{"a":${float("[0,4]")}}`, [...four, 0])],
    ["a tensor twice", fileOf(`{"a":${float("[0,4]")}, "a" : ${float("[0,4]")}}`, four)],
    ["a tensor twice, once escaped", fileOf(`{"a":${float("[0,4]")},"\\u0061":${float("[0,4]")}}`, four)],
  ];
  it.each(bad)("refuses %s", (_, bytes) => {
    expect(() => readSafetensors(bytes, where)).toThrow(UserError);
    expect(() => readSafetensors(bytes, where)).toThrow(/^weights\.safetensors: required/);
  });

  it("accepts a file without tensors and one without metadata", () => {
    expect(readSafetensors(fileOf("{}"), where)).toEqual({ tensors: new Map(), metadata: {} });
    expect(readSafetensors(fileOf(`{"a":${float("[0,4]", "[]")}}  `, four), where).tensors.get("a")).toEqual(
      floatTensor([1], []),
    );
  });

  it("answers any damage with tensors or a UserError", () => {
    const whole = writeSafetensors(tensors);
    for (let place = 0; place < whole.length; place++) {
      const bytes = whole.slice();
      bytes[place] ^= 1 << (place % 8);
      for (const damaged of [bytes, whole.subarray(0, place)]) {
        try {
          readSafetensors(damaged, where);
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
        }
      }
    }
  });
});
