/**
 * Masks of activations' gradients, 1 where a value is positive and something else where it is not, in operators that run
 * on all threads and touch memory once: Greater, Cast and above all Where do not.
 *
 * - 1 or 0: HardSigmoid with a huge slope, max(0, min(1, α v))
 * - 1 or s, 0 ≤ s < 1: Clip of α v to [s, 1]
 *
 * Both give what the comparison gives for every number but those nearer to 0 than 1/α, which is less than the smallest
 * normal number.
 */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { numbersOf, sizeOf } from "../graph/tensor.js";
import type { Emitter } from "../ops/emitter.js";
import type { NodeRule } from "./rewrite-graph.js";

/** α: the inverse of a number below the smallest normal one, 2⁻¹²⁶. */
const steep = 2 ** 127;

/** The pass, for masks of at least so many elements. */
export function cheapMasks(leastElements = 4096): NodeRule {
  return (emit, { op }, inputs) => {
    const [condition, whenTrue, whenFalse] = inputs;
    if (op !== "Cast" && op !== "Where") return undefined;
    const x = condition && comparedWithZero(emit, condition);
    if (x?.type !== "float32" || sizeOf(x.shape) < leastElements) return undefined;
    if (op === "Cast")
      return [emit.one("HardSigmoid", [x], { alpha: attribute.float(steep), beta: attribute.float(0) })];
    const low = numberOf(whenFalse);
    if (numberOf(whenTrue) !== 1 || low === undefined || low < 0 || low >= 1) return undefined;
    return [emit.one("Clip", [emit.scale(x, steep), emit.scalar(low), emit.scalar(1)])];
  };
}

/** x of x > 0. */
function comparedWithZero(emit: Emitter, condition: Value): Value | undefined {
  const producer = emit.producerOf(condition);
  if (producer?.op !== "Greater" || numberOf(producer.inputs[1]) !== 0) return undefined;
  return producer.inputs[0];
}

function numberOf(value: Value | undefined): number | undefined {
  return value?.constant && value.shape.length === 0 ? numbersOf(value.constant)[0] : undefined;
}
