/**
 * Operators that subtract a mean and divide by a standard deviation.
 *
 * Layer, instance and group normalization share one gradient: with x̂ = (x − μ)r, r = 1/√(σ² + ε), h the gradient
 * that arrives at x̂ and means over the normalized group,  dx = r (h − mean h − x̂ mean(h x̂)). Batch normalization by the
 * batch's own statistics has it too, with a channel as the group.
 */
import type { Value } from "../graph/builder.js";
import { type Attributes, attribute } from "../graph/graph.js";
import { numbersOf, sizeOf } from "../graph/tensor.js";
import { likeFirstInput } from "./elementwise.js";
import type { Emitter } from "./emitter.js";
import type { NormalizationName } from "./names.js";
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
} from "./operator.js";

const defaultEpsilon = 1e-5;

function epsilonOf(node: Pick<NodeContext, "attributes">): number {
  return floatAttribute(node, "epsilon", defaultEpsilon);
}

/** Settings of {@link batchNormalizationTraining}. */
export interface BatchNormalizationSettings {
  /** Added to the variance; default 1e-5. */
  readonly epsilon?: number;
  /** Share of the running statistics that stays; default 0.9. PyTorch's momentum is one minus this. */
  readonly momentum?: number;
}

/**
 * Batch normalization with the batch's own statistics, as ONNX's BatchNormalization has it with training_mode = 1:
 * output = scale (x − mean)/√(variance + ε) + bias, per channel, and
 * running = running · momentum + batch · (1 − momentum) for both statistics.
 *
 * The variance is the biased one (divided by the count) everywhere, as ONNX defines it; PyTorch keeps the unbiased one
 * (divided by the count less one) in its running variance.
 *
 * @param x [N, C, ...]; scale, bias, runningMean and runningVariance have [C]
 * @see Ioffe and Szegedy, "Batch Normalization", 2015
 */
export function batchNormalizationTraining(
  emit: Emitter,
  x: Value,
  scale: Value,
  bias: Value,
  runningMean: Value,
  runningVariance: Value,
  settings: BatchNormalizationSettings = {},
): { output: Value; runningMean: Value; runningVariance: Value } {
  const { epsilon = defaultEpsilon, momentum = 0.9 } = settings;
  const axes = axesButChannel(x);
  const mean = emit.reduceMean(x, axes);
  const centered = emit.subtract(x, perChannel(emit, mean, x));
  const variance = emit.reduceMean(emit.square(centered), axes);
  const output = emit.one("BatchNormalization", [x, scale, bias, mean, variance], {
    epsilon: attribute.float(epsilon),
  });
  const moved = (running: Value, batch: Value): Value =>
    emit.add(emit.scale(running, momentum), emit.scale(batch, 1 - momentum));
  return {
    output,
    runningMean: moved(runningMean, mean),
    runningVariance: moved(runningVariance, variance),
  };
}

/**
 * Group normalization with one scale and one bias a channel, as opset 21 and PyTorch have it, in operators of opset 20:
 * output = scale (x − mean)/√(variance + ε) + bias, mean and variance per sample and group of channels.
 *
 * @param x [N, C, ...]; scale and bias have [C]
 * @see Wu and He, "Group Normalization", 2018
 */
export function groupNormalizationPerChannel(
  emit: Emitter,
  x: Value,
  scale: Value,
  bias: Value,
  settings: { readonly groups: number; readonly epsilon?: number },
): Value {
  const { groups, epsilon = defaultEpsilon } = settings;
  const attributes = { num_groups: attribute.int(groups), epsilon: attribute.float(epsilon) };
  const standard = normalizedGroups(emit, [x, emit.filled(1, [groups]), emit.filled(0, [groups])], attributes);
  return emit.add(emit.multiply(standard, perChannel(emit, scale, x)), perChannel(emit, bias, x));
}

