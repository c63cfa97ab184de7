/** How the values of one sample lie as a picture. */

export interface PictureGeometry {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly layout: "NCHW" | "NHWC";
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
