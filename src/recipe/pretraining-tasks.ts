/** Tasks by which F learns from samples without labels, each behind layers of its own on F's features. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import { crossEntropy } from "./cross-entropy.js";
import type { Recipe } from "./recipe.js";
import type { TrainingGraphBuilder } from "./training-graph.js";

/** What a task makes of F's features: its loss, and the share of its answers that are right. */
export interface TaskLoss {
  readonly loss: Value;
  readonly accuracy: Value;
}

/**
 * Which of a sample's values were swapped: binary cross-entropy.
 *
 * @param swapped 1 where a value was, else 0: [batch, ...sample shape]
 * @param hidden ReLU units between features and answers; 0 for none
 */
export function swappedValuesLoss(
  build: TrainingGraphBuilder,
  features: Value,
  swapped: Value,
  hidden: number,
): TaskLoss {
  const { emit } = build;
  const [batch] = swapped.shape;
  const size = sizeOf(swapped.shape) / batch;
  const logits = taskHead(build, features, size, "task", hidden);
  const targets = emit.reshape(swapped, [batch, size]);
  // Binary cross-entropy from logits: softplus(z) − t z.
  const loss = emit.reduceMean(emit.subtract(emit.softplus(logits), emit.multiply(targets, logits)));
  const right = emit.indicator(
    emit.equal(emit.greater(logits, emit.scalar(0)), emit.greater(targets, emit.scalar(0.5))),
  );
  return { loss, accuracy: emit.reduceMean(right) };
}

/**
 * Which group a sample belongs to, in each of several groupings.
 *
 * @param groups one-hot rows: [batch × groupings, groups]
 */
export function clustersLoss(build: TrainingGraphBuilder, features: Value, groups: Value, hidden: number): TaskLoss {
  const [rows, clusters] = groups.shape;
  const groupings = rows / features.shape[0];
  const logits = taskHead(build, features, groupings * clusters, "task", hidden);
  return crossEntropy(build.emit, build.emit.reshape(logits, [rows, clusters]), groups);
}

/** Units of the layer through which the features of views are compared. */
const projectionSize = 64;

/**
 * Normalised temperature-scaled cross-entropy (Chen et al., 2020, equation 1): each view's partner among all other
 * views, by cosine similarity of a projection: linear, or a layer of hidden ReLU units and a linear one.
 *
 * @param features [2 × batch, ...]: first views, then second views in the same order
 */
export function contrastLoss(
  build: TrainingGraphBuilder,
  features: Value,
  { temperature, hidden }: Recipe["contrast"],
): TaskLoss {
  const { emit } = build;
  const views = features.shape[0];
  const projected = taskHead(build, features, projectionSize, "contrast", hidden);
  const norm = emit.squareRoot(emit.shift(emit.reduceSum(emit.square(projected), [1], true), 1e-12));
  const unit = emit.divide(projected, norm);
  const similarity = emit.scale(emit.one("Gemm", [unit, unit], { transB: attribute.int(1) }), 1 / temperature);
  const targets = new Float32Array(views * views);
  const itself = new Float32Array(views * views);
  for (let view = 0; view < views; view++) {
    targets[view * views + ((view + views / 2) % views)] = 1;
    itself[view * views + view] = -1e4;
  }
  const others = emit.add(similarity, emit.constant(floatTensor(itself, [views, views])));
  return crossEntropy(emit, others, emit.constant(floatTensor(targets, [views, views])));
}

/** A linear layer on F's features, or one of hidden ReLU units and a linear one behind it: [batch, outputs] logits. */
export function taskHead(
  build: TrainingGraphBuilder,
  features: Value,
  outputs: number,
  name: string,
  hidden: number,
): Value {
  const { emit } = build;
  if (hidden > 0)
    return taskHead(build, emit.relu(taskHead(build, features, hidden, `${name}/hidden`, 0)), outputs, name, 0);
  const batch = features.shape[0];
  const size = sizeOf(features.shape) / batch;
  const weight = build.parameter("task", {
    name: `${name}/weight`,
    shape: [size, outputs],
    role: "weight",
    layout: { kind: "matrix", inputAxis: 0 },
    fanIn: size,
  });
  const bias = build.parameter("task", { name: `${name}/bias`, shape: [outputs], role: "bias", fanIn: size });
  return emit.one("Gemm", [emit.reshape(features, [batch, size]), weight, bias]);
}