/**
 * A GroupNormalization node of any operator set: from 21 on scale and bias have one element a channel; before, one a
 * group. Their shapes tell.
 */
export function groupNormalizationOf(
  emit: Emitter,
  inputs: readonly (Value | undefined)[],
  attributes: Attributes,
): Value {
  const [x, scale, bias] = inputs;
  const groups = intAttribute({ attributes }, "num_groups", 0);
  const isPerChannel = x && scale && bias && scale.shape[0] === x.shape[1] && scale.shape[0] !== groups;
  return isPerChannel
    ? groupNormalizationPerChannel(emit, x, scale, bias, { groups, epsilon: epsilonOf({ attributes }) })
    : normalizedGroups(emit, inputs, attributes);
}

/**
 * GroupNormalization as opset 20 has it, with each group as a channel of an InstanceNormalization. By its own name ONNX
 * Runtime takes the mean of squares less the mean's square for the variance, which leaves no digits where means are large.
 */
function normalizedGroups(emit: Emitter, inputs: readonly (Value | undefined)[], attributes: Attributes): Value {
  const node = { op: "GroupNormalization", inputs, attributes, outputCount: 1 };
  const [{ shape }] = normalizations.GroupNormalization.shape(node);
  const groups = intAttribute(node, "num_groups", 0);
  const [x, scale, bias] = inputs as readonly Value[];
  const apart = emit.reshape(x, [shape[0], groups, sizeOf(shape.slice(1)) / groups]);
  const epsilon = { epsilon: attribute.float(epsilonOf(node)) };
  return emit.reshape(emit.one("InstanceNormalization", [apart, scale, bias], epsilon), shape);
}

/** All axes but the channels', which is axis 1. */
function axesButChannel(x: Value): number[] {
  return x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
}

/** A vector with one element a channel, in a shape that broadcasts against x. */
export function perChannel(emit: Emitter, vector: Value, x: Value): Value {
  return emit.reshape(vector, [vector.shape[0], ...x.shape.slice(2).map(() => 1)]);
}

/** What a BatchNormalization node multiplies x − mean with, scale / √(variance + ε), [C]. */
export function batchFactor(
  emit: Emitter,
  node: Pick<NodeContext, "attributes">,
  scale: Value,
  variance: Value,
): Value {
  return emit.divide(scale, emit.squareRoot(emit.shift(variance, epsilonOf(node))));
}

function requireVector(node: NodeContext, index: number, size: number): void {
  const { shape } = requiredInput(node, index);
  if (shape.length !== 1 || shape[0] !== size)
    throw new RuleError(`${node.op}: its input ${index + 1} has shape [${shape.join(", ")}], not [${size}]`);
}

/** True where mean and variance are the batch's own, as {@link batchNormalizationTraining} writes them. */
function isByBatch(emit: Emitter, [x, , , mean, variance]: readonly Value[]): boolean {
  const axes = axesButChannel(x).join();
  const averaged = (value: Value): Value | undefined => {
    const producer = emit.producerOf(value);
    const taken = producer?.op === "ReduceMean" ? producer.inputs[1]?.constant : undefined;
    return taken && numbersOf(taken).join() === axes ? producer?.inputs[0] : undefined;
  };
  const square = averaged(variance);
  if (averaged(mean) !== x || !square) return false;
  return square === emit.square(emit.subtract(x, perChannel(emit, mean, x)));
}

