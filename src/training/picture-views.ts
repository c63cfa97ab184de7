/** Views of pictures for the contrast task. */
import { flipHorizontal, shiftPixels } from "../data/transform.js";
import type { RandomStream } from "../random/stream.js";
import type { Recipe } from "../recipe/recipe.js";
import { type PictureGeometry, pictureShape } from "./picture-geometry.js";

/** Writes a randomly changed copy of each picture of a batch: flipped, shifted, with another contrast and brightness. */
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
  if (settings.jitter === 0) return;
  const size = batch.length / batchSize;
  for (let sample = 0; sample < batchSize; sample++) {
    const contrast = 1 + settings.jitter * (2 * stream.uniform() - 1);
    const brightness = settings.jitter * (2 * stream.uniform() - 1);
    for (let index = sample * size; index < (sample + 1) * size; index++)
      target[index] = contrast * target[index] + brightness;
  }
}
