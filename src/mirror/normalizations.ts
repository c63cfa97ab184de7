/** Normalisations: the same one over the mirrored value, with a scale and a shift of its own. */
import { attribute } from "../graph/graph.js";
import { batchNormalizationTraining, groupNormalizationOf } from "../ops/normalizations.js";
import { floatAttribute } from "../ops/operator.js";
import type { ParameterRole } from "../ops/parameter.js";
import type { MirrorContext, MirrorRule, OwnParameter } from "./mirror-rule.js";

/** The mirror's own counterpart of a parameter of F; its name where F has none is made from the step's output. */
function ownLike({ own, step }: MirrorContext, index: number, role: ParameterRole, fallback: string): OwnParameter {
  const name = step.parameters[index] ?? `${step.node.outputs[0]}.${fallback}`;
  return own({ name, shape: step.inputs[index]!.shape, role });
}

/** Over the batch's own statistics, or over running ones that belong to the mirror. */
export const mirroredBatchNormalization: MirrorRule = (context) => {
  const { emit, step, value, normalization, replace } = context;
  const scale = ownLike(context, 1, "scale", "scale");
  const shift = ownLike(context, 2, "shift", "shift");
  const mean = ownLike(context, 3, "statistic", "mean");
  const variance = ownLike(context, 4, "statistic", "variance");
  const node = { op: step.node.op, inputs: step.inputs, attributes: step.node.attributes, outputCount: 1 };
  const epsilon = floatAttribute(node, "epsilon", 1e-5);
  const to = step.node.inputs[0];
  if (normalization === "running") {
    const normalized = emit.one("BatchNormalization", [value, scale.value, shift.value, mean.value, variance.value], {
      epsilon: attribute.float(epsilon),
    });
    return [{ to, value: normalized }];
  }
  const momentum = floatAttribute(node, "momentum", 0.9);
  const normalized = batchNormalizationTraining(emit, value, scale.value, shift.value, mean.value, variance.value, {
    epsilon,
    momentum,
  });
  replace(mean, normalized.runningMean);
  replace(variance, normalized.runningVariance);
  return [{ to, value: normalized.output }];
};

/** Layer, instance and group normalisation take their statistics from the sample itself. */
export const mirroredNormalization: MirrorRule = (context) => {
  const { emit, step, value } = context;
  const scale = ownLike(context, 1, "scale", "scale");
  const shift = step.inputs[2] ? ownLike(context, 2, "shift", "shift") : undefined;
  const { op, attributes } = step.node;
  const inputs = [value, scale.value, shift?.value];
  const normalized =
    op === "GroupNormalization" ? groupNormalizationOf(emit, inputs, attributes) : emit.one(op, inputs, attributes);
  return [{ to: step.node.inputs[0], value: normalized }];
};
