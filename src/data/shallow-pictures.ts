/** Finds pictures of 16 bits of which the reduction to 8 has left little. */
import type { Dataset } from "./dataset.js";
import { type PicturePlace, pictureBytes } from "./decode-picture.js";
import { sharp } from "./sharp.js";

/** What values of 13 bits reach of 255 where they lie in 16, as microscopes and medical devices write them. */
const largestShallow = 31;

/** Has this picture 16 bits a channel? */
export async function hasSixteenBits(place: PicturePlace): Promise<boolean> {
  const header = await sharp(pictureBytes(place))
    .metadata()
    .catch(() => undefined);
  return header?.depth === "ushort";
}

/**
 * Says in a sentence that pictures whose files have 16 bits use a small part of the 256 values that are left of them.
 *
 * @returns undefined where they use more, are black, or have 8 bits
 */
export function shallowNote({ record }: Pick<Dataset, "record">): string | undefined {
  const { max } = (record.measured as { max?: readonly number[] } | undefined) ?? {};
  if (record.bits !== 16 || max === undefined) return undefined;
  const largest = Math.max(...max);
  if (!(largest > 0 && largest <= largestShallow)) return undefined;
  return `the pictures' files have 16 bits, of which the upper 8 are taken: no value is above ${largest}, where it may be 255, as where values of 10 to 13 bits lie in 16; save the pictures as NPY, which keeps all bits, or multiply their values`;
}
