/** Layers with weights: the transpose of each, with a weight of its own or F's, and a bias of its own. */
import type { Value } from "../graph/builder.js";
import type { WeightLayout } from "../graph/weight-layout.js";
import type { Emitter } from "../ops/emitter.js";
import { fanInOf } from "../ops/find-parameters.js";
import { intAttribute, type NodeContext } from "../ops/operator.js";
import { adjoint } from "./adjoint.js";
import { attentionOrder } from "./gates.js";
import { type Delivery, type MirrorContext, type MirrorRule, varies } from "./mirror-rule.js";

/** A layer with a sample and a weight among its inputs. */
interface Use {
  readonly sample: 0 | 1;
  readonly weight: 0 | 1;
  /** Layout of the weight as the mirror uses it; undefined where it is none that an initializer can draw. */
  readonly layout: WeightLayout | undefined;
  /** The axis of the layer's input along which its features lie, counted from the end. */
  readonly featureAxis: number;
}

/**
 * y = W x becomes Wᵀ v + b. A weight without a known layout (such as a stack of matrices) is F's own, since nothing
 * could draw it.
 */
function transposedLayer(context: MirrorContext, { sample, weight, layout, featureAxis }: Use): Delivery[] {
  const { emit, step } = context;
  const given = step.inputs[weight] as Value;
  const name = step.parameters[weight];
  const fanIn = layout && fanInOf(given.shape, layout);
  const inputs = [...step.inputs];
  if (!context.tied && name !== undefined && layout && fanIn !== undefined)
    inputs[weight] = context.own({ name, shape: given.shape, role: "weight", layout, fanIn }).value;
  const value = adjoint(context, sample, { inputs });
  const size = (step.inputs[sample] as Value).shape.at(-featureAxis) ?? 1;
  const bias = context.own({
    name: biasName(name ?? `${step.node.outputs[0]}.weight`),
    shape: [size],
    role: "bias",
    ...(fanIn === undefined ? {} : { fanIn }),
  });
  return [{ to: step.node.inputs[sample], value: withBias(emit, value, bias.value, featureAxis) }];
}

/** The bias goes by its layer's weight: F's bias may be one tensor that several layers share. */
function biasName(weight: string): string {
  return /weight$/.test(weight) ? weight.replace(/weight$/, "bias") : `${weight}.bias`;
}

/** Adds a bias inside of the layer where its operator has an input for it. */
function withBias(emit: Emitter, value: Value, bias: Value, featureAxis: number): Value {
  const layer = emit.nodes.findLast(({ outputs }) => outputs[0].name === value.name);
  const takesBias =
    layer?.op === "Conv" || layer?.op === "ConvTranspose" || (layer?.op === "Gemm" && featureAxis === 1);
  if (layer && takesBias && layer.inputs.length === 2)
    return emit.one(layer.op, [...layer.inputs, bias], layer.attributes);
  if (layer && takesBias && layer.inputs[2] === undefined)
    return emit.one(layer.op, [layer.inputs[0], layer.inputs[1], bias], layer.attributes);
  return emit.add(value, emit.reshape(bias, [bias.shape[0], ...new Array<number>(featureAxis - 1).fill(1)]));
}

function convolutionLayer(transposed: boolean): MirrorRule {
  return (context) => {
    const { step } = context;
    const x = step.inputs[0];
    if (!x || !varies(step, 0)) return [];
    const groups = intAttribute(asNode(context), "group", 1);
    const layout = { kind: "convolution", groups, transposed } as const;
    return transposedLayer(context, { sample: 0, weight: 1, layout, featureAxis: x.shape.length - 1 });
  };
}

function asNode({ step }: MirrorContext): NodeContext {
  return { op: step.node.op, inputs: step.inputs, attributes: step.node.attributes, outputCount: step.outputs.length };
}

/** [outputs, inputs / groups, ...] convolves forward; the mirror reads it as [inputs, outputs / groups, ...], transposed. */
export const mirroredConv = convolutionLayer(true);
/** [inputs, outputs / groups, ...] convolves transposed; the mirror reads it as [outputs, inputs / groups, ...]. */
export const mirroredConvTranspose = convolutionLayer(false);

/**
 * y = A B + C, with either factor as the weight: the other gets the adjoint, through a weight of the mirror's own or
 * F's, and what is added gets the value summed to its shape. Of two factors that vary with the sample, see
 * {@link attentionOrder}.
 */
export const mirroredGemm: MirrorRule = (context) => {
  const { step } = context;
  if (varies(step, 0) && varies(step, 1)) return productOfSamples(context);
  // The summand C: a second branch, broadcast to the output.
  const rest: Delivery[] = varies(step, 2) ? [{ to: step.node.inputs[2], value: adjoint(context, 2) }] : [];
  const flag = (name: string): boolean => intAttribute(asNode(context), name, 0) !== 0;
  if (varies(step, 0)) {
    const layout = { kind: "matrix", inputAxis: flag("transB") ? 0 : 1 } as const;
    return [
      ...transposedLayer(context, { sample: 0, weight: 1, layout, featureAxis: flag("transA") ? 2 : 1 }),
      ...rest,
    ];
  }
  if (!varies(step, 1)) return rest;
  const layout = { kind: "matrix", inputAxis: flag("transA") ? 1 : 0 } as const;
  return [...transposedLayer(context, { sample: 1, weight: 0, layout, featureAxis: flag("transB") ? 1 : 2 }), ...rest];
};

/** y = A B with a weight on either side, or with two factors that vary with the sample; as {@link mirroredGemm}. */
export const mirroredMatMul: MirrorRule = (context) => {
  const { step } = context;
  if (varies(step, 0) && varies(step, 1)) return productOfSamples(context);
  const sample = varies(step, 0) ? 0 : 1;
  const weight = sample === 0 ? 1 : 0;
  const x = step.inputs[sample];
  const matrix = step.inputs[weight];
  if (!x || !matrix || !varies(step, sample)) return [];
  // On the right [inputs, outputs], on the left [outputs, inputs]; the mirror reads both the other way round.
  const layout = matrix.shape.length === 2 ? ({ kind: "matrix", inputAxis: sample === 0 ? 1 : 0 } as const) : undefined;
  return transposedLayer(context, {
    sample,
    weight,
    layout,
    featureAxis: sample === 0 || x.shape.length === 1 ? 1 : 2,
  });
};

/** Y = P V: V gets Pᵀ v, with the P that F computed; P gets nothing. */
function productOfSamples(context: MirrorContext): Delivery[] {
  const { content } = attentionOrder(context);
  return [{ to: context.step.node.inputs[content], value: adjoint(context, content) }];
}
