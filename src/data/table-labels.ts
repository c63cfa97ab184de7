/** The labels of a table's rows. */
import { type Classes, knownClassNames, noNumberOfName, numberByKnown, numberNamedClasses } from "./classes.js";
import type { ColumnProfile } from "./column-profile.js";
import type { OpenOptions } from "./dataset.js";
import type { SampleLabels } from "./sample-labels.js";
import { type ColumnCells, type ColumnNeed, cellAt, numberAt, type TableBlock } from "./table-block.js";
import { isMissing } from "./table-cell.js";
import type { TableSource } from "./table-source.js";

/** Collects the labels of rows: as classes, as numbers, or as both where they can be either and nothing was asked for. */
export class LabelSink {
  readonly #columns: readonly ColumnProfile[];
  readonly #classes: Classes | undefined;
  readonly #labels: Int32Array | undefined;
  readonly #values: Float64Array | undefined;
  readonly #source: TableSource;
  /** Names in the file, whose numbers the labels are. */
  readonly #names: readonly string[] | undefined;
  readonly #classesOfTexts: (number | undefined)[] = [];
  readonly #classesOfNumbers = new Map<number, number | undefined>();

  constructor(source: TableSource, columns: readonly ColumnProfile[], count: number, options: OpenOptions) {
    this.#source = source;
    this.#columns = columns;
    if (columns.length === 0 || options.task === "none") return;
    const kinds = columns.map(labelKinds);
    const numbers = options.task !== "classification" && kinds.every((kind) => kind.numbers);
    if (numbers) this.#values = new Float64Array(count * columns.length);
    if (options.task === "regression" || columns.length > 1 || !kinds[0].classes) return;
    const [label] = columns;
    this.#names = source.classNames?.get(label.name);
    this.#classes =
      this.#names === undefined
        ? numberByKnown(label.distinct, options, source.where)
        : numberNamedClasses(label.distinct, this.#names, knownClassNames(options), source.where);
    this.#labels = new Int32Array(count);
  }

  /** Enters what it needs of a table's columns. */
  need(needs: ColumnNeed[]): void {
    const asNumbers = this.#labels === undefined;
    if (asNumbers && this.#values === undefined) return;
    for (const { index, distinct } of this.#columns)
      needs[index] = asNumbers ? { what: "numbers", distinct: 0 } : { what: "texts", distinct: distinct.size };
  }

  /**
   * Takes the labels of a block's row as those of the sample at a place.
   *
   * @param before rows in front of the block
   * @throws UserError where a label is no number of the file's names
   */
  add({ columns }: TableBlock, row: number, place: number, before: number): void {
    if (this.#labels !== undefined) {
      const cells = columns[this.#columns[0].index];
      const number = this.#classAt(cells, row);
      if (number === undefined) {
        const at = this.#source.place(before + row + 1);
        throw noNumberOfName(String(cellAt(cells, row)), this.#names ?? [], `${at.where}, row ${at.row}`);
      }
      this.#labels[place] = number;
    }
    if (this.#values === undefined) return;
    const width = this.#columns.length;
    for (let column = 0; column < width; column++)
      this.#values[place * width + column] = numberAt(columns[this.#columns[column].index], row);
  }

  /** The class number of a label, −1 where there is none; worked out once for each text or number. */
  #classAt(given: ColumnCells, row: number): number | undefined {
    const find = () => {
      const cell = cellAt(given, row);
      return isMissing(cell) ? -1 : this.#classes!.numberOf.get(String(cell));
    };
    if (given.kind === "cells") return find();
    if (given.kind === "codes") {
      this.#classesOfTexts[given.codes[row]] ??= find();
      return this.#classesOfTexts[given.codes[row]];
    }
    let number = this.#classesOfNumbers.get(given.values[row]);
    if (number === undefined) {
      number = find();
      this.#classesOfNumbers.set(given.values[row], number);
    }
    return number;
  }

  finish(count: number): SampleLabels {
    const names = this.#columns.map(({ name }) => name);
    return {
      ...(this.#labels === undefined
        ? {}
        : { labels: this.#labels.subarray(0, count), classNames: this.#classes!.classNames }),
      ...(this.#values === undefined
        ? {}
        : { targets: { names, values: this.#values.subarray(0, count * names.length) } }),
    };
  }
}

/** What the cells of a label column can be taken for. */
export function labelKinds(profile: ColumnProfile): { classes: boolean; numbers: boolean } {
  const text = profile.choice === "category" || profile.texts > 0;
  const whole = text || [...profile.distinct].every((cell) => Number.isInteger(Number(cell)));
  return {
    classes: !profile.hasTooManyValues && whole && profile.choice !== "number",
    numbers: !text && profile.infinite === 0 && profile.numbers > 0 && profile.missing === 0,
  };
}