/** The values that the gradients of batch normalization share. */
function batchParts(context: GradientContext) {
  const { emit, gradient, inputs } = context;
  const [x, scale, , mean, variance] = inputs as readonly Value[];
  const inverse = emit.one("Reciprocal", [emit.squareRoot(emit.shift(variance, epsilonOf(context)))]);
  const factor = emit.multiply(scale, inverse);
  const axes = axesButChannel(x);
  const centered = (): Value => emit.subtract(x, perChannel(emit, mean, x));
  const sum = (): Value => emit.reduceSum(gradient, axes);
  const centeredSum = (): Value => emit.reduceSum(emit.multiply(gradient, centered()), axes);
  const byBatch = isByBatch(emit, inputs as readonly Value[]);
  /** g s r, less what flows through the batch's mean and variance: g and x, each times a number a channel. */
  const inputGradient = (): Value => {
    const direct = emit.multiply(gradient, perChannel(emit, factor, x));
    if (!byBatch) return direct;
    const share = emit.scale(factor, -shareOfOne(x));
    const along = emit.multiply(emit.multiply(centeredSum(), emit.square(inverse)), share);
    const through = emit.multiply(centered(), perChannel(emit, along, x));
    return emit.add(direct, emit.add(through, perChannel(emit, emit.multiply(sum(), share), x)));
  };
  return {
    inverse,
    factor,
    byBatch,
    inputGradient,
    /** Σ g */
    sum,
    /** Σ g (x − mean) */
    centeredSum,
  };
}

/** One over the number of elements of a channel. */
function shareOfOne(x: Value): number {
  return x.shape[1] / sizeOf(x.shape);
}

const batchNormalization: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    if (shape.length < 2) throw new RuleError("BatchNormalization needs a batch axis and a channel axis");
    if (intAttribute(node, "training_mode", 0) !== 0 || node.outputCount > 1)
      throw new RuleError("BatchNormalization in training mode has to be written in operators that train");
    for (let index = 1; index < 5; index++) requireVector(node, index, shape[1]);
    return [{ type, shape }];
  },
  // y = s r (x − μ) + b with r = 1/√(v + ε). Where μ and v are the batch's, x's gradient holds what flows through them.
  gradient: [
    (context) => batchParts(context).inputGradient(),
    (context) => {
      const { inverse, centeredSum } = batchParts(context);
      return context.emit.multiply(centeredSum(), inverse);
    },
    (context) => batchParts(context).sum(),
    (context) => {
      const { factor, sum, byBatch } = batchParts(context);
      if (byBatch) return undefined;
      return context.emit.negate(context.emit.multiply(sum(), factor));
    },
    // −½ s r³ Σ g (x − μ)
    (context) => {
      const { emit } = context;
      const { inverse, factor, centeredSum, byBatch } = batchParts(context);
      if (byBatch) return undefined;
      return emit.scale(emit.multiply(centeredSum(), emit.multiply(factor, emit.square(inverse))), -0.5);
    },
  ],
};

/** x̂, mean and r of a value normalized over its axes from the given one on, in one node. */
function normalized(emit: Emitter, x: Value, axis: number, epsilon: number): readonly [Value, Value, Value] {
  const ones = emit.cast(emit.filled(1, x.shape.slice(axis)), x.type);
  const attributes = { axis: attribute.int(axis), epsilon: attribute.float(epsilon) };
  return emit.node("LayerNormalization", [x, ones], attributes, 3) as unknown as readonly [Value, Value, Value];
}

/** r (h − mean h − x̂ mean(h x̂)), means over the axes from the given one on. */
function throughNormalization(emit: Emitter, h: Value, xHat: Value, r: Value, axis: number): Value {
  const axes = xHat.shape.flatMap((_, index) => (index >= axis ? [index] : []));
  const along = emit.multiply(xHat, emit.reduceMean(emit.multiply(h, xHat), axes, true));
  return emit.multiply(r, emit.subtract(emit.subtract(h, emit.reduceMean(h, axes, true)), along));
}

