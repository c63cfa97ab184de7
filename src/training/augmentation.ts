/** Labelled samples that are changed a little at each supervised step, as is usual where labels are few. */
import type { Dataset } from "../data/dataset.js";
import { userError } from "../errors.js";
import { sizeOf } from "../graph/tensor.js";
import type { Network } from "../ops/network.js";
import { RandomStream } from "../random/stream.js";
import { datasetGeometry, type PictureGeometry } from "./picture-geometry.js";
import { drawView, type ViewedValues, type ViewSettings } from "./picture-views.js";
import { signalGeometry } from "./signal-geometry.js";

/** How labelled samples may be changed: moved, turned left to right in half of the cases, magnified in part, in other light. */
export const augmentations = ["shift", "flip", "crop", "colour"] as const;
export type Augmentation = (typeof augmentations)[number];

/** Samples are moved by up to this share of each side: four pixels of 32, as usual (He et al., 2016, section 4.2). */
const largestShift = 1 / 8;

/** The part of a sample that is magnified to the whole is shorter along each side by up to this share of it. */
const largestCrop = 1 / 2;

/** Contrast changes by up to this share, and brightness by up to as many deviations, of all channels and then of each by itself. */
const largestChange = 0.4;

/**
 * Writes changed copies of a step's samples, one after another. The step and the seed decide the changes.
 *
 * @param target as long as the samples
 */
export type Augmenter = (samples: Float32Array, target: Float32Array, seed: number, step: number) => void;

/**
 * What changes the samples of a data set that a network is trained on. Pictures are moved and magnified in both directions, signals in
 * time; what comes in at an edge continues the edge.
 *
 * @throws UserError as {@link geometryFor} does
 */
export function augmenterFor(kinds: readonly Augmentation[], dataset: Dataset, network: Network): Augmenter {
  const geometry = geometryFor(kinds, dataset, network);
  return augmenterOn(kinds, geometry, { levels: levelsOf(dataset, geometry) });
}

/**
 * What changes the maps of a step's samples as {@link augmenterFor} changes these, given the same seed and step: classes move with
 * what they are of, and have no colour.
 *
 * @throws UserError as {@link geometryFor} does
 */
export function mapAugmenterFor(kinds: readonly Augmentation[], dataset: Dataset, network: Network): Augmenter {
  const { height, width } = geometryFor(kinds, dataset, network);
  const moving = kinds.filter((kind) => kind !== "colour");
  return augmenterOn(moving, { channels: 1, height, width, layout: "NCHW" }, { areClasses: true });
}

function augmenterOn(kinds: readonly Augmentation[], geometry: PictureGeometry, values: ViewedValues): Augmenter {
  const { channels, height, width } = geometry;
  const size = channels * height * width;
  const views = viewsOf(kinds);
  return (samples, target, seed, step) =>
    drawView(
      samples,
      target,
      samples.length / size,
      geometry,
      views,
      new RandomStream(seed, "augmentation", step),
      values,
    );
}

/** Mean and deviation of each channel as samples are delivered; undefined where its channels are not what was measured. */
function levelsOf({ record }: Dataset, { channels }: PictureGeometry): ViewedValues["levels"] {
  const { measured, normalisation } = record as {
    readonly measured?: { readonly mean: readonly number[]; readonly std: readonly number[] };
    readonly normalisation?: { readonly scale: readonly number[]; readonly offset: readonly number[] };
  };
  if (measured?.mean.length !== channels || normalisation?.scale.length !== channels) return undefined;
  const { scale, offset } = normalisation;
  return measured.mean.map((mean, channel) => ({
    mean: mean * scale[channel] + offset[channel],
    deviation: measured.std[channel] * scale[channel],
  }));
}

/**
 * How the samples lie that are changed.
 *
 * @throws UserError where they are neither pictures nor signals, signals were to be turned around or coloured, or there are maps of
 *   other positions
 */
function geometryFor(kinds: readonly Augmentation[], dataset: Dataset, network: Network): PictureGeometry {
  const picture = datasetGeometry(dataset);
  const geometry = picture ?? signalGeometry(network);
  if (!geometry)
    throw userError({
      where: "augment",
      required: "pictures, or signals that the network reads along their positions",
      got: `samples of ${dataset.shape.join("x")} in ${dataset.where}`,
      advice: "Leave --augment out.",
    });
  const unfit = picture ? undefined : (["flip", "colour"] as const).find((kind) => kinds.includes(kind));
  if (unfit)
    throw userError({
      where: "augment",
      required: "shift or crop, for signals, which do not run backwards and have no colours",
      got: unfit,
      advice: "Write --augment shift, or shift,crop.",
    });
  const { maps, where } = dataset;
  const { height, width } = geometry;
  if (maps && sizeOf(maps.shape) !== height * width)
    throw userError({
      where: "augment",
      required: `maps with a class for each of the samples' ${height}x${width} positions, which are moved alike`,
      got: `maps of ${maps.shape.join("x")} in ${where}`,
      advice: "Leave --augment out.",
    });
  return geometry;
}

function viewsOf(kinds: readonly Augmentation[]): ViewSettings {
  return {
    shift: kinds.includes("shift") ? largestShift : 0,
    flip: kinds.includes("flip"),
    zoom: kinds.includes("crop") ? largestCrop : 0,
    jitter: kinds.includes("colour") ? largestChange : 0,
    colour: kinds.includes("colour") ? largestChange : 0,
  };
}
