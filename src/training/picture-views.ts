/** Views of pictures for the contrast task. */
import { flipHorizontal, shiftPixels } from "../data/transform.js";
import type { RandomStream } from "../random/stream.js";
import type { Recipe } from "../recipe/recipe.js";
import { type PictureGeometry, pictureShape } from "./picture-geometry.js";

/**
 * Writes a randomly changed copy of each picture of a batch: flipped, shifted, magnified, with another contrast,
 * brightness and colour.
 */
export function drawView(
  batch: Float32Array,
  target: Float32Array,
  batchSize: number,
  picture: PictureGeometry,
  settings: Recipe["contrast"],
  stream: RandomStream,
): void {
  const shape = pictureShape(picture);
  target.set(batch);
  if (settings.flip) {
    const flags = Uint8Array.from({ length: batchSize }, () => stream.below(2));
    flipHorizontal(target, batchSize, shape, flags, picture.layout);
  }
  const shifts = (side: number): Int32Array => {
    const largest = Math.floor(side * settings.shift);
    return Int32Array.from({ length: batchSize }, () => stream.below(2 * largest + 1) - largest);
  };
  shiftPixels(target, batchSize, shape, shifts(picture.height), shifts(picture.width), "edge", picture.layout);
  const size = batch.length / batchSize;
  if (settings.zoom > 0) {
    const original = new Float32Array(size);
    for (let sample = 0; sample < batchSize; sample++) {
      const view = target.subarray(sample * size, (sample + 1) * size);
      original.set(view);
      const share = 1 - settings.zoom * stream.uniform();
      magnify(original, view, picture, share, stream.uniform(), stream.uniform());
    }
  }
  const between = (largest: number): number => largest * (2 * stream.uniform() - 1);
  if (settings.jitter > 0) {
    for (let sample = 0; sample < batchSize; sample++) {
      const contrast = 1 + between(settings.jitter);
      const brightness = between(settings.jitter);
      for (let index = sample * size; index < (sample + 1) * size; index++)
        target[index] = contrast * target[index] + brightness;
    }
  }
  if (settings.colour > 0 && picture.channels > 1) {
    const { channels, height, width } = picture;
    const [step, apart] = picture.layout === "NHWC" ? [channels, 1] : [1, height * width];
    for (let sample = 0; sample < batchSize; sample++) {
      for (let channel = 0; channel < channels; channel++) {
        const contrast = 1 + between(settings.colour);
        const brightness = between(settings.colour);
        for (let pixel = 0; pixel < height * width; pixel++) {
          const index = sample * size + channel * apart + pixel * step;
          target[index] = contrast * target[index] + brightness;
        }
      }
    }
  }
}

/**
 * Writes a part of a picture at the whole's size, bilinearly.
 *
 * @param share the part's sides as a share of the whole's
 * @param down where between top (0) and bottom (1) the part lies
 * @param right the same between left and right
 */
function magnify(
  original: Float32Array,
  target: Float32Array,
  { channels, height, width, layout }: PictureGeometry,
  share: number,
  down: number,
  right: number,
): void {
  const pixel = layout === "NHWC" ? channels : 1;
  const plane = layout === "NHWC" ? 1 : height * width;
  const rows = places(height, share, down);
  const columns = places(width, share, right);
  for (let y = 0; y < height; y++) {
    const top = rows.before[y] * width * pixel;
    const bottom = rows.after[y] * width * pixel;
    const lower = rows.part[y];
    for (let x = 0; x < width; x++) {
      const left = columns.before[x] * pixel;
      const righter = columns.after[x] * pixel;
      const part = columns.part[x];
      for (let channel = 0, at = 0; channel < channels; channel++, at += plane) {
        const above = original[at + top + left] * (1 - part) + original[at + top + righter] * part;
        const below = original[at + bottom + left] * (1 - part) + original[at + bottom + righter] * part;
        target[at + (y * width + x) * pixel] = above * (1 - lower) + below * lower;
      }
    }
  }
}

/** Between which two places of the original each place of a magnified line lies, and how far from the first. */
function places(
  side: number,
  share: number,
  offset: number,
): { before: Int32Array; after: Int32Array; part: Float32Array } {
  const before = new Int32Array(side);
  const after = new Int32Array(side);
  const part = new Float32Array(side);
  const start = offset * (1 - share) * side;
  for (let place = 0; place < side; place++) {
    const source = Math.min(Math.max(start + (place + 0.5) * share - 0.5, 0), side - 1);
    before[place] = Math.floor(source);
    after[place] = Math.min(before[place] + 1, side - 1);
    part[place] = source - before[place];
  }
  return { before, after, part };
}
