/** A picture of the first layer's weights, where these look at pictures. */
import { sharp } from "../data/sharp.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";
import { type PictureGeometry, pictureGeometry } from "../training/picture-geometry.js";

const mostFilters = 32;

/**
 * Draws up to 32 filters of F's first layer, each scaled by itself so that zero is grey: kernels of a convolution, or a
 * dense layer's weights laid out as the picture that they look at. With three channels in colour, else the first channel.
 *
 * @param recorded what the data says of its pictures
 * @returns the bytes of a PNG file; undefined where the input is no picture
 */
export async function filtersPicture(
  features: FeatureExtractor,
  weights: Weights,
  recorded?: PictureGeometry,
): Promise<Uint8Array | undefined> {
  const { network, layers } = features;
  const picture = network.vocabulary === undefined ? (recorded ?? pictureGeometry(network.sampleShape)) : undefined;
  if (!picture || layers.length === 0) return undefined;
  const { layout, shape, name } = layers[0].weight;
  const elements = weights.get(name);
  if (!layout || !elements) return undefined;
  const filters =
    layout.kind === "convolution" && !layout.transposed && shape.length === 4
      ? kernels(elements, shape)
      : layout.kind === "matrix"
        ? dense(elements, shape, layout.inputAxis, picture)
        : undefined;
  return filters && draw(filters);
}

/** Small pictures, [channel][y][x] each. */
interface Filters {
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly at: (filter: number, channel: number, y: number, x: number) => number;
}

function kernels(elements: Float32Array, shape: readonly number[]): Filters {
  const [count, channels, height, width] = shape;
  return {
    count,
    channels,
    height,
    width,
    at: (filter, channel, y, x) => elements[((filter * channels + channel) * height + y) * width + x],
  };
}

function dense(
  elements: Float32Array,
  shape: readonly number[],
  inputAxis: number,
  picture: PictureGeometry,
): Filters | undefined {
  const { channels, height, width, layout } = picture;
  const inputs = shape[inputAxis];
  const count = shape[1 - inputAxis];
  if (inputs !== channels * height * width) return undefined;
  return {
    count,
    channels,
    height,
    width,
    at: (filter, channel, y, x) => {
      const input = layout === "NHWC" ? (y * width + x) * channels + channel : (channel * height + y) * width + x;
      return elements[inputAxis === 1 ? filter * inputs + input : input * count + filter];
    },
  };
}

function draw({ count, channels, height, width, at }: Filters): Promise<Uint8Array> {
  const shown = Math.min(mostFilters, count);
  const columns = Math.min(8, shown);
  const rows = Math.ceil(shown / columns);
  const enlarge = Math.max(1, Math.floor(40 / Math.max(height, width)));
  const gap = 2;
  const [cellHeight, cellWidth] = [height * enlarge + gap, width * enlarge + gap];
  const [gridHeight, gridWidth] = [rows * cellHeight + gap, columns * cellWidth + gap];
  const pixels = new Uint8Array(gridHeight * gridWidth * 3).fill(255);
  for (let filter = 0; filter < shown; filter++) {
    const colours = channels === 3 ? [0, 1, 2] : [0, 0, 0];
    let largest = 0;
    for (const channel of new Set(colours))
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) largest = Math.max(largest, Math.abs(at(filter, channel, y, x)));
    const top = gap + Math.floor(filter / columns) * cellHeight;
    const left = gap + (filter % columns) * cellWidth;
    for (let y = 0; y < height * enlarge; y++)
      for (let x = 0; x < width * enlarge; x++)
        colours.forEach((channel, colour) => {
          const share = at(filter, channel, Math.floor(y / enlarge), Math.floor(x / enlarge)) / (largest || 1);
          pixels[((top + y) * gridWidth + left + x) * 3 + colour] = Math.round(127.5 + 127.5 * share);
        });
  }
  return sharp(pixels, { raw: { width: gridWidth, height: gridHeight, channels: 3 } })
    .png()
    .toBuffer();
}
