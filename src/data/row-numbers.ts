/** Row numbers of a file some of whose rows are left out. */
export class RowNumbers {
  readonly #left: number[] = [];

  /** Begins anew, as a new reading of the file does. */
  clear(): void {
    this.#left.length = 0;
  }

  leaveOut(row: number): void {
    this.#left.push(row);
  }

  /** The number in the file of a row that is counted without those left out, both from 1. */
  inFile(row: number): number {
    let number = row;
    for (const left of this.#left) {
      if (left > number) break;
      number++;
    }
    return number;
  }
}
