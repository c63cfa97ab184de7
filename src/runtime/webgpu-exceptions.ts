/** Nodes that ONNX Runtime's WebGPU provider takes and then cannot compute, or computes wrongly (1.30, docs/log.md). */
import type { Attributes, Graph, Node } from "../graph/graph.js";
import { numbersOf } from "../graph/tensor.js";
import type { Device } from "./device.js";
import type { SessionOptions } from "./session.js";

/** How a session computes a graph on WebGPU; nothing for other devices. */
export function webgpuSettings(graph: Graph, device: Device | undefined): Pick<SessionOptions, "onCpu" | "layout"> {
  return device === "webgpu" ? { onCpu: webgpuExceptions(graph), layout: webgpuLayout(graph) } : {};
}

/** Names of the nodes that are to stay on the CPU. */
export function webgpuExceptions(graph: Graph): string[] {
  return graph.nodes.flatMap((node) => (isException(node, graph) ? [node.name] : []));
}

/** Channels that the provider's convolution computes at once where they come last. */
const atOnce = 4;

/**
 * The layout for the provider to compute convolutions in. With channels last it is about twice as fast, but wrong for
 * some numbers of channels (1.30, docs/log.md): for an input of 6 or 9 channels; for groups of 5, 6, 9 filters, which
 * read the input of the group before; and transposed, for groups that make one channel of several. What was not seen to
 * be right is taken for wrong.
 */
export function webgpuLayout({ nodes, inputs, initializers }: Graph): "NHWC" | "NCHW" {
  const shapes = new Map(inputs.map(({ name, shape }) => [name, shape]));
  const isWrong = ({ op, inputs: [, filters], attributes }: Node): boolean => {
    if (op !== "Conv" && op !== "ConvTranspose") return false;
    const group = intOf(attributes, "group", 1);
    const [first, second] = (initializers.get(filters)?.shape ?? shapes.get(filters) ?? []).map(Number);
    const each = first / group;
    if (op === "ConvTranspose") return !(group === 1 || second > 1 || each === 1);
    const counted = group === 1 ? second : each;
    return !(counted < atOnce || counted % atOnce === 0);
  };
  return nodes.some(isWrong) ? "NCHW" : "NHWC";
}

function isException(node: Node, graph: Graph): boolean {
  const { op, inputs, outputs, attributes } = node;
  switch (op) {
    // Without Indices it is right.
    case "MaxPool":
      return outputs.length > 1 && outputs[1] !== "";
    // Wrong for [samples, even number of features]; a node does not say what rank its input has.
    case "BatchNormalization":
      return true;
    case "ConvTranspose":
      return spatialAxes(node) > 2;
    case "Conv":
      return spatialAxes(node) > 2 && intOf(attributes, "group", 1) > 1;
    // Wrong where the end lies before the first element; steps are constants in the graphs that headstart writes.
    case "Slice": {
      const steps = graph.initializers.get(inputs[4] ?? "");
      return (inputs[4] ?? "") !== "" && (!steps || numbersOf(steps).some((step) => step < 0));
    }
    case "Resize":
      return intOf(attributes, "antialias", 0) === 1;
    // Empty axes stand for none here, and the provider takes them for all.
    default:
      return op.startsWith("Reduce") && intOf(attributes, "noop_with_empty_axes", 0) === 1;
  }
}

/** Number of axes that a convolution's attributes speak of; 0 where it has none that do. */
function spatialAxes({ attributes }: Node): number {
  for (const name of ["kernel_shape", "strides", "dilations"]) {
    const value = attributes[name];
    if (value?.kind === "ints") return value.value.length;
  }
  const { pads } = attributes;
  return pads?.kind === "ints" ? pads.value.length / 2 : 0;
}

function intOf(attributes: Attributes, name: string, otherwise: number): number {
  const value = attributes[name];
  return value?.kind === "int" ? value.value : otherwise;
}
