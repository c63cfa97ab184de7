/** Whether a network takes a signal as [channels, length] or as [length, channels]. */
import type { Node } from "../graph/graph.js";
import type { Network } from "../ops/network.js";

/** Nodes in front of the first layer that are looked through. */
const farthest = 16;
/** The layout by the input's axis that has the channels. */
const layouts = [undefined, "NCHW", "NHWC"] as const;
const passing = new Set(["Identity", "Cast", "Dropout", "Add", "Sub", "Mul", "Div"]);

/**
 * The layout of samples of two axes, by what the first layer does with them: a convolution has the channels on the second
 * axis of a batch, a matrix (of a recurrent layer, or one applied at every position) on the last. undefined where samples
 * have other axes, or where nothing tells.
 */
export function signalLayout(network: Network): "NCHW" | "NHWC" | undefined {
  if (network.sampleShape.length !== 2) return undefined;
  let { name } = network.input;
  // Which axis of the network's input each axis of the value in hand is.
  let axes = [0, 1, 2];
  for (let steps = 0; steps < farthest; steps++) {
    const readers = network.consumers.get(name) ?? [];
    const layer = readers.find(({ op }) => op === "Conv" || op === "MatMul");
    if (layer) return layouts[axes[layer.op === "Conv" ? 1 : 2]];
    const node = readers.find((each) => passing.has(each.op) || permutation(each));
    if (!node) return undefined;
    axes = permutation(node)?.map((axis) => axes[axis]) ?? axes;
    name = node.outputs[0];
  }
  return undefined;
}

/** How a node exchanges its three axes; undefined for all other nodes. */
function permutation({ op, attributes }: Node): readonly number[] | undefined {
  const { perm } = attributes;
  return op === "Transpose" && perm?.kind === "ints" && perm.value.length === 3 ? perm.value : undefined;
}
