/** The discriminator that an option names. */

import { userError } from "../errors.js";
import { nearest } from "../nearest.js";
import { networkCost } from "../ops/cost.js";
import { Emitter } from "../ops/emitter.js";
import { instanceUpTo } from "../ops/instance-up-to.js";
import {
  buildDiscriminator,
  type Discriminator,
  type DiscriminatorKind,
  discriminatorKinds,
} from "../recipe/discriminator.js";
import { discriminatorFromNetwork } from "../recipe/discriminator-from-network.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import { initialWeights, type Weights } from "../recipe/initial-values.js";
import { sampleLayout } from "../recipe/sample-layout.js";
import { pictureGeometry } from "../training/picture-geometry.js";
import { openModel } from "./open-model.js";

export interface ChosenDiscriminator {
  readonly kind: string;
  readonly discriminator: Discriminator;
  /** Start values that do not come from headstart: those of the user's own file. */
  readonly weights: Weights;
  /** Hash of the user's own file. */
  readonly hash?: string;
  readonly notes: readonly string[];
}

/**
 * Builds D by kind, sized to F's cost, or reads the user's own ONNX file.
 *
 * @param given where samples have their channels; by default as F's first layer or their shape tells
 * @throws UserError where the option names neither a kind nor a model that fits
 */
export async function chooseDiscriminator(
  option: string,
  features: FeatureExtractor,
  given?: "NCHW" | "NHWC",
): Promise<ChosenDiscriminator> {
  requireDiscriminatorKind(option);
  const { sampleShape } = features.network;
  const layout = given ?? sampleLayout(features.network) ?? pictureGeometry(sampleShape)?.layout;
  if ((discriminatorKinds as readonly string[]).includes(option)) {
    const discriminator = buildDiscriminator({
      kind: option as DiscriminatorKind,
      sampleShape,
      ...(layout ? { layout } : {}),
      targetCost: costOf(features),
    });
    return { kind: discriminator.kind, discriminator, weights: new Map(), notes: discriminator.notes };
  }
  const { network, hash } = await openModel(option, { keepNames: true });
  const discriminator = discriminatorFromNetwork(network, sampleShape);
  const weights: Weights = new Map(
    [...initialWeights(network, "file", 0)].map(([name, elements]) => [`discriminator/${name}`, elements]),
  );
  return { kind: "network", discriminator, weights, hash, notes: discriminator.notes };
}

/** @throws UserError where an option names no kind, and no file either */
export function requireDiscriminatorKind(option: string): void {
  if ((discriminatorKinds as readonly string[]).includes(option) || /[./\\]/.test(option)) return;
  throw userError({
    where: "--discriminator",
    required: `one of ${discriminatorKinds.join(", ")} or an ONNX file`,
    got: `"${option}"`,
    advice: `Did you mean ${nearest(option, discriminatorKinds)}?`,
  });
}

/** F's multiply-adds for one sample. */
function costOf({ network, feature }: FeatureExtractor): number {
  return networkCost(instanceUpTo(new Emitter(), network, [feature]).steps);
}
