/** The classification loss, from logits. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { floatTensor } from "../graph/tensor.js";
import type { Emitter } from "../ops/emitter.js";

/**
 * Mean cross-entropy of softmax(logits) against targets, and the share of rows whose largest logit is the target's.
 *
 * @param logits [batch, classes]
 * @param targets one-hot rows of the same shape
 */
export function crossEntropy(emit: Emitter, logits: Value, targets: Value): { loss: Value; accuracy: Value } {
  const batch = logits.shape[0];
  const logProbabilities = emit.node("LogSoftmax", [logits], { axis: attribute.int(1) })[0];
  const loss = emit.scale(emit.reduceSum(emit.multiply(targets, logProbabilities)), -1 / batch);
  const accuracy = emit.reduceMean(emit.indicator(emit.equal(argMax(emit, logits), argMax(emit, targets))));
  return { loss, accuracy };
}

/** The class with the largest number, along axis 1. */
function argMax(emit: Emitter, value: Value): Value {
  return emit.one("ArgMax", [value], { axis: attribute.int(1), keepdims: attribute.int(0) });
}

/**
 * The same at each position of a map: the mean over the positions that have a class.
 *
 * @param logits [batch, classes, positions]
 * @param targets class numbers, [batch, positions]; negative where a position has no class
 */
export function mapCrossEntropy(emit: Emitter, logits: Value, targets: Value): { loss: Value; accuracy: Value } {
  const [batch, classes, positions] = logits.shape;
  const numbers = emit.constant(
    floatTensor(
      Float32Array.from({ length: classes }, (_, index) => index),
      [1, classes, 1],
    ),
  );
  const chosen = emit.indicator(emit.equal(emit.reshape(targets, [batch, 1, positions]), numbers));
  // Where no position has a class there is nothing to learn.
  const count = emit.maximum(emit.reduceSum(chosen), emit.scalar(1));
  const logProbabilities = emit.one("LogSoftmax", [logits], { axis: attribute.int(1) });
  const loss = emit.negate(emit.divide(emit.reduceSum(emit.multiply(chosen, logProbabilities)), count));
  const hasClass = emit.reduceMax(chosen, [1]);
  const right = emit.indicator(emit.equal(argMax(emit, logits), argMax(emit, chosen)));
  const accuracy = emit.divide(emit.reduceSum(emit.multiply(hasClass, right)), count);
  return { loss, accuracy };
}
