/**
 * Products of two values that both vary with the sample. The mirror stays linear in what it is handed: one operand is
 * the content, to which the mirrored value goes; the other one is a gate, which stays what F computed and gets nothing.
 */
import type { NetworkStep } from "../ops/instantiate.js";
import { activationNames } from "../ops/names.js";
import { adjoint } from "./adjoint.js";
import { type Delivery, type MirrorContext, type MirrorRule, varyingInputs } from "./mirror-rule.js";
import { nonlinearityAgain, scaledNonlinearityAgain } from "./nonlinearity.js";

/** Operators that hand on one value's elements, in another order or size. */
const views = new Set([
  "Identity",
  "Dropout",
  "Cast",
  "Reshape",
  "Flatten",
  "Squeeze",
  "Unsqueeze",
  "Transpose",
  "Expand",
  "Slice",
  "Pad",
]);
const scalings = new Set(["Mul", "Div", "Add", "Sub", "Where"]);
const bounded = new Set(["Sigmoid", "HardSigmoid", "Softmax", "Clip"]);
const activations = new Set<string>(activationNames);

/** How much a value looks like a gate: what made it, looking through views and products with constants. */
function gateLikeness(context: MirrorContext, name: string): number {
  const { steps, madeAt } = context;
  for (let step: NetworkStep | undefined = steps[madeAt(name)]; step; step = steps[madeAt(name)]) {
    const { op } = step.node;
    if (bounded.has(op)) return 2;
    if (activations.has(op)) return 1;
    const varying = varyingInputs(step);
    // x·sigmoid(x) and the like.
    if (op === "Mul" && varying.length === 2) return 1;
    if (varying.length !== 1 || !(views.has(op) || scalings.has(op))) return 0;
    name = step.node.inputs[varying[0]];
  }
  return 0;
}

/** Which operand of a MatMul is the attention and which the content that it mixes. */
export function attentionOrder(context: MirrorContext): { content: number } {
  const [left, right] = context.step.node.inputs;
  // Attention is usually written softmax(...)·V; only the other order has the softmax on the right alone.
  return { content: gateLikeness(context, right) === 2 && gateLikeness(context, left) < 2 ? 0 : 1 };
}

/** A product: of a value and a constant or learned factor, of x and g(x), or of content and gate. */
export const mirroredMul: MirrorRule = (context) => {
  const { step, tied, own } = context;
  const varying = varyingInputs(step);
  if (varying.length === 2) return nonlinearityAgain(context) ?? gated(context);
  const again = scaledNonlinearityAgain(context);
  if (again) return again;
  const [index] = varying;
  const inputs = [...step.inputs];
  const factor = step.inputs[1 - index];
  const name = step.parameters[1 - index];
  // A learned factor starts at one in the mirror, as a normalisation's scale does.
  if (!tied && name !== undefined && factor)
    inputs[1 - index] = own({ name, shape: factor.shape, role: "scale" }).value;
  return [{ to: step.node.inputs[index], value: adjoint(context, index, { inputs }) }];
};

function gated(context: MirrorContext): Delivery[] {
  const { step } = context;
  const likeness = (index: number): number => {
    // What is broadcast over the other one can only be a gate.
    const isBroadcast = step.inputs[index]!.shape.join() !== step.outputs[0].shape.join();
    return isBroadcast ? 3 : gateLikeness(context, step.node.inputs[index]);
  };
  const content = likeness(0) > likeness(1) ? 1 : 0;
  return [{ to: step.node.inputs[content], value: adjoint(context, content) }];
}

/** x/(1 + |x|) and its kin stand again; otherwise the divisor is a coefficient and gets nothing. */
export const mirroredDiv: MirrorRule = (context) => {
  const { step, tied, own } = context;
  const varying = varyingInputs(step);
  const again = varying.length === 2 ? nonlinearityAgain(context) : scaledNonlinearityAgain(context);
  if (again) return again;
  // 1/x: see the operators that are not defined everywhere.
  if (varying[0] !== 0) return [{ to: step.node.inputs[1], value: context.value }];
  const inputs = [...step.inputs];
  const name = step.parameters[1];
  const divisor = step.inputs[1];
  if (!tied && name !== undefined && divisor && varying.length === 1)
    inputs[1] = own({ name, shape: divisor.shape, role: "scale" }).value;
  return [{ to: step.node.inputs[0], value: adjoint(context, 0, { inputs }) }];
};
