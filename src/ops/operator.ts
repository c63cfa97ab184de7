/** What headstart must know of an operator: its shape rule and its gradient rule. */
import type { Value, ValueType } from "../graph/builder.js";
import type { Attributes } from "../graph/graph.js";
import type { Tensor } from "../graph/tensor.js";
import type { Emitter } from "./emitter.js";

/** A node as a rule sees it: operator, inputs (undefined where an optional one is omitted) and attributes. */
export interface NodeContext {
  readonly op: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  /** How many outputs are asked for. */
  readonly outputCount: number;
}

/** Types and shapes of the outputs. Throws a {@link RuleError} where inputs do not fit. */
export type ShapeRule = (node: NodeContext) => readonly ValueType[];

/** What a gradient rule sees: the node, its outputs and the gradients that arrived there. */
export interface GradientContext extends NodeContext {
  readonly emit: Emitter;
  readonly outputs: readonly Value[];
  /** Gradient by output; undefined where none arrived. */
  readonly gradients: readonly (Value | undefined)[];
  /** Gradient of the first output. Reading it where none arrived throws. */
  readonly gradient: Value;
}

/**
 * Emits the gradient of one input. The result may still have the shape of the broadcast output: the backward sweep
 * sums it down to the input's shape. Undefined: nothing flows this way, as another input's gradient accounts for it.
 */
export type InputGradient = (context: GradientContext, inputIndex: number) => Value | undefined;

/** Asking for this gradient is an error that says why. */
export interface Unsupported {
  readonly unsupported: string;
}

/** How gradients flow to one input: by a rule, not at all (the output does not vary with it), or unsupported. */
export type InputRule = InputGradient | "none" | Unsupported;

/** A rule an input, or one rule for all inputs of a variadic operator, or "none" for the operator as a whole. */
export type GradientRule = readonly InputRule[] | { readonly every: InputRule } | "none" | Unsupported;

/** One entry of the table of operators. Semantics are those of the pinned opset. */
export interface Operator {
  readonly shape: ShapeRule;
  readonly gradient: GradientRule;
  /** Elements of the outputs from constant inputs, for the operators of which shape arithmetic is made. */
  readonly fold?: (node: NodeContext, inputs: readonly Tensor[], types: readonly ValueType[]) => readonly Tensor[];
}

/** A node's inputs or attributes do not fit its operator. Becomes a UserError where the node's name is known. */
export class RuleError extends Error {
  override readonly name = "RuleError";
}

/** The input at this position; throws where it is omitted. */
export function requiredInput(node: NodeContext, index: number): Value {
  const input = node.inputs[index];
  if (!input) throw new RuleError(`${node.op} needs its input ${index + 1}`);
  return input;
}

/** The numbers of an input that must be known while building (a shape, axes, ...); undefined where it is omitted. */
export function constantInput(node: NodeContext, index: number): number[] | undefined {
  const input = node.inputs[index];
  if (!input) return undefined;
  if (!input.constant) throw new RuleError(`${node.op}: its input ${index + 1} (${input.name}) must be a constant`);
  return Array.from(input.constant.data as ArrayLike<number | bigint>, Number);
}

/** The same where they are whole: a shape, axes, positions. */
export function wholeNumbersOf(node: NodeContext, index: number): number[] | undefined {
  const numbers = constantInput(node, index);
  const wrong = numbers?.find((number) => !Number.isInteger(number));
  if (wrong !== undefined)
    throw new RuleError(`${node.op}: its input ${index + 1} holds ${wrong}, required are whole numbers`);
  return numbers;
}

/** A whole-number attribute of a node; the fallback, ONNX's default, where it is absent or of another kind. */
export function intAttribute(node: Pick<NodeContext, "attributes">, name: string, fallback: number): number {
  const found = node.attributes[name];
  return found?.kind === "int" ? found.value : fallback;
}

/** A number attribute of a node, also where it is written as a whole number; otherwise the fallback. */
export function floatAttribute(node: Pick<NodeContext, "attributes">, name: string, fallback: number): number {
  const found = node.attributes[name];
  return found?.kind === "float" || found?.kind === "int" ? found.value : fallback;
}

/** A text attribute of a node; the fallback where it is absent or of another kind. */
export function stringAttribute(node: NodeContext, name: string, fallback: string): string {
  const found = node.attributes[name];
  return found?.kind === "string" ? found.value : fallback;
}

/** An attribute that is a list of whole numbers; undefined where it is absent or of another kind. */
export function intsAttribute(node: NodeContext, name: string): readonly number[] | undefined {
  const found = node.attributes[name];
  return found?.kind === "ints" ? found.value : undefined;
}

/** A possibly negative axis as one from 0 to rank − 1. */
export function normalizedAxis(axis: number, rank: number, op: string): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (normal < 0 || normal >= Math.max(rank, 1))
    throw new RuleError(`${op}: axis ${axis} does not exist in rank ${rank}`);
  return normal;
}

/** NumPy's and ONNX's multidirectional broadcast of shapes. */
export function broadcastShapes(op: string, ...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (let axis = 0; axis < shape.length; axis++) {
      const position = rank - shape.length + axis;
      if (shape[axis] === 1) continue;
      if (result[position] !== 1 && result[position] !== shape[axis])
        throw new RuleError(
          `${op}: shapes ${shapes.map((each) => `[${each.join(", ")}]`).join(" and ")} do not broadcast`,
        );
      result[position] = shape[axis];
    }
  }
  return result;
}
