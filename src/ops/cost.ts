/** How much computation a network takes. */
import type { Value } from "../graph/builder.js";
import { sizeOf } from "../graph/tensor.js";
import type { NetworkStep } from "./instantiate.js";

/** A node with the shapes of its values, whoever emitted it. */
export interface CostedNode {
  readonly op: string;
  readonly inputs: readonly (Pick<Value, "shape"> | undefined)[];
  readonly outputs: readonly Pick<Value, "shape">[];
}

/** Multiply-adds of one node; 0 for all but Conv, ConvTranspose, Gemm and MatMul, which outweigh the rest. */
export function nodeCost({ op, inputs, outputs }: CostedNode): number {
  const [x, weight] = inputs;
  if (!x || !weight) return 0;
  switch (op) {
    // Each output element sums over inputs / groups × kernel.
    case "Conv":
      return sizeOf(outputs[0].shape) * sizeOf(weight.shape.slice(1));
    // Each input element adds to outputs / groups × kernel.
    case "ConvTranspose":
      return sizeOf(x.shape) * sizeOf(weight.shape.slice(1));
    // rows × columns × inner, whichever is transposed: the inner size is what A has besides the rows.
    case "Gemm":
      return (sizeOf(x.shape) * sizeOf(weight.shape) * sizeOf(outputs[0].shape)) ** 0.5;
    case "MatMul":
      return sizeOf(outputs[0].shape) * (x.shape.at(-1) ?? 1);
    default:
      return 0;
  }
}

/** Multiply-adds that a network takes for one sample of the batch on which its steps were emitted. */
export function networkCost(steps: readonly NetworkStep[]): number {
  const sampled = steps.filter(({ fromSample }) => fromSample.some(Boolean));
  if (sampled.length === 0) return 0;
  // The first step reads the batch of samples itself.
  const [first] = sampled;
  const batch = first.inputs[first.fromSample.indexOf(true)]?.shape[0] ?? 1;
  return (
    sampled.reduce((sum, { node, inputs, outputs }) => sum + nodeCost({ op: node.op, inputs, outputs }), 0) / batch
  );
}
