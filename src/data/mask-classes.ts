/** Which class each value of masks is, decided over all masks of a data set together. */
import { userError } from "../errors.js";
import type { KnownClasses } from "./classes.js";
import type { MaskValue } from "./decode-mask.js";
import { readFitted } from "./fitted-record.js";
import { classesOfMaps, type LabelMaps, noClass } from "./label-maps.js";

/** The values of one mask, and what the mask is called in messages. */
export interface ValuesOfMask {
  readonly where: string;
  readonly values: readonly MaskValue[];
}

/** Class numbers of masks, and how they were understood. */
export interface MaskClasses extends Pick<LabelMaps, "objects" | "colours"> {
  /** By mask, the class of each of its values. */
  readonly classes: readonly Uint8Array[];
}

/**
 * The classes of masks. Where a mask is in colour, or those of the data that was fitted on were, each colour is a class, in the
 * order of the colours' values (so black is class 0); else numbers are classes, see {@link classesOfMaps}.
 *
 * @throws UserError naming the first mask with a value that can be no class
 */
export function classesOfMasks(masks: readonly ValuesOfMask[], { fitted }: KnownClasses): MaskClasses {
  const known = readFitted(fitted)?.maps;
  const coloured = masks.find(({ values }) => values.some(({ number }) => number === undefined));
  if (known?.colours !== undefined || (known === undefined && coloured !== undefined))
    return classesOfColours(masks, known?.colours);
  if (coloured !== undefined) {
    throw userError({
      where: coloured.where,
      required: "class numbers, as the masks of the training data have",
      got: "a mask in colour",
      advice: "Save all masks alike",
    });
  }
  const places = masks.flatMap(({ where, values }) => values.map((value) => ({ where, ...value })));
  const numbers = classesOfMaps(
    places.map(({ number }) => number!),
    fitted,
    (place) => places[place].where,
  );
  let next = 0;
  const classes = masks.map(({ values }) =>
    // In a mask of one bit that lies among others of class numbers, what is set is class 1.
    Uint8Array.from(values, ({ binary }) => {
      const number = numbers.values[next++];
      return binary && number === noClass ? 1 : number;
    }),
  );
  return { classes, objects: numbers.objects };
}

function classesOfColours(masks: readonly ValuesOfMask[], known: readonly string[] | undefined): MaskClasses {
  const found = new Set(masks.flatMap(({ values }) => values.map(({ colour }) => colour)));
  const colours = known ?? [...found].sort((a, b) => a - b).map(nameOf);
  if (colours.length > noClass) {
    throw userError({
      where: masks[0].where,
      required: `masks that are maps of classes: at most ${noClass} different colours`,
      got: `${colours.length} in all masks together`,
      advice: "Save masks as PNG, not resized or smoothed, so that each class has one colour",
    });
  }
  const numberOf = new Map(colours.map((colour, number) => [colour, number]));
  const classes = masks.map(({ where, values }) =>
    Uint8Array.from(values, ({ colour }) => {
      const number = numberOf.get(nameOf(colour));
      if (number !== undefined) return number;
      throw userError({
        where,
        required: `colours that the training data's masks have (${colours.slice(0, 8).join(", ")}${colours.length > 8 ? ", ..." : ""})`,
        got: nameOf(colour),
        advice: "Give training data with a mask of every class, or save all masks as class numbers",
      });
    }),
  );
  return { classes, objects: false, colours };
}

/** "#ff0000". */
function nameOf(colour: number): string {
  return `#${colour.toString(16).padStart(6, "0")}`;
}
