/** The passes that make a training graph quick on a CPU, in their order. */
import type { Graph } from "../graph/graph.js";
import { blockedConvolutions } from "./blocked-convolutions.js";
import { blockedValues } from "./blocked-values.js";
import { cheapMasks } from "./cheap-masks.js";
import { cheapSums } from "./cheap-sums.js";
import type { Cut } from "./cut-graph.js";
import { filterGradients } from "./filter-gradients.js";
import { firstOf, type NodeRule, rewriteGraph, rewriteParts } from "./rewrite-graph.js";

/**
 * A graph with the same inputs and outputs for ONNX Runtime's CPU provider. It has operators of ONNX Runtime's own
 * where this machine has a blocked layout of channels.
 *
 * @param block channels in a block of that layout; undefined where there is none
 */
export function rewriteForCpu(graph: Graph, block: number | undefined): Graph {
  return rewriteGraph(graph, passesOf(block));
}

/** The same in parts, see {@link rewriteParts}. */
export function rewritePartsForCpu(graph: Graph, block: number | undefined, cuts: readonly Cut[]): Graph[] {
  return rewriteParts(graph, cuts, passesOf(block));
}

function passesOf(block: number | undefined): NodeRule {
  const passes: NodeRule[] = [cheapMasks(), cheapSums()];
  if (block !== undefined) passes.push(filterGradients(block), blockedConvolutions(block), blockedValues(block));
  return firstOf(passes);
}
