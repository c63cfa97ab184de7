import { decodeSmallJpeg } from "./decode-small-jpeg.js";
import { decodeSmallPng } from "./decode-small-png.js";
import type { PictureSize } from "./picture-shape.js";

/** A decoded picture: 8-bit values, channels last. */
export interface DecodedPicture extends PictureSize {
  readonly data: Uint8Array;
}

/** Up to 256 × 256 pixels; above, the general decoder is the faster one. */
const mostPixels = 65_536;

/**
 * Decodes a small and plain PNG or JPEG file to the values that sharp gives, without what sharp costs for each
 * picture, which is many times the decoding of a small one.
 *
 * @param wanted the size that the picture is to have; others are left to the decoder that resizes
 * @returns undefined for files of any other kind, and for damaged ones
 */
export async function decodeSmallPicture(
  bytes: Uint8Array,
  wanted?: { readonly height: number; readonly width: number },
): Promise<DecodedPicture | undefined> {
  const fits = ({ height, width }: { height: number; width: number }) =>
    height * width <= mostPixels && (wanted === undefined || (wanted.height === height && wanted.width === width));
  return bytes[0] === 0x89 ? decodeSmallPng(bytes, fits) : decodeSmallJpeg(bytes, fits);
}
