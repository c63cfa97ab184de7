import { RandomStream } from "../random/stream.js";
import type { ColumnCells } from "./table-block.js";
import { type Cell, isFormattedNumber, isMissing, largestNumber, numberIn } from "./table-cell.js";

/** What a user says a column is. */
export type ColumnChoice = "number" | "category" | "drop";

/** So many values are kept, drawn evenly from all, to tell a column's quantiles. */
const mostKept = 20_000;

/** What is learned of one column in a first pass over the rows. */
export class ColumnProfile {
  readonly name: string;
  readonly index: number;
  missing = 0;
  /** Cells with a finite number, with one that is infinite as float32, and with another text. */
  numbers = 0;
  infinite = 0;
  texts = 0;
  /** Of the texts those that are numbers as people write them, and the first of them. */
  formatted = 0;
  firstFormatted: { row: number; cell: string } | undefined;
  mean = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** Row (from 1) of the first missing value, of the first infinite number, and of the first text. */
  firstMissing: number | undefined;
  firstInfinite: number | undefined;
  firstText: { row: number; cell: string } | undefined;
  readonly #texts = new Set<string>();
  /** Numbers are told apart as numbers: making texts of all of them takes most of the time. */
  readonly #values = new Set<number>();
  /** Which known texts have come. */
  readonly #seen: boolean[] = [];
  /** Whether the numbers rise by 1 from row to row, as those of an index do. */
  counting = true;
  /** What the user says the column is, if anything. */
  readonly choice: ColumnChoice | undefined;
  readonly #distinctLimit: number;
  readonly #kept: number[] | undefined;
  readonly #rowOf: (row: number) => number;
  #draws: RandomStream | undefined;
  #squares = 0;
  #first = 0;

  /**
   * @param keepValues keeps an even sample of the values, for {@link quantiles}
   * @param rowOf the number that a row has in the whole table, where only some are shown
   */
  constructor(
    name: string,
    index: number,
    distinctLimit: number,
    choice?: ColumnChoice,
    keepValues = false,
    rowOf = (row: number): number => row,
  ) {
    this.name = name;
    this.index = index;
    this.choice = choice;
    this.#distinctLimit = distinctLimit;
    this.#kept = keepValues ? [] : undefined;
    this.#rowOf = rowOf;
  }

  /**
   * Takes in the cells of neighbouring rows.
   *
   * @param count how many
   * @param row the first one's number, from 1
   */
  addBlock(column: ColumnCells, count: number, row: number): void {
    if (column.kind === "numbers") {
      const { values } = column;
      for (let at = 0; at < count; at++) {
        const value = values[at];
        if (Number.isNaN(value)) this.#addMissing(row + at);
        else {
          if (this.#texts.size + this.#values.size <= this.#distinctLimit) this.#values.add(value);
          this.#addNumber(value, row + at);
        }
      }
      return;
    }
    if (column.kind === "cells") {
      for (let at = 0; at < count; at++) this.add(column.cells[at], row + at);
      return;
    }
    const { texts, numbers, missing } = column.texts;
    for (let at = 0; at < count; at++) {
      const code = column.codes[at];
      if (missing[code]) {
        this.#addMissing(row + at);
        continue;
      }
      if (!this.#seen[code]) {
        this.#seen[code] = true;
        if (this.#texts.size + this.#values.size <= this.#distinctLimit) this.#texts.add(texts[code]);
      }
      const value = numbers[code];
      if (Number.isNaN(value)) this.#addText(texts[code], row + at);
      else this.#addNumber(value, row + at);
    }
  }

  /** Takes in the cell of a row, counted from 1. */
  add(cell: Cell, row: number): void {
    if (isMissing(cell)) {
      this.#addMissing(row);
      return;
    }
    if (this.#texts.size + this.#values.size <= this.#distinctLimit) {
      if (typeof cell === "number") this.#values.add(cell);
      else this.#texts.add(cell!);
    }
    const value = numberIn(cell);
    if (value === undefined) this.#addText(String(cell), row);
    else this.#addNumber(value, row);
  }

  #addMissing(row: number): void {
    this.missing++;
    this.firstMissing ??= row;
    this.counting = false;
  }

  #addText(cell: string, row: number): void {
    this.texts++;
    this.counting = false;
    this.firstText ??= { row, cell };
    if (!isFormattedNumber(cell)) return;
    this.formatted++;
    this.firstFormatted ??= { row, cell };
  }

  #addNumber(value: number, row: number): void {
    if (!(Math.abs(value) <= largestNumber)) {
      this.infinite++;
      this.firstInfinite ??= row;
      return;
    }
    this.numbers++;
    if (this.#kept !== undefined) this.#keep(value);
    if (this.numbers === 1) this.#first = value;
    if (this.counting && value !== this.#first + this.#rowOf(row) - 1) this.counting = false;
    // Welford's update keeps the variance exact for large values of small spread.
    const deviation = value - this.mean;
    this.mean += deviation / this.numbers;
    this.#squares += deviation * (value - this.mean);
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  /** Distinct cells, up to one more than the limit. */
  get distinct(): ReadonlySet<string> {
    return new Set([...this.#texts, ...Array.from(this.#values, String)]);
  }

  /** Whether every cell with a value is a number. */
  get numeric(): boolean {
    if (this.choice === "category") return false;
    if (this.choice === "number") return true;
    return this.texts === 0 && this.numbers + this.infinite > 0;
  }

  /** Values at `count` evenly spaced shares of all, from the smallest to the largest. */
  quantiles(count: number): number[] {
    const sorted = Float64Array.from(this.#kept ?? []).sort();
    return Array.from({ length: count }, (_, index) => {
      const place = (index / (count - 1)) * (sorted.length - 1);
      const below = Math.floor(place);
      const above = Math.min(below + 1, sorted.length - 1);
      return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    });
  }

  /** Every value is kept with the same probability (Vitter's algorithm R). */
  #keep(value: number): void {
    const kept = this.#kept!;
    if (kept.length < mostKept) {
      kept.push(value);
      return;
    }
    this.#draws ??= new RandomStream(0, `quantiles/${this.name}`);
    const place = this.#draws.below(this.numbers);
    if (place < mostKept) kept[place] = value;
  }

  /** Standard deviation (of the population) of the numbers. */
  get std(): number {
    return this.numbers === 0 ? 0 : Math.sqrt(this.#squares / this.numbers);
  }

  get hasTooManyValues(): boolean {
    return this.#texts.size + this.#values.size > this.#distinctLimit;
  }
}
