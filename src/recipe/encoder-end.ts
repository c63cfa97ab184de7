/** Where the encoder ends in a network that answers with a map: a U-Net, a feature pyramid. */

import { UserError } from "../errors.js";
import type { Node } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import { Emitter } from "../ops/emitter.js";
import { instanceUpTo } from "../ops/instance-up-to.js";
import type { NetworkStep } from "../ops/instantiate.js";
import { ancestors, type Network } from "../ops/network.js";

/** The end of an encoder, and the decoder's first node. */
export interface EncoderEnd {
  /** Name of the tensor that the encoder ends with. */
  readonly feature: string;
  /** The node that enlarges it. */
  readonly enlargement: Node;
}

/** Operators that can give a map more positions than it had. */
const enlarging: ReadonlySet<string> = new Set(["ConvTranspose", "DepthToSpace", "Resize"]);

/**
 * Finds the smallest map behind a layer with weights that the network enlarges on the way to a tensor; of several of one size
 * the first. What is pooled to a single position is not counted: enlarged, it is the same everywhere.
 *
 * @param target name of a tensor, in place of whose ancestors the rest of the network is not looked at
 * @returns undefined where nothing is enlarged, and where the network cannot be taken as far as the target
 */
export function encoderEnd(network: Network, target: string): EncoderEnd | undefined {
  if (!ancestors(network, [target]).some(({ op }) => enlarging.has(op))) return undefined;
  const layers = new Set(network.layers.map(({ node }) => node));
  const behindLayer = new Set<string>();
  let end: (EncoderEnd & { readonly positions: number }) | undefined;
  for (const step of stepsUpTo(network, target)) {
    const { node } = step;
    const [feature] = node.inputs;
    const positions = enlargedPositions(step);
    if (positions > 1 && behindLayer.has(feature) && !(end && end.positions <= positions))
      end = { feature, enlargement: node, positions };
    if (layers.has(node) || node.inputs.some((name) => behindLayer.has(name)))
      for (const name of node.outputs) behindLayer.add(name);
  }
  return end && { feature: end.feature, enlargement: end.enlargement };
}

/** Positions a channel of the map that a step enlarges; 0 where it enlarges none. */
function enlargedPositions({ node, inputs, outputs, fromSample }: NetworkStep): number {
  const [map] = inputs;
  if (!enlarging.has(node.op) || !map || !fromSample[0]) return 0;
  const [before, after] = [map, outputs[0]].map(({ shape }) => sizeOf(shape.slice(2)));
  return after > before ? before : 0;
}

function stepsUpTo(network: Network, target: string): readonly NetworkStep[] {
  try {
    return instanceUpTo(new Emitter(), network, [target]).steps;
  } catch (error) {
    // Who takes the network as a whole says what is wrong with it.
    if (error instanceof UserError) return [];
    throw error;
  }
}
