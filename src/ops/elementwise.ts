/** Operators that treat every element by itself, broadcasting their operands against each other. */
import type { Value } from "../graph/builder.js";
import { dataTypes, numbersOf } from "../graph/tensor.js";
import {
  broadcastElements,
  castElement,
  divideIntegers,
  type Element,
  elementsOf,
  foldElementwise,
  type Kernel,
  largerInteger,
  powerOf,
  remainderOfIntegers,
  roundHalfToEven,
  smallerInteger,
} from "./fold-elementwise.js";
import type { ElementwiseName } from "./names.js";
import {
  broadcastShapes,
  type GradientContext,
  type GradientRule,
  type InputGradient,
  intAttribute,
  type NodeContext,
  type Operator,
  RuleError,
  requiredInput,
  type ShapeRule,
} from "./operator.js";

/** One output of the first input's type and shape. */
export const likeFirstInput: ShapeRule = (node) => {
  const { type, shape } = requiredInput(node, 0);
  return [{ type, shape }];
};

function presentInputs(node: NodeContext): Value[] {
  if (node.inputs.length === 0) throw new RuleError(`${node.op} needs at least one input`);
  return node.inputs.map((_, index) => requiredInput(node, index));
}

function broadcastOfOneType(node: NodeContext, count: number | undefined): ReturnType<ShapeRule> {
  const inputs = presentInputs(node);
  if (count !== undefined && inputs.length !== count) throw new RuleError(`${node.op} needs ${count} inputs`);
  const [{ type }] = inputs;
  const other = inputs.find((input) => input.type !== type);
  if (other) throw new RuleError(`${node.op}: its inputs have different types, ${type} and ${other.type}`);
  return [{ type, shape: broadcastShapes(node.op, ...inputs.map(({ shape }) => shape)) }];
}

const binaryShape: ShapeRule = (node) => broadcastOfOneType(node, 2);
const variadicShape: ShapeRule = (node) => broadcastOfOneType(node, undefined);

function unary(gradient: GradientRule, kernel?: Kernel): Operator {
  return { shape: likeFirstInput, gradient, ...(kernel && { fold: foldElementwise(kernel) }) };
}

function binary(gradient: GradientRule, kernel: Kernel): Operator {
  return { shape: binaryShape, gradient, fold: foldElementwise(kernel) };
}

function variadic(gradient: InputGradient, kernel: Kernel): Operator {
  return { shape: variadicShape, gradient: { every: gradient }, fold: foldElementwise(kernel) };
}

/** Comparisons and tests: bool out, no gradient. */
function predicate(inputCount: 1 | 2, kernel: Kernel): Operator {
  return {
    shape: (node) => [{ type: "bool", shape: (inputCount === 1 ? likeFirstInput(node) : binaryShape(node))[0].shape }],
    gradient: "none",
    fold: foldElementwise(kernel),
  };
}

function logical(inputCount: 1 | 2, integer: (...elements: bigint[]) => boolean): Operator {
  return predicate(inputCount, { integer });
}

const comparison = (compare: (a: Element, b: Element) => boolean): Operator =>
  predicate(2, { float: compare, integer: compare });

/** The gradient where a condition holds, 0 elsewhere. */
export function gradientWhere({ emit, gradient }: GradientContext, condition: Value) {
  return emit.where(condition, gradient, emit.scalar(0, gradient.type));
}

/** The input at this position of a node that has it. */
function input({ inputs }: GradientContext, index = 0): Value {
  return inputs[index]!;
}

/** x² plus a number */
function squaredPlus(context: GradientContext, summand: number): Value {
  return context.emit.shift(context.emit.square(input(context)), summand);
}

/** 1 − x² */
function oneLess(context: GradientContext): Value {
  const { emit } = context;
  const x = input(context);
  return emit.subtract(emit.scalar(1, x.type), emit.square(x));
}

const passOn: InputGradient = ({ gradient }) => gradient;

