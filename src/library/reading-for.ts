/** How samples are read for a network where the user does not say. */
import type { OpenOptions } from "../data/dataset.js";
import { type FittedRecord, readFitted } from "../data/fitted-record.js";
import type { Network } from "../ops/network.js";
import { onScaledSamples, ownScaling } from "../recipe/own-scaling.js";
import { sampleLayout } from "../recipe/sample-layout.js";
import { pictureGeometry } from "../training/picture-geometry.js";

/** A network that divides pictures by more than this takes them as they are stored, from 0 to 255; else from 0 to 1. */
const storedPictures = 16;
/** So does one that takes more than this away from them. */
const storedOffset = 4;

/**
 * The normalisation that a network's own scaling is made for, or that the part of a model behind a tensor inside is; undefined
 * where the user prepares the samples.
 */
function takenSamples(network: Network): "none" | "unit" | undefined {
  if (network.beginsInside || network.vocabulary !== undefined) return "none";
  const own = ownScaling(network);
  if (!own) return undefined;
  const takesStored = Math.abs(own.scale) * storedPictures <= 1 || Math.abs(own.offset) > storedOffset;
  return takesStored || !pictureGeometry(network.sampleShape) ? "none" : "unit";
}

/**
 * The layout by the network's first layer, or else by the shape of pictures; and no normalisation where a network scales
 * samples that are no pictures itself: pictures, and tensors inside a model, are read standardised for it, see
 * {@link networkOnStandardised}.
 */
export function readingFor(network: Network): Pick<OpenOptions, "layout" | "normalise"> {
  const picture = pictureGeometry(network.sampleShape);
  const layout = sampleLayout(network) ?? picture?.layout;
  const isScaled = !picture && !network.beginsInside && takenSamples(network) !== undefined;
  return { ...(layout ? { layout } : {}), ...(isScaled ? { normalise: "none" as const } : {}) };
}

/** A network on samples as they were read, and what the samples must go through for the network as the user has it. */
export interface FittedNetwork {
  readonly network: Network;
  /** The data's record, with the normalisation that the user's network takes. */
  readonly record: Record<string, unknown>;
  /** That normalisation's name, where it is another than the data's. */
  readonly normalisation?: "none" | "unit";
}

/**
 * Puts a network that scales pictures itself, or that begins inside a model, on standardised samples: what the data's normalisation did is undone in front of
 * it, so that it sees what it was made for, and everything beside it (G's output, D, noise) has pictures of mean 0 and
 * deviation 1 as with other networks. All other networks stay.
 *
 * @param record of the data, read without any normalisation being asked for
 */
export function networkOnStandardised(network: Network, record: Record<string, unknown>): FittedNetwork {
  const name = takenSamples(network);
  const picture = pictureGeometry(network.sampleShape);
  const fitted: FittedRecord = readFitted(record) ?? {};
  const { normalisation: read } = fitted;
  if (name === undefined || !read || !(picture || network.beginsInside)) return { network, record };
  const { scale, offset, low, high } = read;
  // The network's samples are raw · width + start.
  const width = low.map((from, channel) => (name === "unit" ? 1 / (high[channel] - from || 1) : 1));
  const start = low.map((from, channel) => (name === "unit" ? 0 - from * width[channel] : 0));
  const undone = {
    scale: scale.map((each, channel) => width[channel] / each),
    offset: offset.map((each, channel) => start[channel] - (each * width[channel]) / scale[channel]),
  };
  return {
    network: onScaledSamples(network, undone, (fitted.picture ?? fitted.signal ?? picture)?.layout),
    record: { ...record, normalisation: { ...read, name, scale: width, offset: start } },
    normalisation: name,
  };
}

/** Says that a network scales its samples itself, and how they are read therefore; undefined where it does not. */
export function ownScalingNote(network: Network, asked: OpenOptions["normalise"]): string | undefined {
  if (network.beginsInside && asked === undefined)
    return "samples come as a tensor inside the model, which is not normalised when the model computes it, so the network is given them as they are.";
  const own = ownScaling(network);
  if (!own) return undefined;
  const shift = `${own.offset < 0 ? "−" : "+"} ${Math.abs(own.offset).toPrecision(3)}`;
  const fact = `the network scales its samples itself, to about ${own.scale.toPrecision(3)} x ${shift}`;
  if (asked !== undefined)
    return `${fact}, after the normalisation that was asked for: train it on samples that transform.json makes, or leave the normalisation out.`;
  const taken = takenSamples(network) === "unit" ? "pictures from 0 to 1" : "samples as they are stored";
  return `${fact}, so it is given ${taken}, as it must be in training.`;
}
