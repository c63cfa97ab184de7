/** What a network does to its samples' scale by itself, before anything in it learns. */
import { numbersOf } from "../graph/tensor.js";
import type { Network } from "../ops/network.js";

/** Samples x arrive as about scale · x + offset at what comes behind; both are means over the channels. */
export interface OwnScaling {
  readonly scale: number;
  readonly offset: number;
}

/** Nodes in front of the first layer that are looked through. */
const farthest = 32;
/** Smaller shifts alone may be a parameter's start values; pictures from 0 to 1 are centred by half of one. */
const leastOffset = 0.4;
const passing = new Set(["Identity", "Cast", "Dropout", "Transpose", "Reshape", "Unsqueeze", "Squeeze", "Flatten"]);
const arithmetic = new Set(["Add", "Sub", "Mul", "Div"]);

/**
 * The fixed arithmetic in front of a network's first layer: Keras' Rescaling and Normalization, or x / 255 in a PyTorch
 * module's forward. undefined where there is none: such a network leaves the scale of its samples to who prepares them.
 */
export function ownScaling(network: Network): OwnScaling | undefined {
  let { name } = network.input;
  let [scale, offset] = [1, 0];
  for (let steps = 0; steps < farthest; steps++) {
    const readers = network.consumers.get(name) ?? [];
    const [node] = readers;
    if (readers.length !== 1 || !(passing.has(node.op) || arithmetic.has(node.op))) break;
    if (arithmetic.has(node.op)) {
      const isSecond = node.inputs[1] === name;
      const other = node.inputs[isSecond ? 0 : 1];
      const tensor = network.tensors.get(other);
      // One number, or one for each channel: what changes from place to place is no scaling but an encoding of positions.
      if (!tensor || network.parameters.has(other) || tensor.shape.filter((size) => size > 1).length > 1) break;
      const numbers = numbersOf(tensor);
      const number = numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
      if (node.op === "Mul") [scale, offset] = [scale * number, offset * number];
      else if (node.op === "Add") offset += number;
      else if (node.op === "Sub") [scale, offset] = isSecond ? [-scale, number - offset] : [scale, offset - number];
      else if (isSecond) break;
      else [scale, offset] = [scale / number, offset / number];
    }
    name = node.outputs[0];
  }
  return scale === 1 && Math.abs(offset) < leastOffset ? undefined : { scale, offset };
}
