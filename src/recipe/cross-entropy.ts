/** The classification loss, from logits. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
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
  const argMax = (value: Value): Value =>
    emit.one("ArgMax", [value], { axis: attribute.int(1), keepdims: attribute.int(0) });
  const accuracy = emit.reduceMean(emit.indicator(emit.equal(argMax(logits), argMax(targets))));
  return { loss, accuracy };
}
