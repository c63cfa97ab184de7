/**
 * Transforms of batches of pictures, in place, with parameters of their own for each sample. `shape` is one sample's
 * as delivered, [C, H, W] or with the layout NHWC [H, W, C].
 */
import type { PictureLayout } from "./dataset.js";

interface Geometry {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Distance between neighbours in a row, a column, and over the channels. */
  readonly x: number;
  readonly y: number;
  readonly channel: number;
  readonly size: number;
}

function geometry(shape: readonly number[], layout: PictureLayout): Geometry {
  if (shape.length !== 3) throw new RangeError(`a picture's shape has three axes, not [${shape.join(", ")}]`);
  const [channels, height, width] = layout === "NCHW" ? shape : [shape[2], shape[0], shape[1]];
  const size = channels * height * width;
  return layout === "NCHW"
    ? { height, width, channels, x: 1, y: width, channel: height * width, size }
    : { height, width, channels, x: channels, y: width * channels, channel: 1, size };
}

/** Whether pictures of a shape can be turned by 90° (square ones) or only by 180°. */
export function canTurnQuarter(shape: readonly number[], layout: PictureLayout = "NCHW"): boolean {
  const { height, width } = geometry(shape, layout);
  return height === width;
}

/**
 * Turns each picture counter-clockwise by a number of quarter turns (taken mod 4), as the self-supervised task of
 * Gidaris et al. 2018 ("Unsupervised representation learning by predicting image rotations") does.
 *
 * @throws RangeError for an odd number of turns of pictures that are not square
 */
export function rotateQuarter(
  batch: Float32Array,
  count: number,
  shape: readonly number[],
  quarterTurns: ArrayLike<number>,
  layout: PictureLayout = "NCHW",
): void {
  const { height, width, channels, x, y, channel, size } = geometry(shape, layout);
  const original = new Float32Array(size);
  for (let sample = 0; sample < count; sample++) {
    const turns = ((quarterTurns[sample] % 4) + 4) % 4;
    if (turns === 0) continue;
    if (turns !== 2 && height !== width) {
      throw new RangeError(`pictures of ${height}×${width} cannot be turned by 90°: they are not square`);
    }
    const base = sample * size;
    original.set(batch.subarray(base, base + size));
    // Where in the original the value at (row, column) comes from: start + row · perRow + column · perColumn.
    const lastRow = (height - 1) * y;
    const lastColumn = (width - 1) * x;
    const [start, perRow, perColumn] =
      turns === 1 ? [lastColumn, -x, y] : turns === 2 ? [lastRow + lastColumn, -y, -x] : [lastRow, x, -y];
    for (let plane = 0; plane < channels; plane++) {
      for (let row = 0; row < height; row++) {
        let from = plane * channel + start + row * perRow;
        let to = base + plane * channel + row * y;
        for (let column = 0; column < width; column++, from += perColumn, to += x) batch[to] = original[from];
      }
    }
  }
}

/** Mirrors those pictures left to right whose flag is not 0. */
export function flipHorizontal(
  batch: Float32Array,
  count: number,
  shape: readonly number[],
  flags: ArrayLike<number>,
  layout: PictureLayout = "NCHW",
): void {
  const { height, width, channels, x, y, channel, size } = geometry(shape, layout);
  for (let sample = 0; sample < count; sample++) {
    if (!flags[sample]) continue;
    for (let plane = 0; plane < channels; plane++) {
      for (let row = 0; row < height; row++) {
        let left = sample * size + plane * channel + row * y;
        for (let right = left + (width - 1) * x; left < right; left += x, right -= x) {
          const kept = batch[left];
          batch[left] = batch[right];
          batch[right] = kept;
        }
      }
    }
  }
}

/**
 * Moves each picture down and to the right by whole pixels (up and left where negative).
 *
 * @param fill what comes in from outside: a number, or "edge" for the nearest pixel of the picture
 */
export function shiftPixels(
  batch: Float32Array,
  count: number,
  shape: readonly number[],
  down: ArrayLike<number>,
  right: ArrayLike<number>,
  fill: number | "edge" = 0,
  layout: PictureLayout = "NCHW",
): void {
  const { height, width, channels, x, y, channel, size } = geometry(shape, layout);
  const original = new Float32Array(size);
  for (let sample = 0; sample < count; sample++) {
    const [byRow, byColumn] = [down[sample], right[sample]];
    if (byRow === 0 && byColumn === 0) continue;
    const base = sample * size;
    original.set(batch.subarray(base, base + size));
    for (let plane = 0; plane < channels; plane++) {
      for (let row = 0; row < height; row++) {
        const sourceRow = row - byRow;
        const nearestRow = Math.min(Math.max(sourceRow, 0), height - 1);
        let to = base + plane * channel + row * y;
        for (let column = 0; column < width; column++, to += x) {
          const sourceColumn = column - byColumn;
          const nearestColumn = Math.min(Math.max(sourceColumn, 0), width - 1);
          const outside = sourceRow !== nearestRow || sourceColumn !== nearestColumn;
          batch[to] =
            outside && fill !== "edge" ? fill : original[plane * channel + nearestRow * y + nearestColumn * x];
        }
      }
    }
  }
}
