/** Activation functions. In the formulas x is the input, y the output, g the gradient that arrives. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { gradientWhere, likeFirstInput } from "./elementwise.js";
import type { Emitter } from "./emitter.js";
import type { ActivationName } from "./names.js";
import {
  broadcastShapes,
  floatAttribute,
  type GradientContext,
  intAttribute,
  type NodeContext,
  normalizedAxis,
  type Operator,
  RuleError,
  requiredInput,
  stringAttribute,
} from "./operator.js";

/** What a derivative is written with. */
interface Point {
  readonly emit: Emitter;
  readonly x: Value;
  readonly y: Value;
  readonly node: NodeContext;
}

/** An activation whose derivative is an expression of x and y: the gradient is g times that. */
function activation(derivative: (point: Point) => Value): Operator {
  return {
    shape: likeFirstInput,
    gradient: [
      (context) => {
        const { emit, gradient, inputs, outputs } = context;
        return emit.multiply(gradient, derivative({ emit, x: inputs[0]!, y: outputs[0], node: context }));
      },
    ],
  };
}

const constantLike = (emit: Emitter, value: number, { type }: Value): Value => emit.scalar(value, type);
const isPositive = (emit: Emitter, x: Value): Value => emit.greater(x, constantLike(emit, 0, x));
const oneMinus = (emit: Emitter, a: Value): Value => emit.subtract(constantLike(emit, 1, a), a);

const seluAlpha = 1.6732632423543772;
const seluGamma = 1.0507009873554805;

/** Shape rules and gradients of the activation functions. */
export const activations: Record<ActivationName, Operator> = {
  // y says where x is positive and is kept anyway, so that x need not be.
  Relu: activation(({ emit, y }) => emit.cast(isPositive(emit, y), y.type)),
  ThresholdedRelu: {
    shape: likeFirstInput,
    gradient: [
      (context) => {
        const x = context.inputs[0]!;
        const threshold = constantLike(context.emit, floatAttribute(context, "alpha", 1), x);
        return gradientWhere(context, context.emit.greater(x, threshold));
      },
    ],
  },
  // With a slope above 0, y has x's sign and is kept anyway.
  LeakyRelu: activation(({ emit, x, y, node }) => {
    const alpha = floatAttribute(node, "alpha", 0.01);
    return emit.where(isPositive(emit, alpha > 0 ? y : x), constantLike(emit, 1, x), constantLike(emit, alpha, x));
  }),
  PRelu: {
    shape: (node) => {
      const x = requiredInput(node, 0);
      const slope = requiredInput(node, 1);
      if (broadcastShapes(node.op, x.shape, slope.shape).join() !== x.shape.join())
        throw new RuleError(`PRelu: slope [${slope.shape.join(", ")}] does not broadcast to [${x.shape.join(", ")}]`);
      return [{ type: x.type, shape: x.shape }];
    },
    gradient: [
      ({ emit, gradient, inputs }) => {
        const [x, slope] = [inputs[0]!, inputs[1]!];
        return emit.multiply(gradient, emit.where(isPositive(emit, x), constantLike(emit, 1, x), slope));
      },
      ({ emit, gradient, inputs: [x] }) => emit.multiply(gradient, emit.minimum(x!, constantLike(emit, 0, x!))),
    ],
  },
  // x ≤ 0: y = α(eˣ − 1), so y' = y + α
  Elu: activation(({ emit, x, y, node }) =>
    emit.where(isPositive(emit, x), constantLike(emit, 1, x), emit.shift(y, floatAttribute(node, "alpha", 1))),
  ),
  // x > 0: y' = γ; x ≤ 0: y = γα(eˣ − 1), so y' = y + γα
  Selu: activation(({ emit, x, y, node }) => {
    const gamma = floatAttribute(node, "gamma", seluGamma);
    const below = emit.shift(y, gamma * floatAttribute(node, "alpha", seluAlpha));
    return emit.where(isPositive(emit, x), constantLike(emit, gamma, x), below);
  }),
  // x ≤ 0: y = α(exp(x/α) − 1), so y' = y/α + 1
  Celu: activation(({ emit, x, y, node }) => {
    const below = emit.shift(emit.scale(y, 1 / floatAttribute(node, "alpha", 1)), 1);
    return emit.where(isPositive(emit, x), constantLike(emit, 1, x), below);
  }),
  Sigmoid: activation(({ emit, y }) => emit.multiply(y, oneMinus(emit, y))),
  // y = max(0, min(1, αx + β)): α between the bounds
  HardSigmoid: {
    shape: likeFirstInput,
    gradient: [
      (context) => {
        const { emit, outputs } = context;
        const inside = emit.one("And", [
          isPositive(emit, outputs[0]),
          emit.less(outputs[0], constantLike(emit, 1, outputs[0])),
        ]);
        return emit.scale(gradientWhere(context, inside), floatAttribute(context, "alpha", 0.2));
      },
    ],
  },
  // y = x h(x) with h(x) = max(0, min(1, x/6 + 1/2)); |x| < 3: y' = x/3 + 1/2; beyond: y' = h, which is 0 or 1
  HardSwish: activation(({ emit, x }) => {
    const inside = emit.less(emit.absolute(x), constantLike(emit, 3, x));
    const hard = emit.one("HardSigmoid", [x], { alpha: attribute.float(1 / 6), beta: attribute.float(0.5) });
    return emit.where(inside, emit.shift(emit.scale(x, 1 / 3), 0.5), hard);
  }),
  Tanh: activation(({ emit, y }) => oneMinus(emit, emit.square(y))),
  Softplus: activation(({ emit, x }) => emit.sigmoid(x)),
  // y = x/(1 + |x|): y' = 1/(1 + |x|)² = (1 − |y|)²
  Softsign: activation(({ emit, y }) => emit.square(oneMinus(emit, emit.absolute(y)))),
  Gelu: activation(({ emit, x, node }) =>
    stringAttribute(node, "approximate", "none") === "tanh" ? tanhGeluDerivative(emit, x) : geluDerivative(emit, x),
  ),
  // y = x t with t = tanh(softplus x): y' = t + x(1 − t²)σ(x)
  Mish: activation(({ emit, x }) => {
    const t = emit.tanh(emit.softplus(x));
    const slope = emit.multiply(oneMinus(emit, emit.square(t)), emit.sigmoid(x));
    return emit.add(t, emit.multiply(x, slope));
  }),
  // ∂: y (g − Σ g y)
  Softmax: {
    shape: alongAxis,
    gradient: [
      (context) => {
        const { emit, gradient, outputs } = context;
        const weighted = emit.reduceSum(emit.multiply(gradient, outputs[0]), [axisOf(context)], true);
        return emit.multiply(outputs[0], emit.subtract(gradient, weighted));
      },
    ],
  },
  // ∂: g − eʸ Σ g
  LogSoftmax: {
    shape: alongAxis,
    gradient: [
      (context) => {
        const { emit, gradient, outputs } = context;
        const total = emit.reduceSum(gradient, [axisOf(context)], true);
        return emit.subtract(gradient, emit.multiply(emit.exponential(outputs[0]), total));
      },
    ],
  },
};

