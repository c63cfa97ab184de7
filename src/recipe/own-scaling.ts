/** What a network does to its samples' scale by itself, before anything in it learns. */
import type { Node } from "../graph/graph.js";
import { floatTensor, numbersOf } from "../graph/tensor.js";
import { constantOf } from "../ops/known-constant.js";
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
      // Exporters write out how a mean of each channel is brought into shape.
      const tensor = constantOf(network, other);
      // One number, or one for each channel: what changes from place to place is no scaling but an encoding of positions.
      if (!tensor || tensor.shape.filter((size) => size > 1).length > 1) break;
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

/** Numbers for each channel of a picture, or one for all values. */
export interface ChannelScaling {
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

/**
 * The same network on samples of another scale: its input z becomes what it was made for, x = scale · z + offset, by two
 * nodes in front of all others. Its parameters, their names and the name of its input stay.
 *
 * @param layout where the channels are, where there is a number for each of them: the first axis but in NHWC
 */
export function onScaledSamples(
  network: Network,
  { scale, offset }: ChannelScaling,
  layout: "NCHW" | "NHWC" = "NCHW",
): Network {
  const { name } = network.input;
  const used = new Set([name, ...network.tensors.keys(), ...network.producers.keys()]);
  const fresh = (stem: string): string => {
    let candidate = `${name}/${stem}`;
    while (used.has(candidate)) candidate += "_";
    used.add(candidate);
    return candidate;
  };
  const channelsFirst = network.sampleShape.map((_, axis) => (axis === 0 ? scale.length : 1));
  const shape = scale.length === 1 ? [] : layout === "NCHW" ? channelsFirst : [scale.length];
  const [scaleName, offsetName, scaled, whole] = ["scale", "offset", "scaled", "whole"].map(fresh);
  const made = new Map([
    [scaleName, floatTensor(scale, shape)],
    [offsetName, floatTensor(offset, shape)],
  ]);
  const node = (op: string, inputs: readonly string[], output: string): Node => ({
    op,
    domain: "",
    name: output,
    inputs,
    outputs: [output],
    attributes: {},
  });
  const front = [node("Mul", [name, scaleName], scaled), node("Add", [scaled, offsetName], whole)];
  const readers = network.consumers.get(name) ?? [];
  const moved = new Map(
    readers.map((old) => [old, { ...old, inputs: old.inputs.map((input) => (input === name ? whole : input)) }]),
  );
  const nodeOf = (old: Node): Node => moved.get(old) ?? old;
  const consumers = new Map(
    [...network.consumers].map(([input, nodes]) => [input === name ? whole : input, nodes.map(nodeOf)]),
  );
  consumers.set(name, front.slice(0, 1));
  consumers.set(scaled, front.slice(1));
  for (const [index, constant] of [scaleName, offsetName].entries()) consumers.set(constant, [front[index]]);
  return {
    ...network,
    graph: {
      ...network.graph,
      nodes: [...front, ...network.graph.nodes.map(nodeOf)],
      initializers: new Map([...network.graph.initializers, ...made]),
    },
    tensors: new Map([...network.tensors, ...made]),
    constants: new Set([...network.constants, ...made.keys()]),
    layers: network.layers.map((layer) => ({ ...layer, node: nodeOf(layer.node) })),
    producers: new Map([
      ...[...network.producers].map(([output, old]) => [output, nodeOf(old)] as const),
      [scaled, front[0]],
      [whole, front[1]],
    ]),
    consumers,
  };
}
