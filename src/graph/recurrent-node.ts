/**
 * Recurrent layers as frameworks have them: with matrices of their own for each direction, and gates in the framework's
 * order, where ONNX's LSTM, GRU and RNN have all directions in one tensor. Such nodes are of a domain of headstart's; they
 * exist between the reading of a file and the unrolling of its recurrences, and are never written.
 */
import { type Attributes, attribute, type Node } from "./graph.js";

/** The domain of nodes of these layers. */
export const recurrentDomain = "headstart";

/** The parts of a recurrent layer's matrices: four of an LSTM, three of a GRU, the hidden one alone of an RNN. */
export type Gate = "input" | "output" | "forget" | "cell" | "update" | "reset" | "hidden";

/** ONNX's order of gates, by operator. */
export const stackedGates: Readonly<Record<string, readonly Gate[]>> = {
  LSTM: ["input", "output", "forget", "cell"],
  GRU: ["update", "reset", "hidden"],
  RNN: ["hidden"],
};

/** Tensors of one direction, by name; "" for a bias that is not there. */
export interface DirectionTensors {
  /** [gates · hidden, inputs] */
  readonly inputWeight: string;
  /** [gates · hidden, hidden] */
  readonly stateWeight: string;
  /** [gates · hidden] */
  readonly inputBias: string;
  /** [gates · hidden] */
  readonly stateBias: string;
}

export interface RecurrentNode {
  readonly op: "LSTM" | "GRU" | "RNN";
  readonly name: string;
  /** [length, batch, inputs], or [batch, length, inputs] where the attribute `layout` is 1. */
  readonly sequence: string;
  /** [directions, batch, hidden], or [batch, directions, hidden] where `layout` is 1; "" for zeros. */
  readonly state: string;
  /** The same of an LSTM's cells. */
  readonly cell: string;
  /**
   * [batch, length, 1], with 1 at positions that count and 0 at those that leave states and cells as they were; all count
   * without it. For `layout` 1 only.
   */
  readonly mask?: string;
  /** One, or for a bidirectional layer two: forward, then reverse. */
  readonly directions: readonly DirectionTensors[];
  /** In the order of their rows. */
  readonly gates: readonly Gate[];
  /** Those of ONNX's operator: hidden_size, direction, activations, layout and so on. */
  readonly attributes: Attributes;
  /** Names of all states, the last ones, the last cells, as ONNX's operator has its outputs; "" for those not asked for. */
  readonly outputs: readonly string[];
}

/** Writes the node. */
export function recurrentNode(layer: RecurrentNode): Node {
  const { op, name, sequence, state, cell, mask, directions, gates, attributes, outputs } = layer;
  const tensors = directions.flatMap((each) => [each.inputWeight, each.stateWeight, each.inputBias, each.stateBias]);
  return {
    op,
    domain: recurrentDomain,
    name,
    inputs: [sequence, state, cell, ...tensors, ...(mask === undefined ? [] : [mask])],
    outputs,
    attributes: { ...attributes, gates: attribute.strings(gates) },
  };
}

/** Reads one direction's tensors from a node that {@link recurrentNode} wrote. */
export function directionTensors(node: Node, direction: number): DirectionTensors {
  const start = 3 + 4 * direction;
  const [inputWeight = "", stateWeight = "", inputBias = "", stateBias = ""] = node.inputs.slice(start, start + 4);
  return { inputWeight, stateWeight, inputBias, stateBias };
}

/** The mask of such a node, see {@link RecurrentNode}; undefined where all positions count. */
export function maskOf({ inputs }: Node): string | undefined {
  return (inputs.length - 3) % 4 === 1 ? inputs[inputs.length - 1] : undefined;
}
