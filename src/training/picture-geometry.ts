/** How the values of one sample lie as a picture. */
import type { Dataset } from "../data/dataset.js";
import { layoutOfShape } from "../data/picture-shape.js";

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
 * The picture geometry of a data set's samples, or undefined where they are no pictures: as the data set's record has it, by
 * which pictures are known that a network takes flattened, or else by the samples' shape.
 */
export function datasetGeometry(dataset: Pick<Dataset, "shape" | "record">): PictureGeometry | undefined {
  const known = dataset.record.picture as Partial<PictureGeometry> | undefined;
  const { channels, height, width } = known ?? {};
  if (!channels || !height || !width) return pictureGeometry(dataset.shape);
  const size = dataset.shape.reduce((product, length) => product * length, 1);
  if (channels * height * width !== size) return pictureGeometry(dataset.shape);
  return { channels, height, width, layout: known?.layout ?? "NCHW" };
}

/** The picture geometry of a sample shape, or undefined where it is none; see {@link layoutOfShape}. */
export function pictureGeometry(shape: readonly number[]): PictureGeometry | undefined {
  if (shape.length !== 3) return undefined;
  const [first, second, third] = shape;
  return layoutOfShape(shape) === "NHWC"
    ? { channels: third, height: first, width: second, layout: "NHWC" }
    : { channels: first, height: second, width: third, layout: "NCHW" };
}
