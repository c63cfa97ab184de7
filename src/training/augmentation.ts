/** Labelled samples that are changed a little at each supervised step, as is usual where labels are few. */
import type { Dataset } from "../data/dataset.js";
import { userError } from "../errors.js";
import { sizeOf } from "../graph/tensor.js";
import type { Network } from "../ops/network.js";
import { RandomStream } from "../random/stream.js";
import { datasetGeometry, type PictureGeometry } from "./picture-geometry.js";
import { drawView, type ViewSettings } from "./picture-views.js";
import { signalGeometry } from "./signal-geometry.js";

/** How labelled samples may be changed: moved, or turned left to right in half of the cases. */
export const augmentations = ["shift", "flip"] as const;
export type Augmentation = (typeof augmentations)[number];

/** Samples are moved by up to this share of each side: four pixels of 32, as usual (He et al., 2016, section 4.2). */
const largestShift = 1 / 8;

/**
 * Writes changed copies of a step's samples, one after another. The step and the seed decide the changes.
 *
 * @param target as long as the samples
 */
export type Augmenter = (samples: Float32Array, target: Float32Array, seed: number, step: number) => void;

/**
 * What changes the samples of a data set that a network is trained on. Pictures are moved in both directions, signals in time;
 * what comes in at an edge continues the edge.
 *
 * @throws UserError as {@link geometryFor} does
 */
export function augmenterFor(kinds: readonly Augmentation[], dataset: Dataset, network: Network): Augmenter {
  return augmenterOn(kinds, geometryFor(kinds, dataset, network));
}

/**
 * What changes the maps of a step's samples as {@link augmenterFor} changes these, given the same seed and step.
 *
 * @throws UserError as {@link geometryFor} does
 */
export function mapAugmenterFor(kinds: readonly Augmentation[], dataset: Dataset, network: Network): Augmenter {
  const { height, width } = geometryFor(kinds, dataset, network);
  return augmenterOn(kinds, { channels: 1, height, width, layout: "NCHW" });
}

function augmenterOn(kinds: readonly Augmentation[], geometry: PictureGeometry): Augmenter {
  const { channels, height, width } = geometry;
  const size = channels * height * width;
  const views = viewsOf(kinds);
  return (samples, target, seed, step) =>
    drawView(samples, target, samples.length / size, geometry, views, new RandomStream(seed, "augmentation", step));
}

/**
 * How the samples lie that are changed.
 *
 * @throws UserError where they are neither pictures nor signals, signals were to be turned around, or there are maps of other
 *   positions
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
  if (!picture && kinds.includes("flip"))
    throw userError({
      where: "augment",
      required: "shift, for signals, which do not run backwards",
      got: "flip",
      advice: "Write --augment shift.",
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

/** Samples are moved and turned, and nothing else. */
function viewsOf(kinds: readonly Augmentation[]): ViewSettings {
  return {
    shift: kinds.includes("shift") ? largestShift : 0,
    flip: kinds.includes("flip"),
    zoom: 0,
    jitter: 0,
    colour: 0,
  };
}
