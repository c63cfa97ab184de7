/** The passes that make a training graph quick on a CPU, in their order. */
import type { Graph } from "../graph/graph.js";
import { blockedConvolutions } from "./blocked-convolutions.js";
import { rewriteGraph } from "./rewrite-graph.js";

/**
 * A graph with the same inputs and outputs for ONNX Runtime's CPU provider. It has operators of ONNX Runtime's own
 * where this machine has a blocked layout of channels.
 *
 * @param block channels in a block of that layout; undefined where there is none
 */
export function rewriteForCpu(graph: Graph, block: number | undefined): Graph {
  return block === undefined ? graph : rewriteGraph(graph, blockedConvolutions(block));
}
