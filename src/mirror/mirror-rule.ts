/** What a mirror rule sees and gives: one step of F, walked backwards. */
import type { Value } from "../graph/builder.js";
import { isFloating } from "../graph/tensor.js";
import type { Emitter } from "../ops/emitter.js";
import type { NetworkStep } from "../ops/instantiate.js";
import type { ParameterSpec } from "../ops/parameter.js";

/** A mirrored value on its way to one of F's values. */
export interface Delivery {
  /** Name of F's tensor that it mirrors. */
  readonly to: string;
  readonly value: Value;
}

/** A parameter of the mirror's own. */
export interface OwnParameter {
  readonly name: string;
  readonly value: Value;
}

/** One step of F and what has been mirrored so far. */
export interface MirrorContext {
  readonly emit: Emitter;
  readonly step: NetworkStep;
  /** The mirrored value of each output; undefined where none arrived. */
  readonly arrived: readonly (Value | undefined)[];
  /** The mirrored value of the first output. Reading it where none arrived throws. */
  readonly value: Value;
  readonly tied: boolean;
  readonly normalization: "batch" | "running";
  /** F's steps in its order. */
  readonly steps: readonly NetworkStep[];
  /** Position of the step that made a tensor of F; −1 for the sample input, weights and constants. */
  readonly madeAt: (name: string) => number;
  /** A parameter of the mirror itself, under the name `mirror/<spec.name>`. Asked for twice, it is the same one. */
  readonly own: (spec: ParameterSpec) => OwnParameter;
  /** Says what replaces a running statistic after a step. */
  readonly replace: (statistic: OwnParameter, next: Value) => void;
}

/** Mirrors one step: from the values at its outputs to values for its inputs, or for values further back. */
export type MirrorRule = (context: MirrorContext) => readonly Delivery[];

/**
 * How an operator is mirrored: by a rule, not at all (what it computes is a fact about its input, such as a shape or a
 * comparison, that no value is handed back to), or unsupported, which is an error that says why.
 */
export type MirrorEntry = MirrorRule | "none" | { readonly unsupported: string };

/** Does this input of a step vary with the sample, as a number does? Shapes and comparisons do not count. */
export function varies(step: NetworkStep, index: number): boolean {
  const input = step.inputs[index];
  return input !== undefined && step.fromSample[index] && input.constant === undefined && isFloating(input.type);
}

/** Positions of the inputs that vary with the sample. */
export function varyingInputs(step: NetworkStep): number[] {
  return step.inputs.flatMap((_, index) => (varies(step, index) ? [index] : []));
}
