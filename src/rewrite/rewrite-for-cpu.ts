/** The passes that make a training graph quick on a CPU, in their order. */
import type { Graph } from "../graph/graph.js";
import { blockedConvolutions } from "./blocked-convolutions.js";
import { cheapMasks } from "./cheap-masks.js";
import { type NodeRule, rewriteGraph } from "./rewrite-graph.js";

/**
 * A graph with the same inputs and outputs for ONNX Runtime's CPU provider. It has operators of ONNX Runtime's own
 * where this machine has a blocked layout of channels.
 *
 * @param block channels in a block of that layout; undefined where there is none
 */
export function rewriteForCpu(graph: Graph, block: number | undefined): Graph {
  const passes: NodeRule[] = [cheapMasks()];
  if (block !== undefined) passes.push(blockedConvolutions(block));
  return rewriteGraph(graph, (emit, node, inputs) => {
    for (const pass of passes) {
      const outputs = pass(emit, node, inputs);
      if (outputs) return outputs;
    }
    return undefined;
  });
}
