/** Views of pictures: for the contrast task, shifted ones for others, and those that supervised training sees. */
import type { RandomStream } from "../random/stream.js";
import type { Recipe } from "../recipe/recipe.js";
import { type PictureGeometry, pictureStrides } from "./picture-geometry.js";

/** How views may differ from their originals. */
export type ViewSettings = Pick<Recipe["contrast"], "shift" | "zoom" | "flip" | "jitter" | "colour">;

/** What the values of pictures mean, where they are not standardised. */
export interface ViewedValues {
  /** Of each channel, the mean, which contrast leaves as it is, and the deviation, in which brightness is. Default: 0 and 1. */
  readonly levels?: readonly { readonly mean: number; readonly deviation: number }[] | undefined;
  /** Whether values are class numbers, between which there is nothing: each place of a view has the nearest one. */
  readonly areClasses?: boolean;
}

/**
 * Writes a randomly changed copy of each picture of a batch: flipped, shifted (its edge is drawn out), magnified, with
 * another contrast, brightness and colour. What is drawn does not depend on what the values mean, and where something lies not
 * on the channels either.
 */
export function drawView(
  batch: Float32Array,
  target: Float32Array,
  batchSize: number,
  picture: PictureGeometry,
  settings: ViewSettings,
  stream: RandomStream,
  { levels, areClasses = false }: ViewedValues = {},
): void {
  const { channels, height, width } = picture;
  const strides = pictureStrides(picture);
  const between = (largest: number): number => largest * (2 * stream.uniform() - 1);
  const draw = <T>(one: () => T): T[] => Array.from({ length: batchSize }, one);
  const shift = (side: number): (() => number) => {
    const largest = Math.floor(side * settings.shift);
    return () => stream.below(2 * largest + 1) - largest;
  };
  const flips = draw(() => settings.flip && stream.below(2) === 1);
  const down = draw(shift(height));
  const right = draw(shift(width));
  const zoom = settings.zoom === "auto" ? (channels > 1 ? zoomInColour : 0) : settings.zoom;
  const parts = draw(() =>
    zoom > 0
      ? { share: 1 - zoom * stream.uniform(), top: stream.uniform(), left: stream.uniform() }
      : { share: 1, top: 0, left: 0 },
  );
  const change = (largest: number): Change =>
    largest > 0 ? { contrast: 1 + between(largest), brightness: between(largest) } : unchanged;
  const changes = draw(() => change(settings.jitter));
  const colours = draw(() => Array.from({ length: channels }, () => change(channels > 1 ? settings.colour : 0)));

  const rows = new Line(height, strides.row);
  const columns = new Line(width, strides.column);
  const size = channels * height * width;
  const blended = zoom > 0 && !areClasses ? new Float64Array(height * width) : undefined;
  for (let sample = 0; sample < batchSize; sample++) {
    const isOnlyShifted = !flips[sample] && zoom === 0 && [changes[sample], ...colours[sample]].every(isUnchanged);
    if (isOnlyShifted) {
      shiftPicture(batch, target, sample * size, picture, down[sample], right[sample]);
      continue;
    }
    const { share, top, left } = parts[sample];
    rows.place(share, top, down[sample], false, areClasses);
    columns.place(share, left, right[sample], flips[sample], areClasses);
    for (let channel = 0; channel < channels; channel++) {
      const colour = colours[sample][channel];
      const contrast = colour.contrast * changes[sample].contrast;
      const { mean, deviation } = levels?.[channel] ?? standardised;
      const raised = colour.contrast * changes[sample].brightness + colour.brightness;
      const brightness = deviation * raised + mean * (1 - contrast);
      const start = sample * size + channel * strides.channel;
      if (blended) blendPlane(batch, target, start, rows, columns, { contrast, brightness }, blended);
      else movePlane(batch, target, start, rows, columns, { contrast, brightness });
    }
  }
}

/** What the zoom "auto" is for pictures in colour. */
const zoomInColour = 0.5;

/** What standardised samples have. */
const standardised = { mean: 0, deviation: 1 };

/** A value x becomes contrast · x + brightness. */
interface Change {
  readonly contrast: number;
  readonly brightness: number;
}

const unchanged: Change = { contrast: 1, brightness: 0 };

const isUnchanged = ({ contrast, brightness }: Change): boolean => contrast === 1 && brightness === 0;

