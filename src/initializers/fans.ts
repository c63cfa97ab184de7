/**
 * Fan-in and fan-out of a weight: how many inputs one output unit reads, and how many outputs one input unit feeds.
 * A shape alone does not say which axis is which, so the weight's role in its operator does.
 */
import type { WeightLayout } from "../graph/weight-layout.js";

/** The axes of a weight by role, see {@link weightAxes}. */
export interface WeightAxes {
  groups: number;
  /** Input channels (or features) of one group. */
  inputs: number;
  /** Output channels (or features) of one group. */
  outputs: number;
  /** Positions of the kernel: the product of its sizes, 1 for a matrix. */
  kernel: number;
}

/** Fan-in and fan-out, as counts of weights. */
export interface Fans {
  fanIn: number;
  fanOut: number;
}

/**
 * Sorts a weight's axes by role.
 *
 * @throws Error when the shape cannot have this layout; the caller chose both, so that is a bug
 */
export function weightAxes(shape: readonly number[], layout: WeightLayout): WeightAxes {
  if (layout.kind === "matrix") {
    if (shape.length !== 2) throw new Error(`a matrix weight has 2 axes, this one has shape [${shape.join(", ")}]`);
    return { groups: 1, inputs: shape[layout.inputAxis], outputs: shape[1 - layout.inputAxis], kernel: 1 };
  }
  if (layout.kind === "matrices") {
    if (shape.length !== 3)
      throw new Error(`a stack of matrices has 3 axes, this weight has shape [${shape.join(", ")}]`);
    return { groups: shape[0], inputs: shape[2], outputs: shape[1], kernel: 1 };
  }
  const { groups, transposed } = layout;
  if (shape.length < 3 || !Number.isInteger(groups) || groups < 1 || shape[0] % groups !== 0) {
    throw new Error(`a convolution's weight of ${groups} groups cannot have shape [${shape.join(", ")}]`);
  }
  const kernel = shape.slice(2).reduce((product, size) => product * size, 1);
  return transposed
    ? { groups, inputs: shape[0] / groups, outputs: shape[1], kernel }
    : { groups, inputs: shape[1], outputs: shape[0] / groups, kernel };
}

/**
 * The fans of a weight. With groups, both count inside one group only, which is what an activation's variance depends
 * on. For a transposed convolution the stride is not taken into account: with stride s along each of d axes an output
 * position reads fan-in / s^d inputs.
 */
export function fans(shape: readonly number[], layout: WeightLayout): Fans {
  const { inputs, outputs, kernel } = weightAxes(shape, layout);
  return { fanIn: inputs * kernel, fanOut: outputs * kernel };
}
