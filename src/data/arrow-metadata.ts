import type { FlatField, FlatTable } from "./flatbuffer-check.js";

/** The tables of Arrow's metadata. Source: Apache Arrow's format/Schema.fbs, Message.fbs and File.fbs. */

const scalar = (bytes: number): FlatField => ({ kind: "scalar", bytes });
const vector = (bytes: number): FlatField => ({ kind: "vector", bytes });
const text: FlatField = { kind: "string" };

const keyValue: FlatTable = [text, text];
const keyValues: FlatField = { kind: "tables", table: () => keyValue };
const int: FlatTable = [scalar(4), scalar(1)];

/** What a field's type holds, by its number; those that are left out hold nothing. */
const types: Readonly<Record<number, FlatTable>> = {
  2: int,
  // A floating point number's precision, a date's, interval's or duration's unit.
  3: [scalar(2)],
  8: [scalar(2)],
  11: [scalar(2)],
  18: [scalar(2)],
  // A decimal's precision, scale and width.
  7: [scalar(4), scalar(4), scalar(4)],
  // A time's unit and width, a timestamp's unit and zone.
  9: [scalar(2), scalar(4)],
  10: [scalar(2), text],
  // A union's mode and the numbers of its types.
  14: [scalar(2), vector(4)],
  // Binary and lists of a fixed size, and whether a map's keys are sorted.
  15: [scalar(4)],
  16: [scalar(4)],
  17: [scalar(1)],
};

const dictionaryEncoding: FlatTable = [scalar(8), { kind: "table", table: () => int }, scalar(1), scalar(2)];

const field: FlatTable = [
  text,
  scalar(1),
  scalar(1),
  { kind: "union", tables: types },
  { kind: "table", table: () => dictionaryEncoding },
  { kind: "tables", table: () => field },
  keyValues,
];

const schema: FlatTable = [scalar(2), { kind: "tables", table: () => field }, keyValues, vector(8)];

const compression: FlatTable = [scalar(1), scalar(1)];

/** Length; nodes and buffers of two numbers each. */
const recordBatch: FlatTable = [
  scalar(8),
  vector(16),
  vector(16),
  { kind: "table", table: () => compression },
  vector(8),
];

const dictionaryBatch: FlatTable = [scalar(8), { kind: "table", table: () => recordBatch }, scalar(1)];

/** A message's metadata. */
export const messageTable: FlatTable = [
  scalar(2),
  scalar(1),
  { kind: "union", tables: { 1: schema, 2: dictionaryBatch, 3: recordBatch } },
  scalar(8),
  keyValues,
];

/** A file's footer: its blocks are three numbers each. */
export const footerTable: FlatTable = [
  scalar(2),
  { kind: "table", table: () => schema },
  vector(24),
  vector(24),
  keyValues,
];
