/** Classes of positions: masks of pictures, and marks along signals. */
import { userError } from "../errors.js";
import { type KnownClasses, knownClassNames, shorten } from "./classes.js";
import { sizeOf } from "./dataset.js";
import { readFitted } from "./fitted-record.js";
import { labelsOption } from "./labels-option.js";
import type { RawArray } from "./sample-array.js";

/** What stands where a position has no class: such positions are neither trained on nor judged. */
export const noClass = 255;

/** A class at each position of each sample. */
export interface LabelMaps {
  /** Positions of a sample: [height, width] of a picture, [length] of a signal. */
  readonly shape: readonly number[];
  /** Class numbers from 0, or {@link noClass}: [maps, ...shape], row-major. */
  readonly values: Uint8Array;
  /** Which of the maps is each sample's. */
  readonly rows: Uint32Array;
  /** Whether {@link noClass} stood for class 1, as in masks of a single object, so that no position is without a class. */
  readonly objects: boolean;
  /** Of masks in colour, the colour of each class, such as "#ff0000". */
  readonly colours?: readonly string[];
}

/** The map of one sample, row-major; a view. */
export function mapOf({ shape, values, rows }: LabelMaps, sample: number): Uint8Array {
  const size = sizeOf(shape);
  return values.subarray(rows[sample] * size, (rows[sample] + 1) * size);
}

/** Those of some samples. The maps themselves are not copied. */
export function pickMaps(maps: LabelMaps, kept: ArrayLike<number>): LabelMaps {
  return { ...maps, rows: Uint32Array.from(kept, (index) => maps.rows[index]) };
}

/**
 * The same maps at fewer positions, each of which has the class that lies nearest to its middle.
 *
 * @param shape [height, width], neither more than the maps have
 */
export function coarserMaps(maps: LabelMaps, [height, width]: readonly number[]): LabelMaps {
  const [rows, columns] = maps.shape;
  const from = rows * columns;
  const count = maps.values.length / from;
  const values = new Uint8Array(count * height * width);
  const nearest = (place: number, length: number, of: number): number => Math.floor(((place + 0.5) * of) / length);
  for (let map = 0, put = 0; map < count; map++)
    for (let y = 0; y < height; y++) {
      const row = map * from + nearest(y, height, rows) * columns;
      for (let x = 0; x < width; x++) values[put++] = maps.values[row + nearest(x, width, columns)];
    }
  return { ...maps, shape: [height, width], values };
}

/** How many positions of all samples are of each class that there is a number for, from 0 on. */
export function positionsByClass(maps: LabelMaps): number[] {
  const counts = new Float64Array(noClass);
  for (let sample = 0; sample < maps.rows.length; sample++)
    for (const value of mapOf(maps, sample)) if (value !== noClass) counts[value]++;
  return [...counts.subarray(0, counts.findLastIndex((count) => count > 0) + 1)];
}

/** What is said where it did. */
export const objectsNote = `the values of the masks are 0 and ${noClass}: ${noClass} is class 1`;

/** What the user should know of how maps were understood, in sentences. */
export function mapNotes({ objects, colours }: Pick<LabelMaps, "objects" | "colours">): string[] {
  return [
    ...(objects ? [objectsNote] : []),
    ...(colours === undefined ? [] : [`the masks are in colour; their classes are, from 0 on, ${shorten(colours)}`]),
  ];
}

/** Class numbers of maps, and how they were understood. */
export type MapClasses = Pick<LabelMaps, "values" | "objects">;

/**
 * The class numbers of maps as files have them. 255, and −1, are no class; where 0 and 255 are all there is, as in masks of a
 * single object, 255 is class 1.
 *
 * @param values whole numbers
 * @param fitted the record of data whose maps are to be understood alike
 * @param describe where the value of this place is, for messages
 * @throws UserError naming the first value that can be no class
 */
export function classesOfMaps(
  values: ArrayLike<number>,
  fitted: Record<string, unknown> | undefined,
  describe: (place: number) => string,
): MapClasses {
  const classes = new Uint8Array(values.length);
  let [others, full] = [false, false];
  for (let place = 0; place < values.length; place++) {
    const value = values[place];
    if (!(Number.isInteger(value) && value >= -1 && value <= noClass))
      throw userError({
        where: describe(place),
        required: `class numbers from 0 to ${noClass - 1}, or ${noClass} where there is no class`,
        got: `${value}`,
        advice: "Save the maps as whole numbers, one for each position",
      });
    if (value === noClass) full = true;
    else if (value !== 0) others = true;
    classes[place] = value < 0 ? noClass : value;
  }
  const objects = readFitted(fitted)?.maps?.objects ?? (full && !others);
  if (objects) for (let place = 0; place < classes.length; place++) if (classes[place] === noClass) classes[place] = 1;
  return { values: classes, objects };
}

/** Whether an array is [N, height, width] of what can be class numbers, where nobody says what it is. */
export function areMaps({ dims, data }: RawArray): boolean {
  const isClass = (value: number): boolean => Number.isInteger(value) && value >= -1 && value <= noClass;
  return dims.slice(1).filter((length) => length !== 1).length === 2 && data.every(isClass);
}

/**
 * The maps in an array, [N, ...positions]; axes of length 1 do not count.
 *
 * @param of samples that the data has
 * @throws UserError if the array has another length, is no map, or holds what can be no class
 */
export function mapsOfArray(
  { array, where }: { readonly array: RawArray; readonly where: string },
  of: number,
  known: KnownClasses,
): { maps: LabelMaps; classNames?: readonly string[] } {
  const { dims, data } = array;
  const shape = dims.slice(1).filter((length) => length !== 1);
  if (dims[0] !== of || shape.length < 1 || shape.length > 2)
    throw userError({
      where,
      required: `a class number for each position of ${of} samples: [${of}, height, width], or [${of}, length]`,
      got: `an array of the shape [${dims.join(", ")}]`,
      advice: `Name the array or file that has them (${labelsOption}); of scores by class take numpy.argmax`,
    });
  const size = data.length / of;
  const classes = classesOfMaps(data, known.fitted, (place) => `${where}, sample ${Math.floor(place / size)}`);
  const classNames = knownClassNames(known);
  return {
    maps: { shape, ...classes, rows: Uint32Array.from({ length: of }, (_, index) => index) },
    ...(classNames === undefined ? {} : { classNames }),
  };
}
