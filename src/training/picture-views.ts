/** Views of pictures: for the contrast task, and shifted ones for others. */
import type { RandomStream } from "../random/stream.js";
import type { Recipe } from "../recipe/recipe.js";
import { type PictureGeometry, pictureStrides } from "./picture-geometry.js";

/** How views may differ from their originals. */
export type ViewSettings = Pick<Recipe["contrast"], "shift" | "zoom" | "flip" | "jitter" | "colour">;

/**
 * Writes a randomly changed copy of each picture of a batch: flipped, shifted (its edge is drawn out), magnified, with
 * another contrast, brightness and colour.
 */
export function drawView(
  batch: Float32Array,
  target: Float32Array,
  batchSize: number,
  picture: PictureGeometry,
  settings: ViewSettings,
  stream: RandomStream,
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
  for (let sample = 0; sample < batchSize; sample++) {
    const { share, top, left } = parts[sample];
    rows.place(share, top, down[sample], false);
    columns.place(share, left, right[sample], flips[sample]);
    for (let channel = 0; channel < channels; channel++) {
      const colour = colours[sample][channel];
      const contrast = colour.contrast * changes[sample].contrast;
      const brightness = colour.contrast * changes[sample].brightness + colour.brightness;
      const start = sample * channels * height * width + channel * strides.channel;
      copyPlane(batch, target, start, rows, columns, { contrast, brightness });
    }
  }
}

/** What the zoom "auto" is for pictures in colour. */
const zoomInColour = 0.5;

/** A value x becomes contrast · x + brightness. */
interface Change {
  readonly contrast: number;
  readonly brightness: number;
}

const unchanged: Change = { contrast: 1, brightness: 0 };

/** Writes one channel of a picture, each value between four of the original's by the two lines' places. */
function copyPlane(
  original: Float32Array,
  target: Float32Array,
  start: number,
  rows: Line,
  columns: Line,
  { contrast, brightness }: Change,
): void {
  const between = rows.between || columns.between;
  for (let y = 0; y < rows.side; y++) {
    const above = start + rows.before[y];
    const below = start + rows.after[y];
    const lower = rows.part[y];
    let to = start + y * rows.stride;
    for (let x = 0; x < columns.side; x++, to += columns.stride) {
      const left = columns.before[x];
      let value = original[above + left];
      if (between) {
        const right = columns.after[x];
        const part = columns.part[x];
        value += (original[above + right] - value) * part;
        const under = original[below + left];
        value += (under + (original[below + right] - under) * part - value) * lower;
      }
      target[to] = contrast * value + brightness;
    }
  }
}

/** Where the places of one axis of a view come from in the original. */
class Line {
  /** Offsets of the two places of the original between which each place lies, and how far it is from the first. */
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly part: Float32Array;
  /** Whether any place lies between two. */
  between = false;

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
   */
  place(share: number, offset: number, shift: number, flipped: boolean): void {
    const last = this.side - 1;
    const start = offset * (1 - share) * this.side;
    const source = (place: number): number => {
      const unshifted = Math.min(Math.max(place - shift, 0), last);
      return (flipped ? last - unshifted : unshifted) * this.stride;
    };
    this.between = share < 1;
    for (let place = 0; place < this.side; place++) {
      const exact = Math.min(Math.max(start + (place + 0.5) * share - 0.5, 0), last);
      const before = Math.floor(exact);
      this.before[place] = source(before);
      this.after[place] = source(Math.min(before + 1, last));
      this.part[place] = exact - before;
    }
  }
}
