/** How many channels ONNX Runtime's blocked layout has in a block on this machine. */

import { serializeGraph } from "../formats/onnx-write.js";
import { type Attributes, attribute, type Graph, type Node } from "../graph/graph.js";
import { pinnedOpset } from "../graph/opset.js";
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import { openSerialized } from "./node.js";

const domain = "com.microsoft.nchwc";
/** Block sizes that ONNX Runtime has for some processors. */
const largestBlock = 16;
/** The convolution that is tried: two blocks of channels, other numbers of rows than of columns, stride and padding. */
const picture = [4, 5] as const;
const window = { kernel: [2, 3], strides: [1, 2], pads: [1, 0, 0, 1] } as const;
const results = [4, 2] as const;

let known: Promise<number | undefined> | undefined;

/**
 * Asks ONNX Runtime, once a process: reorders numbers that say where they came from, then convolves in blocks and
 * compares with Conv. The layout's operators are ONNX Runtime's own affair, so another version may have others.
 *
 * @returns undefined where there is no blocked layout that works as this version's does
 */
export function channelBlock(): Promise<number | undefined> {
  known ??= findBlock();
  return known;
}

async function findBlock(): Promise<number | undefined> {
  try {
    const block = await reorderedBlock();
    return block !== undefined && (await convolvesInBlocks(block)) ? block : undefined;
  } catch {
    // A build of ONNX Runtime without this layout refuses the graph.
    return undefined;
  }
}

async function reorderedBlock(): Promise<number | undefined> {
  const channels = largestBlock;
  // Channel c has the numbers 2c and 2c + 1: in blocks of b, b even numbers come first.
  const x = floatTensor(
    Float32Array.from({ length: 2 * channels }, (_, index) => index),
    [1, channels, 1, 2],
  );
  const { y } = await run({ x }, { y: x.shape }, [node("ReorderInput", ["x"], "y")]);
  const order = Array.from(y);
  const block = order.findIndex((number) => number % 2 === 1);
  const isBlocked = order.every((number, index) => {
    const within = index % (2 * block);
    const channel = Math.floor(index / (2 * block)) * block + (within % block);
    return number === 2 * channel + Math.floor(within / block);
  });
  return block > 1 && isBlocked ? block : undefined;
}

/** Does a convolution in blocks of this size, and a depthwise one, give what Conv gives? */
async function convolvesInBlocks(block: number): Promise<boolean> {
  const channels = 2 * block;
  const taps = sizeOf(window.kernel);
  const sample = (shape: readonly number[], step: number): FloatTensor =>
    floatTensor(
      // Small whole numbers, so that sums are exact in any order.
      Float32Array.from({ length: sizeOf(shape) }, (_, index) => ((index * step) % 7) - 3),
      shape,
    );
  const x = sample([2, channels, ...picture], 5);
  const weight = sample([channels, channels, ...window.kernel], 3);
  const depthwise = sample([channels, 1, ...window.kernel], 2);
  const bias = sample([channels], 4);
  // [outputs / b, inputs / b, taps, b inputs, b outputs], and [channels / b, taps, b].
  const blocked = new Float32Array(weight.data.length);
  const blockedDepthwise = new Float32Array(depthwise.data.length);
  for (let output = 0; output < channels; output++) {
    const [row, lane] = [Math.floor(output / block), output % block];
    for (let tap = 0; tap < taps; tap++) {
      blockedDepthwise[(row * taps + tap) * block + lane] = depthwise.data[output * taps + tap];
      for (let input = 0; input < channels; input++) {
        const place = ((row * 2 + Math.floor(input / block)) * taps + tap) * block + (input % block);
        blocked[place * block + lane] = weight.data[(output * channels + input) * taps + tap];
      }
    }
  }
  const settings = {
    kernel_shape: attribute.ints(window.kernel),
    strides: attribute.ints(window.strides),
    dilations: attribute.ints([1, 1]),
    pads: attribute.ints(window.pads),
  };
  const each = { ...settings, group: attribute.int(channels) };
  const plainChannels = { channels: attribute.int(channels) };
  const shape = [2, channels, ...results];
  const made = await run(
    {
      x,
      weight,
      depthwise,
      bias,
      blocked: floatTensor(blocked, weight.shape),
      blockedDepthwise: floatTensor(blockedDepthwise, depthwise.shape),
    },
    { whole: shape, wholeBlocked: shape, each: shape, eachBlocked: shape },
    [
      node("Conv", ["x", "weight", "bias"], "whole", settings, ""),
      node("Conv", ["x", "depthwise", "bias"], "each", each, ""),
      node("ReorderInput", ["x"], "xBlocked"),
      node("Conv", ["xBlocked", "blocked", "bias"], "wholeInBlocks", { ...settings, group: attribute.int(1) }),
      node("Conv", ["xBlocked", "blockedDepthwise", "bias"], "eachInBlocks", each),
      node("ReorderOutput", ["wholeInBlocks"], "wholeBlocked", plainChannels),
      node("ReorderOutput", ["eachInBlocks"], "eachBlocked", plainChannels),
    ],
  );
  const same = (expected: Float32Array, actual: Float32Array): boolean =>
    expected.length === sizeOf(shape) && expected.every((element, index) => element === actual[index]);
  return same(made.whole, made.wholeBlocked) && same(made.each, made.eachBlocked);
}

function node(op: string, inputs: readonly string[], output: string, attributes: Attributes = {}, of = domain): Node {
  return { op, domain: of, name: output, inputs, outputs: [output], attributes };
}

async function run<Name extends string>(
  feeds: Readonly<Record<string, FloatTensor>>,
  outputs: Readonly<Record<Name, readonly number[]>>,
  nodes: readonly Node[],
): Promise<Readonly<Record<Name, Float32Array>>> {
  const graph: Graph = {
    name: "channel-block",
    inputs: Object.entries(feeds).map(([name, { shape }]) => ({ name, type: "float32", shape })),
    outputs: Object.entries<readonly number[]>(outputs).map(([name, shape]) => ({ name, type: "float32", shape })),
    initializers: new Map(),
    nodes,
  };
  const session = await openSerialized(serializeGraph(graph, pinnedOpset), { threads: 1 });
  try {
    const made = await session.run(feeds);
    return Object.fromEntries(Object.keys(outputs).map((name) => [name, made[name].data])) as Record<
      Name,
      Float32Array
    >;
  } finally {
    await session.release();
  }
}
