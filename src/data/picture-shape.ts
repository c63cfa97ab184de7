import { userError } from "../errors.js";
import type { OpenOptions, PictureLayout } from "./dataset.js";

/** A picture's size. */
export interface PictureSize {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** What pictures are made into: a size, and the shape in which the model takes it. */
export interface PictureTarget extends PictureSize {
  readonly layout: PictureLayout;
  readonly shape: readonly number[];
}

/** "28×28 grey", for messages. */
export function describeSize({ channels, height, width }: PictureSize): string {
  const kinds: Record<number, string> = { 1: "grey", 2: "grey with transparency", 3: "RGB", 4: "RGBA" };
  return `${height}×${width} ${kinds[channels] ?? `with ${channels} channels`}`;
}

/**
 * The layout of samples by their shape, null where a size is open: of three axes, the last is taken for the channels where it
 * alone has a picture's number of them (1, 3 or 4).
 */
export function layoutOfShape(shape: readonly (number | null)[]): PictureLayout {
  const isChannels = (size: number | null): boolean => size === 1 || size === 3 || size === 4;
  return shape.length === 3 && isChannels(shape[2]) && !isChannels(shape[0]) ? "NHWC" : "NCHW";
}

/** The wanted picture in a model's input shape of three axes. */
export function wantedPicture(
  shape: readonly (number | null)[],
  layout: PictureLayout,
): { channels: number | null; height: number | null; width: number | null } {
  const [channels, height, width] = layout === "NCHW" ? shape : [shape[2], shape[0], shape[1]];
  return { channels, height, width };
}

/**
 * Decides what pictures of a size become for a model's input: [C, H, W] or [H, W, C]; [H, W] (one grey plane); or
 * [n] (the picture flattened in its layout's order, for an MLP).
 *
 * @param actual the size of the pictures at hand
 * @param what names the pictures in messages
 * @throws UserError if the model's size is another and the options do not ask for resizing or converting
 */
export function choosePictureTarget(
  actual: PictureSize,
  options: Pick<OpenOptions, "shape" | "layout" | "resize" | "convert">,
  what: string,
): PictureTarget {
  const shape = options.shape ?? [null, null, null];
  const layout = options.layout ?? layoutOfShape(shape);
  const wanted = wantedSize(actual, shape, layout, options, what);
  const size = {
    channels: wanted.channels ?? actual.channels,
    height: wanted.height ?? actual.height,
    width: wanted.width ?? actual.width,
  };
  checkPictureFits(actual, size, options, what);
  const { channels, height, width } = size;
  let delivered = layout === "NCHW" ? [channels, height, width] : [height, width, channels];
  if (shape.length === 2) delivered = [height, width];
  if (shape.length === 1) delivered = [channels * height * width];
  return { ...size, layout, shape: delivered };
}

/** Throws a {@link UserError} if a picture needs resizing or converting that the options do not ask for. */
export function checkPictureFits(
  actual: PictureSize,
  target: PictureSize,
  options: Pick<OpenOptions, "resize" | "convert">,
  what: string,
): void {
  const sizeDiffers = actual.height !== target.height || actual.width !== target.width;
  const channelsDiffer = actual.channels !== target.channels;
  const missing = [
    ...(sizeDiffers && options.resize !== true ? ["--resize"] : []),
    ...(channelsDiffer && options.convert !== true ? ["--convert"] : []),
  ];
  if (missing.length > 0) {
    throw userError({
      where: what,
      required: `pictures of ${describeSize(target)}`,
      got: describeSize(actual),
      advice: `Pass ${missing.join(" and ")} to have them made so`,
    });
  }
  if (channelsDiffer && (actual.channels > 4 || (target.channels !== 1 && target.channels !== 3))) {
    throw userError({
      where: what,
      required: `pictures with ${target.channels} channels`,
      got: describeSize(actual),
      advice: "Only grey, RGB and transparency can be converted: prepare the pictures beforehand",
    });
  }
}

function wantedSize(
  actual: PictureSize,
  shape: readonly (number | null)[],
  layout: PictureLayout,
  options: Pick<OpenOptions, "resize" | "convert">,
  what: string,
): { channels: number | null; height: number | null; width: number | null } {
  if (shape.length === 3) return wantedPicture(shape, layout);
  if (shape.length === 2) return { channels: 1, height: shape[0], width: shape[1] };
  if (shape.length === 1) {
    const length = shape[0];
    if (length === null) return actual;
    const { height, width } = actual;
    const channelChoices = options.convert === true ? [actual.channels, 1, 3] : [actual.channels];
    for (const channels of channelChoices) {
      if (channels * height * width === length) return { channels, height, width };
    }
    for (const channels of channelChoices) {
      const side = Math.sqrt(length / channels);
      if (options.resize === true && Number.isInteger(side)) return { channels, height: side, width: side };
    }
    throw userError({
      where: what,
      required: `${length} values per sample, as the model takes`,
      got: `pictures of ${describeSize(actual)}, which are ${actual.channels * height * width} values`,
      advice: "Pass --resize, --convert or both if the pictures may be made to fit",
    });
  }
  throw userError({
    where: what,
    required: `samples of the shape [${shape.map((length) => length ?? "?").join(", ")}], as the model takes`,
    got: `pictures of ${describeSize(actual)}`,
    advice: "Pictures fit models that take [C, H, W], [H, W, C], [H, W] or a flat vector",
  });
}
