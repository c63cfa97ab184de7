/**
 * Nonlinearities stand again where they stood. Some come as several nodes, such as x·sigmoid(x) (SiLU) or
 * x·½(1 + erf(x/√2)) (GELU): these are found as the stretch of elementwise steps that begins at one value.
 */
import type { Value } from "../graph/builder.js";
import { isFloating, sizeOf } from "../graph/tensor.js";
import { sameShape } from "../ops/emitter.js";
import type { NetworkStep } from "../ops/instantiate.js";
import { activationNames, elementwiseNames } from "../ops/names.js";
import type { Delivery, MirrorContext, MirrorRule } from "./mirror-rule.js";
import { varyingInputs } from "./mirror-rule.js";

const elementwise = new Set<string>([...elementwiseNames, ...activationNames]);
elementwise.delete("Softmax");
elementwise.delete("LogSoftmax");

/** Elementwise steps from one value of F to a step's output. */
interface Stretch {
  /** Name of the value at which it begins: the last one that all paths into the step go through. */
  readonly root: string;
  /** The latest first; the first one is the step itself. */
  readonly steps: readonly NetworkStep[];
}

/** Inputs on which the step's elements depend: numbers, and conditions made of them. */
function readNames(step: NetworkStep): string[] {
  return step.node.inputs.filter((_, index) => {
    const input = step.inputs[index];
    return input && step.fromSample[index] && !input.constant && (isFloating(input.type) || input.type === "bool");
  });
}

/**
 * The shortest stretch that ends with a step; undefined where something that is not elementwise comes in between.
 *
 * Of the values that are still open the latest one is taken apart, again and again, until a single one is left: that
 * reaches the nearest value that dominates the step.
 */
function stretchTo(step: NetworkStep, { steps, madeAt }: MirrorContext): Stretch | undefined {
  const taken = [step];
  const open = new Set(readNames(step));
  while (open.size > 1) {
    const latest = [...open].reduce((a, b) => (madeAt(b) > madeAt(a) ? b : a));
    const made = steps[madeAt(latest)];
    if (!made || !elementwise.has(made.node.op)) return undefined;
    open.delete(latest);
    taken.push(made);
    for (const name of readNames(made)) open.add(name);
  }
  const [root] = open;
  return root === undefined ? undefined : { root, steps: taken };
}

/** Emits a stretch again on a value that stands for its root. */
function emitAgain(context: MirrorContext, { root, steps }: Stretch, value: Value): Value {
  const { emit } = context;
  const again = new Map<string, Value>([[root, value]]);
  for (const step of [...steps].reverse()) {
    const inputs = step.inputs.map(
      (input, index) => again.get(step.node.inputs[index]) ?? (input && settingOf(context, step, index)),
    );
    const [output] = step.outputs;
    const result =
      step.node.op === "Cast"
        ? emit.cast(inputs[0]!, output.type)
        : emit.one(step.node.op, inputs, step.node.attributes);
    again.set(step.node.outputs[0], result);
  }
  return again.get(steps[0].node.outputs[0])!;
}

/** Bounds and the like are F's; a learned slope is the mirror's own. */
function settingOf({ own, tied }: MirrorContext, step: NetworkStep, index: number): Value {
  const given = step.inputs[index]!;
  const name = step.parameters[index];
  if (tied || name === undefined || step.fromSample[index]) return given;
  return own({ name, shape: given.shape, role: step.node.op === "PRelu" ? "slope" : "scale" }).value;
}

/**
 * The nonlinearity of which this step is the end, applied to the mirrored value; undefined where the step is not the
 * end of one.
 */
export function nonlinearityAgain(context: MirrorContext): Delivery[] | undefined {
  const { step, value } = context;
  const stretch = stretchTo(step, context);
  const root = stretch && rootValue(context, stretch);
  if (!root || !sameShape(root.shape, step.outputs[0].shape)) return undefined;
  return [{ to: stretch.root, value: emitAgain(context, stretch, value) }];
}

function rootValue({ steps, madeAt }: MirrorContext, { root, steps: [last, ...before] }: Stretch): Value | undefined {
  const reader = [...before, last].find((step) => step.node.inputs.includes(root));
  const made = steps[madeAt(root)];
  const output = made?.node.outputs.indexOf(root) ?? -1;
  return made?.outputs[output] ?? reader?.inputs[reader.node.inputs.indexOf(root)];
}

/**
 * A product with a plain number may be the last factor of a nonlinearity of several nodes, such as the ½ of GELU.
 */
export function scaledNonlinearityAgain(context: MirrorContext): Delivery[] | undefined {
  const { step, steps, madeAt, value } = context;
  const varying = varyingInputs(step);
  if (
    varying.length !== 1 ||
    step.inputs.some((input, index) => input && !varying.includes(index) && sizeOf(input.shape) > 1)
  )
    return undefined;
  const inner = steps[madeAt(step.node.inputs[varying[0]])];
  if (!inner || (inner.node.op !== "Mul" && inner.node.op !== "Div") || varyingInputs(inner).length < 2)
    return undefined;
  const stretch = stretchTo(inner, context);
  const root = stretch && rootValue(context, stretch);
  if (!root || !sameShape(root.shape, step.outputs[0].shape)) return undefined;
  const whole = { root: stretch.root, steps: [step, ...stretch.steps] };
  return [{ to: stretch.root, value: emitAgain(context, whole, value) }];
}

/** Activations of one node. What follows the first input are settings. */
export const standsAgain: MirrorRule = (context) => nonlinearityAgain(context) ?? passOnAll(context);

function passOnAll({ step, value }: MirrorContext): Delivery[] {
  return varyingInputs(step).map((index) => ({ to: step.node.inputs[index], value }));
}
