/** Labelled samples that are changed a little at each supervised step, as is usual where labels are few. */
import type { Dataset } from "../data/dataset.js";
import { userError } from "../errors.js";
import { sizeOf } from "../graph/tensor.js";
import type { Network } from "../ops/network.js";
import { RandomStream } from "../random/stream.js";
import { datasetGeometry } from "./picture-geometry.js";
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
  const settings: ViewSettings = {
    shift: kinds.includes("shift") ? largestShift : 0,
    flip: kinds.includes("flip"),
    zoom: 0,
    jitter: 0,
    colour: 0,
  };
  const size = sizeOf(network.sampleShape);
  return (samples, target, seed, step) =>
    drawView(samples, target, samples.length / size, geometry, settings, new RandomStream(seed, "augmentation", step));
}
