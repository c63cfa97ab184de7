/**
 * The adjoint of a linear step. It is what the operator's gradient rule emits when the mirrored value stands in for the
 * gradient, and the mirror's own weight for F's: one geometry, written once.
 */
import type { Value } from "../graph/builder.js";
import type { Emitter } from "../ops/emitter.js";
import type { GradientContext } from "../ops/operator.js";
import { operatorOf } from "../ops/table.js";
import type { Delivery, MirrorContext, MirrorRule } from "./mirror-rule.js";
import { varies, varyingInputs } from "./mirror-rule.js";

/** Settings of {@link adjoint} where the mirror differs from F. */
export interface AdjointOptions {
  /** What stands in for the step's inputs, such as own weights. */
  readonly inputs?: readonly (Value | undefined)[];
  /** What stands in for the value that arrived at the first output. */
  readonly value?: Value;
  /** Another operator of the same inputs and attributes. */
  readonly op?: string;
}

/** The mirrored value of one input of a step that is linear in that input. */
export function adjoint(context: MirrorContext, index: number, options: AdjointOptions = {}): Value {
  const { emit, step, arrived } = context;
  const { inputs = step.inputs, op = step.node.op } = options;
  const entry = operatorOf(op)?.gradient;
  const rules = entry === undefined || entry === "none" || "unsupported" in entry ? [] : entry;
  // An array has a method named `every`: what tells the two forms apart is a length.
  const rule = "length" in rules ? rules[index] : rules.every;
  if (typeof rule !== "function") throw new Error(`${op} has no gradient by which to mirror its input ${index + 1}`);
  const replaced = options.value;
  const gradientContext: GradientContext = {
    emit,
    op,
    inputs,
    outputs: step.outputs,
    attributes: step.node.attributes,
    outputCount: step.outputs.length,
    gradients: replaced ? [replaced] : arrived,
    get gradient() {
      return replaced ?? context.value;
    },
  };
  const made = rule(gradientContext, index);
  if (!made) throw new Error(`${op} has no gradient of its own by which to mirror its input ${index + 1}`);
  return made;
}

/** Every input that varies gets its adjoint. */
export const linear: MirrorRule = (context) =>
  varyingInputs(context.step).map(
    (index): Delivery => ({
      to: context.step.node.inputs[index],
      value: adjoint(context, index),
    }),
  );

/** The adjoint of the first input alone; the others (shapes, indices, masks) get nothing. */
export const linearInFirst: MirrorRule = (context) =>
  varies(context.step, 0) ? [{ to: context.step.node.inputs[0], value: adjoint(context, 0) }] : [];

/** The mirrored value goes on unchanged, to every input that varies. */
export const passedOn: MirrorRule = ({ step, value }) =>
  varyingInputs(step).map((index): Delivery => ({ to: step.node.inputs[index], value }));

/** The same, for operators whose further inputs are settings. */
export const passedOnToFirst: MirrorRule = ({ step, value }) =>
  varies(step, 0) ? [{ to: step.node.inputs[0], value }] : [];

/**
 * The mirror of a broadcast: copies are averaged, as averages are copied. Where values were copied along axes, their
 * mean is taken, which keeps the size of the numbers; the adjoint would be the sum.
 */
export function meanToShape(emit: Emitter, value: Value, shape: readonly number[]): Value {
  const extra = value.shape.length - shape.length;
  if (extra < 0) return emit.expand(value, shape);
  const axes = value.shape.flatMap((size, axis) =>
    size !== 1 && (axis < extra || shape[axis - extra] === 1) ? [axis] : [],
  );
  const mean = emit.reshape(
    emit.reduceMean(value, axes, true),
    value.shape.slice(extra).map((size, axis) => (shape[axis] === 1 ? 1 : size)),
  );
  return emit.expand(mean, shape);
}
