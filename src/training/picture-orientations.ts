/** Pictures described by the directions of their edges, which say more of what is shown than their pixels do. */
import { type PictureGeometry, pictureStrides } from "./picture-geometry.js";

/** Cells along each side, and directions of edges that are told apart in each. */
const grid = 3;
const directions = 8;

/** Numbers that describe a picture. */
export const orientationsSize = grid * grid * directions;

/** What is taken for faint, as a share of a picture's mean. */
const faint = 0.1;

/**
 * Histograms of oriented gradients (Dalal and Triggs, 2005): how strong the edges of each direction are in each cell of a
 * grid over the picture, against the cells around. Of several channels, a pixel's strongest gradient counts.
 *
 * @param batch pictures, one after another
 * @returns for each picture {@link orientationsSize} numbers
 */
export function pictureOrientations(batch: Float32Array, count: number, picture: PictureGeometry): Float32Array {
  const { channels, height, width } = picture;
  const strides = pictureStrides(picture);
  const result = new Float32Array(count * orientationsSize);
  const sums = new Float32Array(orientationsSize);
  const pixels = pixelsOfCells(height, width);
  for (let sample = 0; sample < count; sample++) {
    const base = sample * channels * height * width;
    sums.fill(0);
    for (let row = 0; row < height; row++) {
      const above = Math.max(0, row - 1) * strides.row;
      const below = Math.min(height - 1, row + 1) * strides.row;
      for (let column = 0; column < width; column++) {
        const left = Math.max(0, column - 1) * strides.column;
        const right = Math.min(width - 1, column + 1) * strides.column;
        let [strongest, along, down] = [0, 0, 0];
        for (let channel = 0; channel < channels; channel++) {
          const start = base + channel * strides.channel;
          const x = batch[start + row * strides.row + right] - batch[start + row * strides.row + left];
          const y = batch[start + below + column * strides.column] - batch[start + above + column * strides.column];
          const strength = x * x + y * y;
          if (strength > strongest) [strongest, along, down] = [strength, x, y];
        }
        if (strongest === 0) continue;
        // An edge has the same direction whichever of its sides is the brighter one.
        const turn = Math.atan2(down, along) / Math.PI;
        const place = (turn - Math.floor(turn)) * directions;
        const lower = Math.floor(place);
        const share = place - lower;
        const cell = cellOf(row, height) * grid + cellOf(column, width);
        const strength = Math.sqrt(strongest) / pixels[cell];
        sums[cell * directions + (lower % directions)] += strength * (1 - share);
        sums[cell * directions + ((lower + 1) % directions)] += strength * share;
      }
    }
    writeBalanced(sums, result.subarray(sample * orientationsSize, (sample + 1) * orientationsSize));
  }
  return result;
}

function cellOf(place: number, size: number): number {
  return Math.floor((place * grid) / size);
}

function pixelsOfCells(height: number, width: number): number[] {
  const pixels = new Array<number>(grid * grid).fill(0);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) pixels[cellOf(row, height) * grid + cellOf(column, width)]++;
  return pixels;
}

/** Divides each cell by the strength of the cells around it and its own, so that shadow and light count little. */
function writeBalanced(sums: Float32Array, target: Float32Array): void {
  const squares = Array.from({ length: grid * grid }, (_, cell) => {
    let square = 0;
    for (let at = cell * directions; at < (cell + 1) * directions; at++) square += sums[at] ** 2;
    return square;
  });
  const strengths = squares.map((_, cell) => {
    const [row, column] = [Math.floor(cell / grid), cell % grid];
    let [sum, cells] = [0, 0];
    for (let y = Math.max(0, row - 1); y <= Math.min(grid - 1, row + 1); y++)
      for (let x = Math.max(0, column - 1); x <= Math.min(grid - 1, column + 1); x++, cells++)
        sum += squares[y * grid + x];
    return Math.sqrt(sum / cells);
  });
  const mean = strengths.reduce((sum, strength) => sum + strength, 0) / strengths.length;
  if (mean === 0) return;
  for (let at = 0; at < sums.length; at++)
    target[at] = sums[at] / (strengths[Math.floor(at / directions)] + faint * mean);
}
