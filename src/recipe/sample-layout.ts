/** Where a network's samples have their channels: pictures of three axes, and signals of two. */
import type { Node } from "../graph/graph.js";
import type { Network } from "../ops/network.js";

/** Nodes in front of the first layer that are looked through. */
const farthest = 16;
const passing = new Set(["Identity", "Cast", "Dropout", "Add", "Sub", "Mul", "Div", "BatchNormalization", "Pad"]);

/**
 * The layout of samples of two or three axes, by what the first layer does with them: a convolution has the channels on the
 * second axis of a batch; of signals, a matrix (of a recurrent layer, or one applied at every position) has them on the last.
 * NCHW stands for channels on a sample's first axis, NHWC for channels on its last. undefined where samples have other axes,
 * or where nothing tells.
 */
export function sampleLayout(network: Network): "NCHW" | "NHWC" | undefined {
  const count = network.sampleShape.length;
  if (count !== 2 && count !== 3) return undefined;
  let { name } = network.input;
  // Which axis of the network's input each axis of the value in hand is.
  let axes = Array.from({ length: count + 1 }, (_, axis) => axis);
  for (let steps = 0; steps < farthest; steps++) {
    const readers = network.consumers.get(name) ?? [];
    const layer = readers.find(({ op }) => op === "Conv" || (op === "MatMul" && count === 2));
    if (layer) {
      const channels = axes[layer.op === "Conv" ? 1 : count];
      return channels === 1 ? "NCHW" : channels === count ? "NHWC" : undefined;
    }
    const exchange = (node: Node): readonly number[] | undefined => permutation(node, count + 1);
    const node = readers.find((each) => passing.has(each.op) || exchange(each));
    if (!node) return undefined;
    axes = exchange(node)?.map((axis) => axes[axis]) ?? axes;
    name = node.outputs[0];
  }
  return undefined;
}

/** How a node exchanges its axes, so many; undefined for all other nodes. */
function permutation({ op, attributes }: Node, count: number): readonly number[] | undefined {
  const { perm } = attributes;
  return op === "Transpose" && perm?.kind === "ints" && perm.value.length === count ? perm.value : undefined;
}
