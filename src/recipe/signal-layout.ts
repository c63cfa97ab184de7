/** Whether a network takes a signal as [channels, length] or as [length, channels]. */
import type { Node } from "../graph/graph.js";
import type { Network } from "../ops/network.js";

/** Nodes in front of the first layer that are looked through. */
const farthest = 16;
const passing = new Set(["Identity", "Cast", "Dropout", "Add", "Sub", "Mul", "Div"]);

/**
 * The layout of samples of two axes, by what the first layer does with them: a convolution has the channels on the second
 * axis of a batch, a matrix (of a recurrent layer, or one applied at every position) on the last. undefined where samples
 * have other axes, or where nothing tells.
 */
export function signalLayout(network: Network): "NCHW" | "NHWC" | undefined {
  if (network.sampleShape.length !== 2) return undefined;
  let { name } = network.input;
  let isExchanged = false;
  for (let steps = 0; steps < farthest; steps++) {
    const readers = network.consumers.get(name) ?? [];
    const layer = readers.find(({ op }) => op === "Conv" || op === "MatMul");
    if (layer) return (layer.op === "Conv") === isExchanged ? "NHWC" : "NCHW";
    const node = readers.find((each) => passing.has(each.op) || exchanges(each));
    if (!node) return undefined;
    if (exchanges(node)) isExchanged = !isExchanged;
    name = node.outputs[0];
  }
  return undefined;
}

function exchanges({ op, attributes }: Node): boolean {
  return op === "Transpose" && attributes.perm?.kind === "ints" && attributes.perm.value.join() === "0,2,1";
}
