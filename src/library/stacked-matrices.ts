/**
 * The matrices of recurrent layers, which ONNX stacks: weights are [directions, gates · hidden, columns], the two biases of
 * a direction one row, and the gates stand in ONNX's order. A framework has a tensor for each, and its own order.
 */
import type { Node } from "../graph/graph.js";
import { type DirectionTensors, type Gate, stackedGates } from "../graph/recurrent-node.js";

/** PyTorch's order of gates, by operator. */
export const pytorchGates: Readonly<Record<string, readonly Gate[]>> = {
  LSTM: ["input", "forget", "cell", "output"],
  GRU: ["reset", "update", "hidden"],
  RNN: ["hidden"],
};

/** Is this one of ONNX's recurrent layers? */
export function isStacked({ op, domain }: Node): boolean {
  return domain === "" && Object.hasOwn(stackedGates, op);
}

/** One of a framework's tensors inside a stacked one. */
export interface StackedPart {
  readonly name: string;
  /** Input of ONNX's node that has it: 1 and 2 are the weights, 3 the biases. */
  readonly slot: 1 | 2 | 3;
  /** Place among the parts of that input. */
  readonly place: number;
}

/** A layer's parts, in the order in which they lie in their inputs; biases that are not there left out. */
export function stackedParts(directions: readonly DirectionTensors[]): readonly StackedPart[] {
  return directions.flatMap(({ inputWeight, stateWeight, inputBias, stateBias }, direction): StackedPart[] => [
    { name: inputWeight, slot: 1, place: direction },
    { name: stateWeight, slot: 2, place: direction },
    ...(inputBias === "" || stateBias === ""
      ? []
      : ([
          { name: inputBias, slot: 3, place: 2 * direction },
          { name: stateBias, slot: 3, place: 2 * direction + 1 },
        ] as const)),
  ]);
}

/** Elements of a part, or of several one behind the other, with the gates in another order. */
export function reorderGates(
  elements: readonly number[],
  from: readonly Gate[],
  to: readonly Gate[],
  partSize: number,
): number[] {
  const size = partSize / from.length;
  const result = new Array<number>(elements.length);
  for (let start = 0; start < elements.length; start += partSize)
    to.forEach((gate, index) => {
      const source = start + from.indexOf(gate) * size;
      for (let place = 0; place < size; place++) result[start + index * size + place] = elements[source + place];
    });
  return result;
}
