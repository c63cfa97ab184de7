/** How the values of one sample lie as a picture. */
import type { Dataset } from "../data/dataset.js";

export interface PictureGeometry {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly layout: "NCHW" | "NHWC";
}

/** Distances between neighbours in a column, in a row and over the channels. */
export function pictureStrides({ channels, height, width, layout }: PictureGeometry): {
  readonly row: number;
  readonly column: number;
  readonly channel: number;
} {
  return layout === "NCHW"
    ? { row: width, column: 1, channel: height * width }
    : { row: width * channels, column: channels, channel: 1 };
}

/**
 * The picture geometry of a data set's samples, or undefined where they are no pictures. Pictures that a network takes
 * flattened are known by the data set's record.
 */
export function datasetGeometry(dataset: Pick<Dataset, "shape" | "record">): PictureGeometry | undefined {
  const known = dataset.record.picture as Partial<PictureGeometry> | undefined;
  const { channels, height, width } = known ?? {};
  if (dataset.shape.length === 3 || !channels || !height || !width) return pictureGeometry(dataset.shape);
  const size = dataset.shape.reduce((product, length) => product * length, 1);
  return channels * height * width === size ? { channels, height, width, layout: known?.layout ?? "NCHW" } : undefined;
}

/**
 * The picture geometry of a sample shape, or undefined where it is none. Of three axes, the last is taken for the
 * channels where it alone has a picture's number of them (1, 3 or 4).
 */
export function pictureGeometry(shape: readonly number[]): PictureGeometry | undefined {
  if (shape.length !== 3) return undefined;
  const [first, second, third] = shape;
  const isChannels = (size: number): boolean => size === 1 || size === 3 || size === 4;
  return isChannels(third) && !isChannels(first)
    ? { channels: third, height: first, width: second, layout: "NHWC" }
    : { channels: first, height: second, width: third, layout: "NCHW" };
}
