import { isMissing, numberIn } from "./table-rows.js";

/** What is learned of one column in a first pass over the rows. */
export class ColumnProfile {
  readonly name: string;
  readonly index: number;
  missing = 0;
  /** Cells with a number, and with another text. */
  numbers = 0;
  texts = 0;
  mean = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** Row (from 1) of the first infinite number and of the first text. */
  firstInfinite: number | undefined;
  firstText: { row: number; cell: string } | undefined;
  /** Distinct cells, up to one more than the limit. */
  readonly distinct = new Set<string>();
  /** Whether the numbers rise by 1 from row to row, as those of an index do. */
  counting = true;
  readonly #distinctLimit: number;
  #squares = 0;
  #first = 0;

  constructor(name: string, index: number, distinctLimit: number) {
    this.name = name;
    this.index = index;
    this.#distinctLimit = distinctLimit;
  }

  /** Takes in the cell of a row, counted from 1. */
  add(cell: string, row: number): void {
    if (isMissing(cell)) {
      this.missing++;
      this.counting = false;
      return;
    }
    if (this.distinct.size <= this.#distinctLimit) this.distinct.add(cell);
    const value = numberIn(cell);
    if (value === undefined) {
      this.texts++;
      this.counting = false;
      this.firstText ??= { row, cell };
      return;
    }
    this.numbers++;
    if (!Number.isFinite(value)) {
      this.firstInfinite ??= row;
      return;
    }
    if (this.numbers === 1) this.#first = value;
    if (value !== this.#first + row - 1) this.counting = false;
    // Welford's update keeps the variance exact for large values of small spread.
    const deviation = value - this.mean;
    this.mean += deviation / this.numbers;
    this.#squares += deviation * (value - this.mean);
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  /** Whether every cell with a value is a number. */
  get numeric(): boolean {
    return this.texts === 0 && this.numbers > 0;
  }

  /** Standard deviation (of the population) of the numbers. */
  get std(): number {
    return this.numbers === 0 ? 0 : Math.sqrt(this.#squares / this.numbers);
  }

  get hasTooManyValues(): boolean {
    return this.distinct.size > this.#distinctLimit;
  }
}
