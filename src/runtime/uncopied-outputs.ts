/**
 * Outputs that ONNX Runtime's binding for Node.js does not copy. Where an output has a target, ONNX Runtime writes it
 * there; but after the run the binding makes an array of its own of every output, target or not, and fills it. That is a
 * pass over all gradients a step, and rubbish that the engine has to collect every few dozen steps, on threads that the
 * next operators need.
 *
 * The binding goes through outputs in the graph's order and gives up at the first that is no tensor, by an error that
 * nothing else gives. So a graph whose outputs all have targets gets an empty sequence in front of them.
 */

import { serializeGraph } from "../formats/onnx-write.js";
import type { Graph } from "../graph/graph.js";
import { pinnedOpset } from "../graph/opset.js";
import { InferenceSession, RuntimeTensor } from "./onnx-runtime.js";

/** Name of the output that is an empty sequence. */
export const sequenceOutput = "headstart/sequence";

let known: Promise<string | undefined> | undefined;

/**
 * The message by which this version's binding says that a run is over whose first output is a sequence. It is asked
 * once a process, and has to fill targets before.
 *
 * @returns undefined where the binding behaves otherwise
 */
export function sequenceMessage(): Promise<string | undefined> {
  known ??= findMessage();
  return known;
}

async function findMessage(): Promise<string | undefined> {
  const shape = [2];
  const graph: Graph = {
    name: "uncopied-outputs",
    inputs: [{ name: "x", type: "float32", shape }],
    outputs: [{ name: "y", type: "float32", shape }],
    initializers: new Map(),
    nodes: [{ op: "Add", domain: "", name: "y", inputs: ["x", "x"], outputs: ["y"], attributes: {} }],
  };
  const bytes = serializeGraph(graph, pinnedOpset, { sequence: sequenceOutput });
  try {
    const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 4 });
    try {
      const messages = new Set<string | undefined>();
      for (const number of [1, 2]) {
        const target = new Float32Array(2);
        const fetches = { [sequenceOutput]: null, y: new RuntimeTensor("float32", target, shape) };
        const x = new RuntimeTensor("float32", Float32Array.of(number, -number), shape);
        const failure = await session.run({ x }, fetches).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (target[0] !== 2 * number || target[1] !== -2 * number) return undefined;
        messages.add(failure instanceof Error ? failure.message : undefined);
      }
      return messages.size === 1 ? [...messages][0] : undefined;
    } finally {
      await session.release();
    }
  } catch {
    // A binding that does not load such a graph.
    return undefined;
  }
}
