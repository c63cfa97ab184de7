import { expect, test } from "vitest";
import { readParquetFooter } from "../../src/data/parquet-footer.js";
import { thriftStruct } from "./thrift-struct.js";

const mark = [...Buffer.from("PAR1")];
const content = new Array(20).fill(1);

/** What a file of one column of three numbers says at its end, or something else. */
interface Said {
  rows?: number;
  groupRows?: number;
  values?: number;
  children?: number;
  childrenOfLeaf?: number;
  type?: number;
  name?: string;
  start?: number;
  packed?: number;
  unpacked?: number;
  groupUnpacked?: number;
}

function footerOf(said: Said): number[] {
  const { rows = 3, groupRows = 3, values = 3, children = 1, childrenOfLeaf, type = 1, name = "x" } = said;
  const { start = 4, packed = 20, unpacked = 20, groupUnpacked = 20 } = said;
  const column = [
    type,
    { list: [0] },
    { list: [name] },
    0,
    BigInt(values),
    BigInt(unpacked),
    BigInt(packed),
    undefined,
    BigInt(start),
  ];
  const group = [{ list: [[undefined, BigInt(0), column]] }, BigInt(groupUnpacked), BigInt(groupRows)];
  const schema = [
    [undefined, undefined, undefined, "root", children],
    [1, undefined, 0, "x", childrenOfLeaf],
  ];
  return thriftStruct([1, { list: schema }, BigInt(rows), { list: [group] }]);
}

function read(footer: readonly number[], length = footer.length) {
  const tail = [...new Uint8Array(Int32Array.of(length).buffer), ...mark];
  const bytes = Uint8Array.from([...mark, ...content, ...footer, ...tail]);
  return readParquetFooter({
    byteLength: bytes.length,
    slice: (from, to) => Promise.resolve(bytes.slice(from, to).buffer),
  });
}

test("the end of a file says what there is and where", async () => {
  const { rows, columns, groups } = await read(footerOf({}));
  expect(rows).toBe(3);
  expect(columns.map(({ element }) => element.name)).toEqual(["x"]);
  expect(groups[0].leaves.get(columns[0])).toMatchObject([{ path: ["x"], start: 4, length: 20 }]);
});

test.each<[string, Said]>([
  ["other rows than its groups have", { rows: 4 }],
  ["more rows than any group has", { rows: 2 ** 31, groupRows: 2 ** 31, values: 2 ** 31 }],
  ["less than no rows", { rows: -3, groupRows: -3, values: -3 }],
  ["other values than rows", { values: 2 }],
  // Names of columns would be looked for two thousand million times.
  ["more children than there are", { children: 2 ** 31 - 1 }],
  ["more children of a leaf than there are", { childrenOfLeaf: 2 ** 31 - 1 }],
  ["fewer children than there are", { children: 0 }],
  ["less than no children", { children: -1 }],
  ["a column of another type", { type: 2 }],
  ["a column of another name", { name: "y" }],
  ["a column before the beginning", { start: -4 }],
  ["a column beyond the end", { start: 5 }],
  ["a column longer than the file", { packed: 2 ** 40 }],
  ["a column of less than nothing", { packed: -1 }],
  ["a column that unpacks to more than can be held", { unpacked: 2 ** 40 }],
  ["a group that unpacks to more than can be held", { groupUnpacked: 2 ** 40 }],
])("%s are refused", async (_, said) => {
  await expect(read(footerOf(said))).rejects.toThrow(Error);
});

test("a length of the end that does not fit is refused", async () => {
  const footer = footerOf({});
  for (const length of [0, footer.length - 1, footer.length + 30, 2 ** 31 - 1]) {
    await expect(read(footer, length), `${length}`).rejects.toThrow(Error);
  }
  await expect(readParquetFooter({ byteLength: 4, slice: async () => new ArrayBuffer(4) })).rejects.toThrow(RangeError);
});