const layerNormalization: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    const axis = layerAxis(node);
    for (const index of [1, 2]) {
      const parameter = node.inputs[index];
      if (!parameter && index === 2) continue;
      const own = requiredInput(node, index).shape;
      if (broadcastShapes(node.op, shape, own).join() !== shape.join())
        throw new RuleError(`LayerNormalization: [${own.join(", ")}] does not broadcast to [${shape.join(", ")}]`);
    }
    const statistics = { type, shape: shape.map((dimension, index) => (index < axis ? dimension : 1)) };
    return [{ type, shape }, statistics, statistics].slice(0, node.outputCount);
  },
  gradient: [
    (context) => {
      const { emit, inputs, gradients } = context;
      const [x, scale] = inputs as readonly Value[];
      const axis = layerAxis(context);
      const [xHat, , r] = normalized(emit, x, axis, epsilonOf(context));
      const [g, atMean, atInverse] = gradients;
      const parts: Value[] = [];
      if (g) parts.push(throughNormalization(emit, emit.multiply(g, scale), xHat, r, axis));
      const count = sizeOf(x.shape.slice(axis));
      // ∂μ/∂x = 1/M and ∂r/∂x = −r² x̂/M
      if (atMean) parts.push(emit.scale(atMean, 1 / count));
      if (atInverse) parts.push(emit.multiply(xHat, emit.scale(emit.multiply(atInverse, emit.square(r)), -1 / count)));
      return parts.reduce((a, b) => emit.add(a, b));
    },
    (context) => {
      const { emit, inputs, gradients } = context;
      const [x, scale] = inputs as readonly Value[];
      if (!gradients[0]) return emit.filled(0, scale.shape);
      return emit.multiply(gradients[0], normalized(emit, x, layerAxis(context), epsilonOf(context))[0]);
    },
    ({ emit, inputs, gradients }) => gradients[0] ?? emit.filled(0, inputs[2]!.shape),
  ],
};

function layerAxis(node: NodeContext): number {
  return normalizedAxis(intAttribute(node, "axis", -1), requiredInput(node, 0).shape.length, node.op);
}

/** Instance normalization is group normalization with as many groups as channels. */
function groupwise(groupsOf: (node: NodeContext) => number): Operator {
  /** x or its gradient as [N, groups, elements of a group]. */
  const grouped = ({ emit, inputs: [x], ...node }: GradientContext, value: Value): Value => {
    const groups = groupsOf({ ...node, inputs: [x] });
    return emit.reshape(value, [x!.shape[0], groups, sizeOf(x!.shape.slice(1)) / groups]);
  };
  const parts = (context: GradientContext) => {
    const [xHat, , r] = normalized(context.emit, grouped(context, context.inputs[0]!), 2, epsilonOf(context));
    return { xHat, r, g: grouped(context, context.gradient) };
  };
  return {
    shape: (node) => {
      const { shape } = requiredInput(node, 0);
      if (shape.length < 3) throw new RuleError(`${node.op} needs axes for batch, channels and at least one more`);
      const groups = groupsOf(node);
      if (groups < 1 || shape[1] % groups !== 0)
        throw new RuleError(`${node.op}: ${shape[1]} channels do not make ${groups} groups`);
      requireVector(node, 1, groups);
      requireVector(node, 2, groups);
      return likeFirstInput(node);
    },
    gradient: [
      (context) => {
        const { emit, inputs } = context;
        const { xHat, r, g } = parts(context);
        const h = emit.multiply(g, emit.reshape(inputs[1]!, [xHat.shape[1], 1]));
        return emit.reshape(throughNormalization(emit, h, xHat, r, 2), inputs[0]!.shape);
      },
      (context) => {
        const { xHat, g } = parts(context);
        return context.emit.reduceSum(context.emit.multiply(g, xHat), [0, 2]);
      },
      (context) => context.emit.reduceSum(grouped(context, context.gradient), [0, 2]),
    ],
  };
}

/** Shape rules and gradients of normalisations. */
export const normalizations: Record<NormalizationName, Operator> = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: groupwise((node) => requiredInput(node, 0).shape[1]),
  LayerNormalization: layerNormalization,
  // Opset 20: scale and bias have one element a group (from 21 on, one a channel).
  GroupNormalization: groupwise((node) => intAttribute(node, "num_groups", 0)),
};
