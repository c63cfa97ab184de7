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
 * @throws UserError where the samples are neither pictures nor signals, or signals were to be turned around
 */
export function augmenterFor(kinds: readonly Augmentation[], dataset: Dataset, network: Network): Augmenter {
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
  requireMapsOfGeometry(dataset, geometry);
  const size = sizeOf(network.sampleShape);
  return (samples, target, seed, step) =>
    drawView(samples, target, samples.length / size, geometry, viewsOf(kinds), stepStream(seed, step));
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

function stepStream(seed: number, step: number): RandomStream {
  return new RandomStream(seed, "augmentation", step);
}

/**
 * What changes the maps of a step's samples as {@link augmenterFor} changes these, given the same seed and step.
 *
 * @throws UserError where the maps have other positions than the samples
 */
export function mapAugmenterFor(kinds: readonly Augmentation[], dataset: Dataset, network: Network): Augmenter {
  const geometry = datasetGeometry(dataset) ?? signalGeometry(network);
  if (!geometry) throw new Error("there is nothing to change maps by");
  const { height, width } = requireMapsOfGeometry(dataset, geometry);
  const plane: PictureGeometry = { channels: 1, height, width, layout: "NCHW" };
  return (maps, target, seed, step) =>
    drawView(maps, target, maps.length / (height * width), plane, viewsOf(kinds), stepStream(seed, step));
}

/** @returns the geometry. @throws UserError where there are maps, and they have other positions */
function requireMapsOfGeometry({ maps, where }: Dataset, geometry: PictureGeometry): PictureGeometry {
  const { height, width } = geometry;
  if (!maps || sizeOf(maps.shape) === height * width) return geometry;
  throw userError({
    where: "augment",
    required: `maps with a class for each of the samples' ${height}x${width} positions, which are moved alike`,
    got: `maps of ${maps.shape.join("x")} in ${where}`,
    advice: "Leave --augment out.",
  });
}