function axisOf(node: NodeContext | GradientContext): number {
  return normalizedAxis(intAttribute(node, "axis", -1), requiredInput(node, 0).shape.length, node.op);
}

function alongAxis(node: NodeContext): ReturnType<Operator["shape"]> {
  axisOf(node);
  return likeFirstInput(node);
}

/** y = x Φ(x): y' = Φ(x) + x φ(x), Φ and φ the standard normal's distribution and density. */
function geluDerivative(emit: Emitter, x: Value): Value {
  const distribution = emit.scale(emit.shift(emit.one("Erf", [emit.scale(x, Math.SQRT1_2)]), 1), 0.5);
  const bell = emit.exponential(emit.scale(emit.square(x), -0.5));
  return emit.add(distribution, emit.scale(emit.multiply(x, bell), 1 / Math.sqrt(2 * Math.PI)));
}

/** y = x(1 + t)/2 with t = tanh u, u = √(2/π)(x + 0.044715x³): y' = (1 + t)/2 + x(1 − t²)u'/2 */
function tanhGeluDerivative(emit: Emitter, x: Value): Value {
  const factor = Math.sqrt(2 / Math.PI);
  const cubic = 0.044715;
  const squared = emit.square(x);
  const t = emit.tanh(emit.multiply(x, emit.shift(emit.scale(squared, factor * cubic), factor)));
  const halfSlope = emit.shift(emit.scale(squared, 1.5 * factor * cubic), factor / 2);
  const outer = emit.multiply(emit.multiply(x, halfSlope), oneMinus(emit, emit.square(t)));
  return emit.add(emit.scale(emit.shift(t, 1), 0.5), outer);
}