/** Writes a picture moved by whole pixels. Far quicker than a value at a time. */
function shiftPicture(
  original: Float32Array,
  target: Float32Array,
  start: number,
  { channels, height, width, layout }: PictureGeometry,
  down: number,
  right: number,
): void {
  const [planes, unit] = layout === "NCHW" ? [channels, 1] : [1, channels];
  const row = width * unit;
  const within = (shift: number, side: number): number => Math.min(Math.max(shift, 1 - side), side - 1);
  const lower = within(down, height);
  const moved = within(right, width) * unit;
  for (let plane = 0; plane < planes; plane++) {
    const from = start + plane * height * row;
    const to = from + height * row;
    // All at once; what runs over an edge is written anew below.
    const offset = lower * row + moved;
    target.set(original.subarray(from + Math.max(0, -offset), to - Math.max(0, offset)), from + Math.max(0, offset));
    const [firstRow, lastRow] = [from + Math.max(0, lower) * row, to - row + Math.min(0, lower) * row];
    for (let at = firstRow; at <= lastRow; at += row) {
      for (let x = moved - 1; x >= 0; x--) target[at + x] = target[at + x + unit];
      for (let x = row + moved; x < row; x++) target[at + x] = target[at + x - unit];
    }
    for (let at = from; at < firstRow; at += row) target.copyWithin(at, firstRow, firstRow + row);
    for (let at = lastRow + row; at < to; at += row) target.copyWithin(at, lastRow, lastRow + row);
  }
}

/** Writes one channel of a picture, each value from the place that the two lines say. */
function movePlane(
  original: Float32Array,
  target: Float32Array,
  start: number,
  rows: Line,
  { side, stride, before }: Line,
  { contrast, brightness }: Change,
): void {
  for (let y = 0; y < rows.side; y++) {
    const from = start + rows.before[y];
    let to = start + y * rows.stride;
    for (let x = 0; x < side; x++, to += stride) target[to] = contrast * original[from + before[x]] + brightness;
  }
}

/**
 * Writes one channel of a picture, each value between four of the original's by the two lines' places.
 *
 * @param blended room for the original's rows with the columns' places
 */
function blendPlane(
  original: Float32Array,
  target: Float32Array,
  start: number,
  rows: Line,
  { side, stride, before, after, part }: Line,
  { contrast, brightness }: Change,
  blended: Float64Array,
): void {
  const firstRow = rows.before[0] / rows.stride;
  const lastRow = rows.after[rows.side - 1] / rows.stride;
  for (let y = firstRow; y <= lastRow; y++) {
    const from = start + y * rows.stride;
    for (let x = 0; x < side; x++) {
      const left = original[from + before[x]];
      blended[y * side + x] = left + (original[from + after[x]] - left) * part[x];
    }
  }
  for (let y = 0; y < rows.side; y++) {
    const above = (rows.before[y] / rows.stride) * side;
    const below = (rows.after[y] / rows.stride) * side;
    const share = rows.part[y];
    let to = start + y * rows.stride;
    for (let x = 0; x < side; x++, to += stride) {
      const value = blended[above + x];
      target[to] = contrast * (value + (blended[below + x] - value) * share) + brightness;
    }
  }
}

/** Where the places of one axis of a view come from in the original. */
class Line {
  /** Offsets of the two places of the original between which each place lies, and how far it is from the first. */
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly part: Float32Array;

  constructor(
    readonly side: number,
    /** Distance between neighbours. */
    readonly stride: number,
  ) {
    this.before = new Int32Array(side);
    this.after = new Int32Array(side);
    this.part = new Float32Array(side);
  }

  /**
   * The axis is reversed where it is `flipped`, then moved by `shift` places, and a part of it magnified to the whole.
   *
   * @param share the part's length as a share of the whole's
   * @param offset where between the beginning (0) and the end (1) the part lies
   * @param nearest takes the nearest place of the original alone
   */
  place(share: number, offset: number, shift: number, flipped: boolean, nearest: boolean): void {
    const last = this.side - 1;
    const start = offset * (1 - share) * this.side;
    const source = (place: number): number => {
      const unshifted = Math.min(Math.max(place - shift, 0), last);
      return (flipped ? last - unshifted : unshifted) * this.stride;
    };
    for (let place = 0; place < this.side; place++) {
      const between = Math.min(Math.max(start + (place + 0.5) * share - 0.5, 0), last);
      const exact = nearest ? Math.round(between) : between;
      const before = Math.floor(exact);
      this.before[place] = source(before);
      this.after[place] = source(Math.min(before + 1, last));
      this.part[place] = exact - before;
    }
  }
}
