/** Turns of pictures for the rotation task. */
import { type PictureGeometry, pictureStrides } from "./picture-geometry.js";

/** The numbers of quarter turns that pictures can be given; those that are not square can be turned upside down only. */
export function possibleTurns(picture: PictureGeometry | undefined): readonly number[] {
  return picture && picture.height !== picture.width ? [0, 2] : [0, 1, 2, 3];
}

/**
 * Turns each picture of a batch, in place, counter-clockwise by a number of quarter turns (0 to 3), as the
 * self-supervised task of Gidaris et al. 2018 ("Unsupervised representation learning by predicting image rotations")
 * does.
 *
 * @throws RangeError for an odd number of turns of pictures that are not square
 */
export function rotateQuarter(
  batch: Float32Array,
  count: number,
  picture: PictureGeometry,
  quarterTurns: ArrayLike<number>,
): void {
  const { channels, height, width } = picture;
  const strides = pictureStrides(picture);
  const size = channels * height * width;
  const original = new Float32Array(size);
  for (let sample = 0; sample < count; sample++) {
    const turns = quarterTurns[sample];
    if (turns === 0) continue;
    if (turns !== 2 && height !== width)
      throw new RangeError(`pictures of ${height}×${width} cannot be turned by 90°: they are not square`);
    const base = sample * size;
    original.set(batch.subarray(base, base + size));
    // Where in the original the value at (row, column) comes from: start + row · perRow + column · perColumn.
    const lastRow = (height - 1) * strides.row;
    const lastColumn = (width - 1) * strides.column;
    const [start, perRow, perColumn] = [
      [0, strides.row, strides.column],
      [lastColumn, -strides.column, strides.row],
      [lastRow + lastColumn, -strides.row, -strides.column],
      [lastRow, strides.column, -strides.row],
    ][turns];
    for (let channel = 0; channel < channels; channel++) {
      for (let row = 0; row < height; row++) {
        let from = channel * strides.channel + start + row * perRow;
        let to = base + channel * strides.channel + row * strides.row;
        for (let column = 0; column < width; column++, from += perColumn, to += strides.column)
          batch[to] = original[from];
      }
    }
  }
}
