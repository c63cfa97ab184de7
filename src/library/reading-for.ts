/** How samples are read for a network where the user does not say. */
import type { OpenOptions } from "../data/dataset.js";
import type { Network } from "../ops/network.js";
import { ownScaling } from "../recipe/own-scaling.js";
import { pictureGeometry } from "../training/picture-geometry.js";

/** A network that divides pictures by more than this takes them as they are stored, from 0 to 255; else from 0 to 1. */
const storedPictures = 16;
/** So does one that takes more than this away from them. */
const storedOffset = 4;

/**
 * The layout by the samples' shape. And a network that scales its samples itself gets what it scales: pictures as they are
 * stored or from 0 to 1, whichever its own numbers are for, and other data as it is; standardised before, they would be
 * scaled twice, and the weights fit nothing that the network is given later.
 */
export function readingFor(network: Network): Pick<OpenOptions, "layout" | "normalise"> {
  const picture = pictureGeometry(network.sampleShape);
  const own = ownScaling(network);
  const takesStored =
    own !== undefined && (Math.abs(own.scale) * storedPictures <= 1 || Math.abs(own.offset) > storedOffset);
  return {
    ...(picture ? { layout: picture.layout } : {}),
    ...(own ? { normalise: picture && !takesStored ? "unit" : "none" } : {}),
  };
}

/** Says that a network scales its samples itself, and how they are read therefore; undefined where it does not. */
export function ownScalingNote(network: Network, asked: OpenOptions["normalise"]): string | undefined {
  const own = ownScaling(network);
  if (!own) return undefined;
  const { normalise } = readingFor(network);
  const about = `about x · ${own.scale.toPrecision(3)} ${own.offset < 0 ? "−" : "+"} ${Math.abs(own.offset).toPrecision(3)}`;
  return asked === undefined
    ? `The network scales its samples x itself (${about}), so that they are given to it by --normalise ${normalise}; give it the same when you train it.`
    : `The network scales its samples x itself (${about}), after the normalisation that was asked for: train it on samples normalised as transform.json says, or leave --normalise out.`;
}
