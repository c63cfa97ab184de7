import sharp from "sharp";

/** A PNG of one colour, 4×4 unless said otherwise. */
export function solidPicture(colour: readonly number[], { width = 4, height = 4 } = {}): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: width * height * colour.length }, (_, at) => colour[at % colour.length]);
  const image = sharp(pixels, { raw: { width, height, channels: colour.length as 1 | 3 } });
  return (colour.length === 1 ? image.toColourspace("b-w") : image).png().toBuffer();
}
