/** What G and the tasks of samples see instead of x where a recipe corrupts its input. */

import { RandomStream } from "../random/stream.js";
import type { Recipe } from "../recipe/recipe.js";
import type { NormalPool } from "./normal-pool.js";
import type { PictureGeometry } from "./picture-geometry.js";
import { drawView } from "./picture-views.js";

export interface CorruptionContext {
  readonly seed: number;
  readonly step: number;
  readonly batchSize: number;
  /** Values in one sample. */
  readonly sampleSize: number;
  /** There for pictures, and for signals as pictures of one row. */
  readonly geometry: PictureGeometry | undefined;
  /** Columns that are changed together: one-hot codes. */
  readonly groups: readonly { readonly start: number; readonly end: number }[];
  readonly pool: NormalPool;
  /** Names the stream of random numbers; default: the corruption's. */
  readonly purpose?: string;
}

/**
 * Writes a corrupted copy of a batch.
 *
 * - gaussian: plus noise of standard deviation `amount` (Vincent et al., 2010)
 * - masked-pixels: a share `amount` of the pixels (of all channels) is 0
 * - masked-patches: a share `amount` of a grid of patches is 0, eight to a side (He et al., 2022, in small)
 * - swapped-values: a share `amount` of the columns comes from another sample of the batch (Yoon et al., 2020);
 *   `swapped`, where given, receives 1 there and 0 elsewhere
 * - shifted: pictures and signals are moved by up to a share `amount` of each side, in whole pixels (positions), and their
 *   edges drawn out; other samples stay as they are
 */
export function corrupt(
  kind: Recipe["corruption"]["kind"],
  amount: number,
  batch: Float32Array,
  target: Float32Array,
  context: CorruptionContext,
  swapped?: Float32Array,
): void {
  const stream = new RandomStream(context.seed, context.purpose ?? `corruption/${kind}`, context.step);
  swapped?.fill(0);
  switch (kind) {
    case "none":
      target.set(batch);
      return;
    case "gaussian":
      context.pool.fill(target, amount, "corruption/gaussian", context.step);
      for (let index = 0; index < batch.length; index++) target[index] += batch[index];
      return;
    case "masked-pixels":
      target.set(batch);
      mask(target, context, 1, amount, stream);
      return;
    case "masked-patches": {
      target.set(batch);
      const longest = context.geometry ? Math.max(context.geometry.height, context.geometry.width) : context.sampleSize;
      mask(target, context, Math.max(1, Math.ceil(longest / 8)), amount, stream);
      return;
    }
    case "swapped-values":
      target.set(batch);
      swapValues(batch, target, amount, context, stream, swapped);
      return;
    case "shifted":
      if (context.geometry)
        drawView(batch, target, context.batchSize, context.geometry, { ...unchanged, shift: amount }, stream);
      else target.set(batch);
  }
}

function mask(
  target: Float32Array,
  context: CorruptionContext,
  side: number,
  amount: number,
  stream: RandomStream,
): void {
  const { batchSize, sampleSize, geometry } = context;
  const { height, width, channels } = geometry ?? { height: 1, width: sampleSize, channels: 1 };
  const pixelStride = geometry?.layout === "NHWC" ? channels : 1;
  const channelStride = geometry?.layout === "NHWC" ? 1 : height * width;
  const rows = Math.ceil(height / side);
  const columns = Math.ceil(width / side);
  for (let sample = 0; sample < batchSize; sample++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        if (stream.uniform() >= amount) continue;
        for (let y = row * side; y < Math.min((row + 1) * side, height); y++)
          for (let x = column * side; x < Math.min((column + 1) * side, width); x++)
            for (let channel = 0; channel < channels; channel++)
              target[sample * sampleSize + (y * width + x) * pixelStride + channel * channelStride] = 0;
      }
    }
  }
}

function swapValues(
  batch: Float32Array,
  target: Float32Array,
  amount: number,
  context: CorruptionContext,
  stream: RandomStream,
  swapped: Float32Array | undefined,
): void {
  const { batchSize, sampleSize } = context;
  const units = columnUnits(sampleSize, context.groups);
  for (let sample = 0; sample < batchSize; sample++) {
    for (const { start, end } of units) {
      if (stream.uniform() >= amount) continue;
      const other = (sample + 1 + stream.below(batchSize - 1)) % batchSize;
      for (let column = start; column < end; column++) {
        target[sample * sampleSize + column] = batch[other * sampleSize + column];
        if (swapped) swapped[sample * sampleSize + column] = 1;
      }
    }
  }
}

/** A view that is its original. */
const unchanged = { shift: 0, zoom: 0, flip: false, jitter: 0, colour: 0 } as const;

/** All columns in order, one-hot groups as one. */
function columnUnits(
  size: number,
  groups: readonly { readonly start: number; readonly end: number }[],
): { start: number; end: number }[] {
  const starts = new Map(groups.map((group) => [group.start, group.end]));
  const units: { start: number; end: number }[] = [];
  for (let column = 0; column < size; ) {
    const end = starts.get(column) ?? column + 1;
    units.push({ start: column, end });
    column = end;
  }
  return units;
}
