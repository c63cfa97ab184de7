/**
 * TensorBoard's event files: protobuf messages of type tensorflow.Event in TFRecord framing. Only the fields that are
 * written are known here.
 */

/** Counts in bins of equal width from `low` to `high`. */
export interface EventHistogram {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

/** One value of a summary. */
export type EventValue =
  | { readonly tag: string; readonly scalar: number }
  | { readonly tag: string; readonly png: Uint8Array; readonly height: number; readonly width: number }
  | { readonly tag: string; readonly histogram: EventHistogram };

/** The record that begins every event file. @param wallTime seconds since 1970 */
export function versionRecord(wallTime: number): Uint8Array {
  return tfRecord(message([double(1, wallTime), text(3, "brain.Event:2")]));
}

/** Says that what follows begins at this step: whatever an earlier file has from it on is no longer shown. */
export function restartRecord(wallTime: number, step: number): Uint8Array {
  const start = 1;
  return tfRecord(message([double(1, wallTime), varint(2, step), bytes(7, varint(1, start))]));
}

/** A step's values. */
export function summaryRecord(wallTime: number, step: number, values: readonly EventValue[]): Uint8Array {
  const summary = message(values.map((value) => bytes(1, summaryValue(value))));
  return tfRecord(message([double(1, wallTime), varint(2, step), bytes(5, summary)]));
}

function summaryValue(value: EventValue): Uint8Array {
  const tag = text(1, value.tag);
  if ("scalar" in value) return message([tag, float(2, value.scalar)]);
  if ("histogram" in value) return message([tag, bytes(5, histogram(value.histogram))]);
  const rgb = 3;
  const image = message([varint(1, value.height), varint(2, value.width), varint(3, rgb), bytes(4, value.png)]);
  return message([tag, bytes(4, image)]);
}

function histogram({ low, high, counts }: EventHistogram): Uint8Array {
  const width = (high - low) / Math.max(1, counts.length);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const middle = (bin: number): number => low + (bin + 0.5) * width;
  const sum = counts.reduce((total, count, bin) => total + count * middle(bin), 0);
  const squares = counts.reduce((total, count, bin) => total + count * middle(bin) ** 2, 0);
  // The first bucket reaches from minus infinity: an empty one before the first bin gives it its lower end.
  const limits = [low, ...counts.map((_, bin) => low + (bin + 1) * width)];
  return message([
    double(1, low),
    double(2, high),
    double(3, all),
    double(4, sum),
    double(5, squares),
    bytes(6, doubles(limits)),
    bytes(7, doubles([0, ...counts])),
  ]);
}

/** A record with its length and the checksums of both. */
export function tfRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedChecksum(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedChecksum(data), true);
  return record;
}

function maskedChecksum(data: Uint8Array): number {
  const sum = crc32c(data);
  return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
}

/** The remainders of single bytes for the Castagnoli polynomial, reflected. */
const remainders = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0x82f63b78 : 0);
  return remainder;
});

/** CRC-32C (RFC 3720, appendix B.4). */
export function crc32c(data: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of data) sum = (sum >>> 8) ^ remainders[(sum ^ byte) & 255];
  return (sum ^ 0xffffffff) >>> 0;
}

// Protobuf's encoding. Fields of a message stand one after another.

function message(fields: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(fields.reduce((sum, field) => sum + field.length, 0));
  let place = 0;
  for (const field of fields) {
    whole.set(field, place);
    place += field.length;
  }
  return whole;
}

function rawVarint(value: number): Uint8Array {
  const digits: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) digits.push((rest % 128) + 128);
  return Uint8Array.of(...digits, rest);
}

function varint(field: number, value: number): Uint8Array {
  return message([rawVarint(field * 8), rawVarint(value)]);
}

function bytes(field: number, content: Uint8Array): Uint8Array {
  return message([rawVarint(field * 8 + 2), rawVarint(content.length), content]);
}

function text(field: number, content: string): Uint8Array {
  return bytes(field, new TextEncoder().encode(content));
}

function double(field: number, value: number): Uint8Array {
  return message([rawVarint(field * 8 + 1), doubles([value])]);
}

function doubles(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  values.forEach((value, index) => {
    view.setFloat64(8 * index, value, true);
  });
  return new Uint8Array(view.buffer);
}

function float(field: number, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value, true);
  return message([rawVarint(field * 8 + 5), new Uint8Array(view.buffer)]);
}