/** Max and Min: to the operand that wins, the first one among equals. `behind` says that all operands before lose. */
function extremum(op: "Max" | "Min", behind: "Less" | "Greater", choose: Kernel): Operator {
  return variadic((context, index) => {
    const { emit, outputs, inputs } = context;
    const wins = emit.equal(input(context, index), outputs[0]);
    if (index === 0) return gradientWhere(context, wins);
    const before = inputs.slice(0, index);
    const lost = emit.one(behind, [index === 1 ? before[0] : emit.one(op, before), outputs[0]]);
    return gradientWhere(context, index === inputs.length - 1 ? lost : emit.one("And", [wins, lost]));
  }, choose);
}

const sum = (...elements: number[]): number => elements.reduce((a, b) => a + b);

/** Shape rules, gradients and folds of operators that compute element by element. */
export const elementwise: Record<ElementwiseName, Operator> = {
  Identity: { shape: likeFirstInput, gradient: [passOn], fold: (_, inputs) => inputs },
  Add: binary({ every: passOn }, { float: (a, b) => a + b, integer: (a, b) => a + b }),
  Sub: binary([passOn, ({ emit, gradient }) => emit.negate(gradient)], {
    float: (a, b) => a - b,
    integer: (a, b) => a - b,
  }),
  Mul: binary(
    { every: (context, index) => context.emit.multiply(context.gradient, input(context, 1 - index)) },
    { float: (a, b) => a * b, integer: (a, b) => a * b },
  ),
  Div: binary(
    [
      (context) => context.emit.divide(context.gradient, input(context, 1)),
      // ∂(a/b)/∂b = −y/b
      (context) => {
        const { emit, gradient, outputs } = context;
        return emit.negate(emit.multiply(emit.divide(gradient, input(context, 1)), outputs[0]));
      },
    ],
    { float: (a, b) => a / b, integer: divideIntegers },
  ),
  Sum: variadic(passOn, { float: sum }),
  Mean: variadic(({ emit, gradient, inputs }) => emit.scale(gradient, 1 / inputs.length), {
    float: (...elements) => sum(...elements) / elements.length,
  }),
  Neg: unary([({ emit, gradient }) => emit.negate(gradient)], { float: (a) => -a, integer: (a) => -a }),
  Abs: unary([(context) => context.emit.multiply(context.gradient, context.emit.sign(input(context)))], {
    float: Math.abs,
    integer: (a) => (a < 0n ? -a : a),
  }),
  Sign: unary("none", { float: Math.sign, integer: (a) => (a > 0n ? 1n : a < 0n ? -1n : 0n) }),
  Floor: unary("none", { float: Math.floor }),
  Ceil: unary("none", { float: Math.ceil }),
  Round: unary("none", { float: roundHalfToEven }),
  Exp: unary([({ emit, gradient, outputs: [y] }) => emit.multiply(gradient, y)], { float: Math.exp }),
  Log: unary([(context) => context.emit.divide(context.gradient, input(context))], { float: Math.log }),
  Sqrt: unary([({ emit, gradient, outputs: [y] }) => emit.divide(emit.scale(gradient, 0.5), y)], { float: Math.sqrt }),
  // ∂(1/x)/∂x = −y²
  Reciprocal: unary([({ emit, gradient, outputs: [y] }) => emit.negate(emit.multiply(emit.multiply(gradient, y), y))], {
    float: (a) => 1 / a,
  }),
  Sin: unary([(context) => context.emit.multiply(context.gradient, context.emit.one("Cos", [input(context)]))], {
    float: Math.sin,
  }),
  Cos: unary(
    [
      (context) =>
        context.emit.negate(context.emit.multiply(context.gradient, context.emit.one("Sin", [input(context)]))),
    ],
    { float: Math.cos },
  ),
  // ∂tan(x)/∂x = 1 + tan² x
  Tan: unary([({ emit, gradient, outputs: [y] }) => emit.multiply(gradient, emit.shift(emit.square(y), 1))], {
    float: Math.tan,
  }),
  Sinh: unary([(context) => context.emit.multiply(context.gradient, context.emit.one("Cosh", [input(context)]))], {
    float: Math.sinh,
  }),
  Cosh: unary([(context) => context.emit.multiply(context.gradient, context.emit.one("Sinh", [input(context)]))], {
    float: Math.cosh,
  }),
  // The inverse functions' derivatives: ±1/√(1 − x²), 1/(1 + x²), 1/√(x² ± 1), 1/(1 − x²)
  Asin: unary([(context) => context.emit.divide(context.gradient, context.emit.squareRoot(oneLess(context)))], {
    float: Math.asin,
  }),
  Acos: unary(
    [
      (context) =>
        context.emit.negate(context.emit.divide(context.gradient, context.emit.squareRoot(oneLess(context)))),
    ],
    { float: Math.acos },
  ),
  Atan: unary([(context) => context.emit.divide(context.gradient, squaredPlus(context, 1))], { float: Math.atan }),
  Asinh: unary([(context) => context.emit.divide(context.gradient, context.emit.squareRoot(squaredPlus(context, 1)))], {
    float: Math.asinh,
  }),
  Acosh: unary(
    [(context) => context.emit.divide(context.gradient, context.emit.squareRoot(squaredPlus(context, -1)))],
    {
      float: Math.acosh,
    },
  ),
  Atanh: unary([(context) => context.emit.divide(context.gradient, oneLess(context))], { float: Math.atanh }),
  // ∂erf(x)/∂x = 2/√π · exp(−x²)
  Erf: unary([
    (context) => {
      const { emit, gradient } = context;
      const bell = emit.exponential(emit.negate(emit.square(input(context))));
      return emit.scale(emit.multiply(gradient, bell), 2 / Math.sqrt(Math.PI));
    },
  ]),

  // The gradient by the divisor, −floor(a/b), is of no use to anyone so far.
  Mod: {
    shape: binaryShape,
    gradient: [passOn, { unsupported: "Mod is differentiated by its first operand only." }],
    fold: (node, inputs, types) => {
      const fmod = intAttribute(node, "fmod", 0) === 1;
      return foldElementwise({
        float: (a, b) => a % b,
        integer: (a, b) => remainderOfIntegers(a, b, fmod),
      })(node, inputs, types);
    },
  },
  Pow: {
    shape: (node) => [
      {
        type: requiredInput(node, 0).type,
        shape: broadcastShapes(node.op, requiredInput(node, 0).shape, requiredInput(node, 1).shape),
      },
    ],
    gradient: [
      // ∂xᵖ/∂x = p xᵖ⁻¹, which is 0 for p = 0, at x = 0 too
      (context) => {
        const { emit, gradient } = context;
        const x = input(context, 0);
        const exponent = emit.cast(input(context, 1), x.type);
        const scaled = emit.multiply(gradient, exponent);
        const oneLower = emit.subtract(exponent, emit.scalar(1, x.type));
        const zero = emit.scalar(0, x.type);
        const isNowhereZero = exponent.constant && !numbersOf(exponent.constant).includes(0);
        const lowered = isNowhereZero ? oneLower : emit.where(emit.equal(exponent, zero), zero, oneLower);
        if (isConstantNumber(lowered, 0)) return scaled;
        return emit.multiply(scaled, isConstantNumber(lowered, 1) ? x : emit.power(x, lowered));
      },
      // ∂xᵖ/∂p = xᵖ log x, which tends to 0 at x = 0 for p > 0
      (context) => {
        const { emit, gradient, outputs } = context;
        const x = input(context, 0);
        const zero = emit.equal(x, emit.scalar(0, x.type));
        const logarithm = emit.logarithm(emit.where(zero, emit.scalar(1, x.type), x));
        return emit.multiply(emit.multiply(gradient, outputs[0]), logarithm);
      },
    ],
    fold: (_, inputs, [{ shape, type }]) => [
      broadcastElements((base, exponent) => powerOf(base, exponent), inputs, shape, type),
    ],
  },
  Max: extremum("Max", "Less", { float: Math.max, integer: (...all) => all.reduce(largerInteger) }),
  Min: extremum("Min", "Greater", { float: Math.min, integer: (...all) => all.reduce(smallerInteger) }),
  // Where min exceeds max, ONNX gives max everywhere; gradients are not meant for that case.
  Clip: {
    shape: likeFirstInput,
    gradient: [
      // Inside and on the bounds the output is the input.
      (context) => gradientWhere(context, context.emit.equal(input(context), context.outputs[0])),
      (context) => gradientWhere(context, context.emit.less(input(context), input(context, 1))),
      (context) => gradientWhere(context, context.emit.greater(input(context), input(context, 2))),
    ],
    fold: (node, [x], [{ shape, type }]) => {
      const bound = (index: number): Element | undefined => {
        const tensor = node.inputs[index]?.constant;
        return tensor && elementsOf(tensor)[0];
      };
      const [lowest, highest] = [bound(1), bound(2)];
      const clip = (element: Element): Element => {
        const raised = lowest !== undefined && element < lowest ? lowest : element;
        return highest !== undefined && raised > highest ? highest : raised;
      };
      return [broadcastElements(clip, [x], shape, type)];
    },
  },
  Where: {
    shape: (node) => {
      const [condition, a, b] = [0, 1, 2].map((index) => requiredInput(node, index));
      if (condition.type !== "bool") throw new RuleError(`Where: its condition has type ${condition.type}, not bool`);
      if (a.type !== b.type) throw new RuleError(`Where: its choices have different types, ${a.type} and ${b.type}`);
      return [{ type: a.type, shape: broadcastShapes(node.op, condition.shape, a.shape, b.shape) }];
    },
    gradient: [
      "none",
      (context) => gradientWhere(context, input(context)),
      ({ emit, inputs, gradient }) => emit.where(inputs[0]!, emit.scalar(0, gradient.type), gradient),
    ],
    fold: (_, inputs, [{ shape, type }]) => [
      broadcastElements((condition, a, b) => (condition ? a : b), inputs, shape, type),
    ],
  },

  Equal: comparison((a, b) => a === b),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  Not: logical(1, (a) => a === 0n),
  And: logical(2, (a, b) => (a & b) === 1n),
  Or: logical(2, (a, b) => (a | b) === 1n),
  Xor: logical(2, (a, b) => a !== b),
  IsNaN: predicate(1, { float: Number.isNaN }),
  IsInf: {
    ...predicate(1, {}),
    fold: (node, inputs, types) => {
      const positive = intAttribute(node, "detect_positive", 1) !== 0;
      const negative = intAttribute(node, "detect_negative", 1) !== 0;
      return foldElementwise({
        float: (a) => (positive && a === Number.POSITIVE_INFINITY) || (negative && a === Number.NEGATIVE_INFINITY),
      })(node, inputs, types);
    },
  },

  // As in inference: nothing is dropped. The second output, where asked for, says that everything was kept.
  Dropout: {
    shape: (node) => {
      const [first] = likeFirstInput(node);
      return node.outputCount > 1 ? [first, { type: "bool", shape: first.shape }] : [first];
    },
    gradient: [passOn, "none", "none"],
  },
  // Between floating types the gradient is cast back; to and from other types none flows, since only floating values
  // take part in the backward sweep.
  Cast: {
    shape: (node) => {
      const type = dataTypes[intAttribute(node, "to", 0) - 1];
      if (type === undefined) throw new RuleError("Cast needs a known element type in its attribute `to`");
      return [{ type, shape: requiredInput(node, 0).shape }];
    },
    gradient: [(context) => context.emit.cast(context.gradient, input(context).type)],
    fold: (_, inputs, [{ shape, type }]) => [
      broadcastElements((element) => castElement(element, type), inputs, shape, type),
    ],
  },
};

function isConstantNumber(value: Value, number: number): boolean {
  return value.constant !== undefined && numbersOf(value.constant).every((element) => element === number);
}
