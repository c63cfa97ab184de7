/** The tensors of a network that training changes: what each is for. */
import type { WeightLayout } from "../graph/weight-layout.js";

/**
 * - weight: multiplies its layer's input (has a layout)
 * - bias: is added after a weight
 * - scale, shift: of a normalisation
 * - slope: of PRelu
 * - factor: a learned multiplication, such as a layer scale
 * - embedding: vectors, one a row, that a network looks up by its samples' integers
 * - table: positions and other learned tensors
 * - statistic: running mean or variance; follows the data, not a gradient
 */
export type ParameterRole =
  | "weight"
  | "bias"
  | "scale"
  | "shift"
  | "slope"
  | "factor"
  | "embedding"
  | "table"
  | "statistic";

/** A tensor to be trained, apart from its elements. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: ParameterRole;
  /** There for weights whose layout is known. */
  readonly layout?: WeightLayout;
  /** Number of inputs that each output of the layer sums over; for biases the one of their layer's weight. */
  readonly fanIn?: number;
}
