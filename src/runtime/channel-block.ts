/** How many channels ONNX Runtime's blocked layout has in a block on this machine. */

import { serializeGraph } from "../formats/onnx-write.js";
import { pinnedOpset } from "../graph/opset.js";
import { floatTensor } from "../graph/tensor.js";
import { openSerialized } from "./node.js";

/** Block sizes that ONNX Runtime has for some processors. */
const largestBlock = 16;

/**
 * Asks ONNX Runtime by reordering numbers that say where they came from.
 *
 * @returns undefined where it has no blocked layout
 */
export async function channelBlock(): Promise<number | undefined> {
  const channels = largestBlock;
  const graph = {
    name: "channel-block",
    inputs: [{ name: "x", type: "float32", shape: [1, channels, 1, 2] }],
    outputs: [{ name: "y", type: "float32", shape: [1, channels, 1, 2] }],
    initializers: new Map(),
    nodes: [
      {
        op: "ReorderInput",
        domain: "com.microsoft.nchwc",
        name: "reorder",
        inputs: ["x"],
        outputs: ["y"],
        attributes: {},
      },
    ],
  } as const;
  try {
    const session = await openSerialized(serializeGraph(graph, pinnedOpset), { threads: 1 });
    try {
      // Channel c has the numbers 2c and 2c + 1: in blocks of b, b even numbers come first.
      const x = floatTensor(
        Float32Array.from({ length: 2 * channels }, (_, index) => index),
        [1, channels, 1, 2],
      );
      const { y } = await session.run({ x });
      const order = Array.from(y.data as Float32Array);
      const block = order.findIndex((number) => number % 2 === 1);
      const isBlocked = order.every((number, index) => {
        const within = index % (2 * block);
        const channel = Math.floor(index / (2 * block)) * block + (within % block);
        return number === 2 * channel + Math.floor(within / block);
      });
      return block > 1 && isBlocked ? block : undefined;
    } finally {
      await session.release();
    }
  } catch {
    // A build of ONNX Runtime without this layout refuses the graph.
    return undefined;
  }
}
