import { expect, test } from "vitest";
import { crc32c, restartRecord, summaryRecord, tfRecord, versionRecord } from "../../src/formats/event-file.js";
import { wireFields } from "../../src/formats/wire.js";

test("checksums are those of RFC 3720, appendix B.4", () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e);
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
});

test("a record carries its length and the masked checksums of both parts", () => {
  const record = tfRecord(new TextEncoder().encode("123456789"));
  const view = new DataView(record.buffer);
  const masked = (sum: number) => (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
  expect([record.length, view.getBigUint64(0, true)]).toEqual([25, 9n]);
  expect(view.getUint32(8, true)).toBe(masked(crc32c(record.subarray(0, 8))));
  expect(view.getUint32(21, true)).toBe(masked(0xe3069283));
});

const fields = (bytes: Uint8Array) => [...wireFields(bytes)];
const message = (record: Uint8Array) => record.subarray(12, record.length - 4);

test("events have the fields of tensorflow.Event", () => {
  const version = fields(message(versionRecord(12.5)));
  expect(version.map(({ number }) => number)).toEqual([1, 3]);
  expect(new TextDecoder().decode(version[1].content)).toBe("brain.Event:2");
  expect(fields(message(restartRecord(1, 300))).map(({ number }) => number)).toEqual([1, 2, 7]);
  const png = Uint8Array.of(1, 2, 3);
  const values = [
    { tag: "a", scalar: 1.5 },
    { tag: "b", png, height: 4, width: 5 },
    { tag: "c", histogram: { low: 0, high: 2, counts: [3, 1] } },
  ];
  const [, step, summary] = fields(message(summaryRecord(1, 2 ** 35 + 1, values)));
  expect(step.whole).toEqual(Uint8Array.of(16, 129, 128, 128, 128, 128, 1));
  const parts = fields(summary.content ?? new Uint8Array()).map(({ content }) => fields(content ?? new Uint8Array()));
  expect(parts.map((part) => part.map(({ number }) => number))).toEqual([
    [1, 2],
    [1, 4],
    [1, 5],
  ]);
  expect(fields(parts[1][1].content ?? new Uint8Array()).at(-1)?.content).toEqual(png);
  const histogram = fields(parts[2][1].content ?? new Uint8Array());
  expect(histogram.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  const buckets = histogram[6].content ?? new Uint8Array();
  expect([...new Float64Array(buckets.slice().buffer)]).toEqual([0, 3, 1]);
});
