import type { PictureLayout } from "./dataset.js";
import type { PictureSize } from "./picture-shape.js";
import type { SampleArray } from "./sample-array.js";

/** A picture inside a typed array. */
export interface PlacedPicture extends PictureSize {
  readonly data: SampleArray;
  /** Where its first value lies. */
  readonly start: number;
  readonly layout: PictureLayout;
}

/**
 * Writes a picture into another's place: axes reordered, channels converted (grey is repeated for RGB; RGB becomes
 * grey by the luma of Rec. 601, as Pillow's convert("L") does; transparency is dropped), and resized if the sizes
 * differ.
 */
export function convertPicture(source: PlacedPicture, target: PlacedPicture): void {
  const fitting =
    source.height === target.height && source.width === target.width
      ? source
      : resizePicture(source, target.height, target.width);
  const whole = !(target.data instanceof Float32Array || target.data instanceof Float64Array);
  const from = strides(fitting);
  const to = strides(target);
  const pixels = target.height * target.width;
  if (target.channels === 1 && source.channels >= 3) {
    for (let pixel = 0; pixel < pixels; pixel++) {
      const at = fitting.start + pixel * from.pixel;
      const luma =
        0.299 * fitting.data[at] +
        0.587 * fitting.data[at + from.channel] +
        0.114 * fitting.data[at + 2 * from.channel];
      target.data[target.start + pixel * to.pixel] = whole ? Math.round(luma) : luma;
    }
    return;
  }
  if (
    fitting.data instanceof Uint8Array &&
    target.data instanceof Uint8Array &&
    source.channels === 3 &&
    target.channels === 3 &&
    from.pixel === 3 &&
    to.pixel === 1
  ) {
    splitColours(fitting.data.subarray(fitting.start), target.data.subarray(target.start), pixels);
    return;
  }
  for (let channel = 0; channel < target.channels; channel++) {
    const sourceChannel = source.channels <= 2 && target.channels >= 3 ? 0 : channel;
    let at = fitting.start + sourceChannel * from.channel;
    let put = target.start + channel * to.channel;
    if (fitting.data instanceof Uint8Array && target.data instanceof Uint8Array) {
      copyBytes(fitting.data, at, from.pixel, target.data, put, to.pixel, pixels);
      continue;
    }
    for (let pixel = 0; pixel < pixels; pixel++, at += from.pixel, put += to.pixel) {
      const value = fitting.data[at];
      target.data[put] = whole ? Math.round(value) : value;
    }
  }
}

/** The most frequent case, RGB with its channels last to channels first, in one pass: three take 1.7 times as long. */
function splitColours(source: Uint8Array, target: Uint8Array, count: number): void {
  const red = target.subarray(0, count);
  const green = target.subarray(count, 2 * count);
  const blue = target.subarray(2 * count, 3 * count);
  for (let pixel = 0, at = 0; pixel < count; pixel++, at += 3) {
    red[pixel] = source[at];
    green[pixel] = source[at + 1];
    blue[pixel] = source[at + 2];
  }
}

/** A loop of its own for the most frequent type, so that it is compiled for that type alone. */
function copyBytes(
  source: Uint8Array,
  from: number,
  step: number,
  target: Uint8Array,
  to: number,
  targetStep: number,
  count: number,
): void {
  for (let pixel = 0, at = from, put = to; pixel < count; pixel++, at += step, put += targetStep)
    target[put] = source[at];
}

function strides({ channels, height, width, layout }: PictureSize & { layout: PictureLayout }) {
  return layout === "NCHW" ? { pixel: 1, channel: height * width } : { pixel: channels, channel: 1 };
}

/** The part of a picture with the target's aspect ratio, in its middle: what is left when the overhang is cut. */
export function coveredPart(source: PictureSize, height: number, width: number) {
  const scale = Math.min(source.height / height, source.width / width);
  const [partHeight, partWidth] = [height * scale, width * scale];
  return {
    top: (source.height - partHeight) / 2,
    left: (source.width - partWidth) / 2,
    height: partHeight,
    width: partWidth,
  };
}

/**
 * Resizes with a triangle filter that widens when shrinking (no aliasing), rows and columns apart. Aspect ratio kept,
 * overhang cut evenly.
 */
function resizePicture(source: PlacedPicture, height: number, width: number): PlacedPicture {
  const part = coveredPart(source, height, width);
  const rows = filterTaps(source.height, part.top, part.height, height);
  const columns = filterTaps(source.width, part.left, part.width, width);
  const from = strides(source);
  const data = new Float64Array(source.channels * height * width);
  const narrowed = new Float64Array(source.height * width);
  for (let channel = 0; channel < source.channels; channel++) {
    const base = source.start + channel * from.channel;
    for (let y = 0; y < source.height; y++) {
      for (let x = 0; x < width; x++) {
        const { first, weights } = columns[x];
        let sum = 0;
        for (let tap = 0; tap < weights.length; tap++) {
          sum += weights[tap] * source.data[base + (y * source.width + first + tap) * from.pixel];
        }
        narrowed[y * width + x] = sum;
      }
    }
    for (let y = 0; y < height; y++) {
      const { first, weights } = rows[y];
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let tap = 0; tap < weights.length; tap++) sum += weights[tap] * narrowed[(first + tap) * width + x];
        data[(channel * height + y) * width + x] = sum;
      }
    }
  }
  return { data, start: 0, layout: "NCHW", channels: source.channels, height, width };
}

/** For each of `count` outputs over the interval [start, start + length) of a line: which inputs, with which weights. */
function filterTaps(available: number, start: number, length: number, count: number) {
  const scale = length / count;
  const radius = Math.max(scale, 1);
  return Array.from({ length: count }, (_, index) => {
    const centre = start + (index + 0.5) * scale;
    const first = Math.max(0, Math.ceil(centre - radius - 0.5));
    const last = Math.min(available - 1, Math.floor(centre + radius - 0.5));
    const weights: number[] = [];
    for (let at = first; at <= last; at++) weights.push(Math.max(0, 1 - Math.abs(at + 0.5 - centre) / radius));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}
