/**
 * The passes that make a training graph run well on ONNX Runtime's WebGPU provider. What a step takes there is above all
 * the starting of operators, some 30 µs each on the processor, and the way of values between the device and the main
 * memory; docs/log.md has the measurements.
 */
import type { Graph } from "../graph/graph.js";
import type { Cut } from "./cut-graph.js";
import { deviceFilterGradients } from "./device-filter-gradients.js";
import { deviceSums } from "./device-sums.js";
import { fewerPieces } from "./fewer-pieces.js";
import { onDeviceOnly } from "./on-device-only.js";
import { firstOf, rewriteGraph, rewriteParts } from "./rewrite-graph.js";

const webgpuPasses = firstOf([fewerPieces(), onDeviceOnly(), deviceFilterGradients(), deviceSums()]);

/**
 * A graph with the same inputs and outputs, which WebGPU computes without help of the CPU as far as we know how. Other
 * devices get the graph as it is.
 */
export function rewriteForDevice(graph: Graph, device: string): Graph {
  return device === "webgpu" ? rewriteGraph(graph, webgpuPasses) : graph;
}

/** The same in parts, see {@link rewriteParts}. */
export function rewritePartsForDevice(graph: Graph, cuts: readonly Cut[], device: string): Graph[] {
  return rewriteParts(graph, cuts, device === "webgpu" ? webgpuPasses : () => undefined);
}
