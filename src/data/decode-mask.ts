import { userError } from "../errors.js";
import { type PicturePlace, pictureBytes, pixelLimit } from "./decode-picture.js";
import { noClass } from "./label-maps.js";
import { paletteIndices } from "./palette-indices.js";
import { sharp } from "./sharp.js";

/** What a mask has at some of its positions. */
export interface MaskValue {
  /** The number, where it is one: a grey value, or a place in a palette. */
  readonly number?: number;
  /** The colour, 0xRRGGBB; a grey value is a colour, too. */
  readonly colour: number;
  /** Whether the mask has one bit a position, so that its values are yes and no. */
  readonly binary: boolean;
}

/** A decoded mask. */
export interface DecodedMask {
  readonly height: number;
  readonly width: number;
  /** Which of the values each position has, row-major. */
  readonly codes: Uint8Array;
  /** The different values, at most 256. */
  readonly values: readonly MaskValue[];
}

const saveAs = "Save masks as PNG of one channel that holds the class numbers, 8 bits each";

/**
 * Decodes a mask without changing its values: no colour profile is applied, nothing is scaled.
 *
 * @param where the mask in messages
 * @throws UserError if it is a picture that cannot be a mask
 * @throws Error if it cannot be read
 */
export async function decodeMask(place: PicturePlace, where: string): Promise<DecodedMask> {
  const refuse = (required: string, got: string, advice = saveAs) => userError({ where, required, got, advice });
  const bytes = pictureBytes(place);
  const indices = paletteIndices(bytes);
  const image = sharp(indices?.png ?? bytes, { limitInputPixels: pixelLimit, ignoreIcc: true });
  const { format, space, depth, bitsPerSample = 8, pages = 1, orientation = 1 } = await image.metadata();
  if (isLossy(format, bytes))
    throw refuse(
      "masks in a format that keeps their values",
      `${format.toUpperCase()}, whose compression changes them`,
    );
  if (pages > 1) throw refuse("a mask of one picture", `one of ${pages}`);
  if (orientation > 1) {
    const advice = "Save it turned, as PIL.ImageOps.exif_transpose does";
    throw refuse("a mask that is not to be turned", `the EXIF orientation ${orientation}`, advice);
  }
  const deep = space === "grey16";
  const isGrey = deep || space === "b-w";
  const odd = format !== "png" && isGrey && bitsPerSample !== 1 && bitsPerSample < 8;
  if (!(deep ? depth === "ushort" : depth === "uchar" && (isGrey || space === "srgb")) || odd)
    throw refuse("a mask of 8 or 16 grey bits, or of 8 bits a colour", `${bitsPerSample} bits (${space}, ${depth})`);
  const { data, info } = await image
    .toColourspace(deep ? "grey16" : "srgb")
    .raw({ depth: deep ? "ushort" : "uchar" })
    .toBuffer({ resolveWithObject: true });
  const { height, width, channels } = info;
  const values = deep ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  if (channels % 2 === 0 && !isConstant(values, channels)) {
    throw refuse("a mask without transparency", "one that is transparent in part");
  }
  // Decoders spread values of fewer bits over 0 to 255.
  const step = isGrey && bitsPerSample < 8 ? 255 / (2 ** bitsPerSample - 1) : 1;
  const binary = isGrey && bitsPerSample === 1;
  const describeValue = (packed: number): MaskValue => {
    const [red, green, blue] = [packed >> 16, (packed >> 8) & 255, packed & 255];
    if (indices !== undefined) {
      const number = blue / step;
      return { number, colour: indices.palette[number] ?? 0, binary: false };
    }
    const grey = red === green && green === blue;
    return { ...(grey ? { number: binary ? red : red / step } : {}), colour: packed, binary };
  };
  const found = new Map<number, number>();
  const codes = new Uint8Array(height * width);
  let [last, code] = [-1, 0];
  for (let position = 0, at = 0; position < codes.length; position++, at += channels) {
    if (deep && values[at] > noClass)
      throw refuse(`class numbers from 0 to ${noClass - 1}, or ${noClass} where there is no class`, `${values[at]}`);
    const packed = deep ? 0x010101 * values[at] : (values[at] << 16) | (values[at + 1] << 8) | values[at + 2];
    if (packed !== last) {
      last = packed;
      code = found.get(packed) ?? found.size;
      if (code > 255) throw refuse("a mask that is a map of classes", "over 256 different colours");
      found.set(packed, code);
    }
    codes[position] = code;
  }
  return { height, width, codes, values: [...found.keys()].map(describeValue) };
}

/** Whether a picture's compression has changed its values: JPEG, AVIF, and WebP but for its lossless kind. */
function isLossy(format: string, bytes: Uint8Array): boolean {
  if (format !== "webp") return format === "jpeg" || format === "heif" || format === "avif";
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 12; at + 8 <= file.length; at += 8 + file.readUInt32LE(at + 4) + (file.readUInt32LE(at + 4) & 1))
    if (file.toString("latin1", at, at + 4) === "VP8L") return false;
  return true;
}

/** Whether the last channel is the same everywhere. */
function isConstant(values: ArrayLike<number>, channels: number): boolean {
  for (let at = channels - 1; at < values.length; at += channels) if (values[at] !== values[channels - 1]) return false;
  return true;
}
