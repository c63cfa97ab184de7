import { linesOf } from "./channel-order.js";
import { type PictureLayout, sizeOf } from "./dataset.js";
import { readFitted } from "./fitted-record.js";
import { sharp } from "./sharp.js";

/** The longer side of a picture as it is drawn, in pixels: small ones are enlarged to about the first, large ones shrunk to the second. */
const [smallSide, largeSide] = [64, 256];

/**
 * Draws pictures of x beside G(x): each pair side by side, several pairs in a row, enlarged so that single pixels are
 * seen, or shrunk (by taking single pixels) where they are large. Pictures with 1 or 3 channels are drawn as they are, of others the first channel.
 *
 * @param real the samples as delivered, one after another
 * @param generated what G made of them, in the same order; absent: the samples alone
 * @param record the data set's record: it knows the pictures' size and how to undo the normalisation
 * @returns the bytes of a PNG file
 * @throws RangeError if the record is not one of pictures
 */
export async function pictureGrid(
  real: Float32Array,
  generated: Float32Array | undefined,
  record: Record<string, unknown>,
  options: { pairsPerRow?: number; enlarge?: number } = {},
): Promise<Uint8Array> {
  const fitted = readFitted(record);
  if (fitted?.picture === undefined || fitted.normalisation === undefined) {
    throw new RangeError("the record is not one of pictures");
  }
  const { picture, normalisation } = fitted;
  const { height, width } = picture;
  const lines = linesOf(normalisation.name);
  const size = sizeOf([picture.channels, height, width]);
  const count = Math.floor(real.length / size);
  const sides = generated === undefined ? [real] : [real, generated];
  const pairsPerRow = Math.min(count, options.pairsPerRow ?? 8);
  const rows = Math.ceil(count / pairsPerRow);
  const scale = options.enlarge ?? scaleOf(Math.max(height, width));
  const [cellHeight, cellWidth] = [height, width].map((length) => Math.max(1, Math.round(length * scale)));
  // A line between the two of a pair, a broader one between pairs.
  const [narrow, broad] = [2, 8];
  const pairWidth = sides.length * cellWidth + (sides.length - 1) * narrow;
  const gridWidth = pairsPerRow * pairWidth + (pairsPerRow + 1) * broad;
  const gridHeight = rows * cellHeight + (rows + 1) * broad;
  const pixels = new Uint8Array(gridWidth * gridHeight * 3).fill(255);
  for (let index = 0; index < count; index++) {
    const top = broad + Math.floor(index / pairsPerRow) * (cellHeight + broad);
    const left = broad + (index % pairsPerRow) * (pairWidth + broad);
    sides.forEach((side, place) => {
      const sample = side.subarray(index * size, (index + 1) * size);
      const from = left + place * (cellWidth + narrow);
      for (let y = 0; y < cellHeight; y++) {
        for (let x = 0; x < cellWidth; x++) {
          const to = ((top + y) * gridWidth + from + x) * 3;
          for (let colour = 0; colour < 3; colour++) {
            const channel = picture.channels === 3 ? colour : 0;
            const [row, column] = [Math.floor((y * height) / cellHeight), Math.floor((x * width) / cellWidth)];
            const part = lines === undefined ? channel : lines === "rows" ? row : column;
            pixels[to + colour] = shade(sample[positionOf(picture, channel, row, column)], part, normalisation);
          }
        }
      }
    });
  }
  return sharp(pixels, { raw: { width: gridWidth, height: gridHeight, channels: 3 } })
    .png()
    .toBuffer();
}

function scaleOf(side: number): number {
  return side > largeSide ? largeSide / side : Math.max(1, Math.round(smallSide / side));
}

function positionOf(
  picture: { channels: number; height: number; width: number; layout: PictureLayout },
  channel: number,
  y: number,
  x: number,
): number {
  const { channels, height, width, layout } = picture;
  return layout === "NCHW" ? (channel * height + y) * width + x : (y * width + x) * channels + channel;
}

/** Undoes the normalisation and maps the raw range to 0 to 255. */
function shade(
  value: number,
  part: number,
  { scale, offset, low, high }: { scale: number[]; offset: number[]; low: number[]; high: number[] },
): number {
  // A table whose rows are pictures may be normalised per column: then all numbers are alike in range, take the first.
  const at = part < scale.length ? part : 0;
  const raw = (value - offset[at]) / scale[at];
  const share = (raw - low[at]) / (high[at] - low[at] || 1);
  return Math.round(255 * Math.min(Math.max(share, 0), 1));
}
