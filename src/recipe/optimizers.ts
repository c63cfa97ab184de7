/** Optimisers, emitted into the training graph: new parameters and new state as values. */
import type { Value } from "../graph/builder.js";
import type { Emitter } from "../ops/emitter.js";
import type { OptimizerSettings } from "./recipe.js";

/** What an optimiser's formula is written in: an {@link Emitter}, or whatever else computes with float32. */
export interface Arithmetic<Number> {
  scalar(value: number): Number;
  add(a: Number, b: Number): Number;
  subtract(a: Number, b: Number): Number;
  multiply(a: Number, b: Number): Number;
  divide(a: Number, b: Number): Number;
  squareRoot(a: Number): Number;
}

/** Scalars that change from step to step and are fed: see {@link optimizerScalars}. */
export interface OptimizerScalars<Number = Value> {
  readonly learningRate: Number;
  /** 1 − β₁ᵗ and 1 − β₂ᵗ of Adam's bias correction. */
  readonly firstCorrection: Number;
  readonly secondCorrection: Number;
}

/** What an optimiser keeps for one parameter, by name; all start as zeros of the parameter's shape. */
export function optimizerSlots(settings: OptimizerSettings): readonly string[] {
  if (settings.kind !== "sgd") return ["first-moment", "second-moment"];
  return settings.momentum > 0 ? ["velocity"] : [];
}

/** The numbers to feed at a step (counted from 1) for a learning rate. */
export function optimizerScalars(
  settings: OptimizerSettings,
  step: number,
  learningRate: number,
): readonly [number, number, number] {
  if (settings.kind === "sgd") return [learningRate, 1, 1];
  return [learningRate, 1 - settings.momentum ** step, 1 - settings.secondMoment ** step];
}

/**
 * One step of an optimiser for one parameter.
 *
 * - sgd: v ← μ v + g; θ ← θ − η v (Sutskever et al., 2013, in PyTorch's form)
 * - adam: m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; θ ← θ − η m̂ / (√v̂ + ε) (Kingma and Ba, 2015), computed as
 *   θ − (η √c₂ / c₁) m / (√v + ε √c₂) with the corrections c₁ and c₂, in numbers instead of tensors (there, section 2)
 * - adamw: the same with θ ← θ − η λ θ beside it (Loshchilov and Hutter, 2019)
 *
 * @param slots the state's current values, in the order of {@link optimizerSlots}
 * @returns the new parameter and the new state, in the same order
 */
export function optimizerStep<Number>(
  compute: Arithmetic<Number>,
  settings: OptimizerSettings,
  scalars: OptimizerScalars<Number>,
  parameter: Number,
  gradient: Number,
  slots: readonly Number[],
): { parameter: Number; slots: readonly Number[] } {
  const scale = (value: Number, factor: number): Number => compute.multiply(value, compute.scalar(factor));
  const decays = settings.weightDecay > 0;
  const slope =
    decays && settings.kind !== "adamw" ? compute.add(gradient, scale(parameter, settings.weightDecay)) : gradient;
  if (settings.kind === "sgd") {
    const velocity = slots.length > 0 ? compute.add(scale(slots[0], settings.momentum), slope) : undefined;
    return {
      parameter: compute.subtract(parameter, compute.multiply(scalars.learningRate, velocity ?? slope)),
      slots: velocity === undefined ? [] : [velocity],
    };
  }
  const first = compute.add(scale(slots[0], settings.momentum), scale(slope, 1 - settings.momentum));
  const second = compute.add(
    scale(slots[1], settings.secondMoment),
    scale(compute.multiply(slope, slope), 1 - settings.secondMoment),
  );
  const correction = compute.squareRoot(scalars.secondCorrection);
  const deviation = compute.add(compute.squareRoot(second), scale(correction, settings.epsilon));
  const rate = compute.divide(compute.multiply(scalars.learningRate, correction), scalars.firstCorrection);
  const step = compute.multiply(rate, compute.divide(first, deviation));
  const kept =
    decays && settings.kind === "adamw"
      ? compute.multiply(
          parameter,
          compute.subtract(compute.scalar(1), scale(scalars.learningRate, settings.weightDecay)),
        )
      : parameter;
  return { parameter: compute.subtract(kept, step), slots: [first, second] };
}

/**
 * Scales gradients so that the norm of all together is at most `limit` (Pascanu et al., 2013).
 *
 * @returns the gradients, the norm that they had, and what they were multiplied with where there is a limit
 */
export function clipGradients(
  emit: Emitter,
  gradients: readonly Value[],
  limit: number,
): { gradients: readonly Value[]; norm: Value; factor?: Value } {
  const norm = normOf(emit, gradients);
  if (limit <= 0) return { gradients, norm };
  const factor = emit.minimum(emit.scalar(1), emit.divide(emit.scalar(limit), emit.shift(norm, 1e-12)));
  return { gradients: gradients.map((gradient) => emit.multiply(gradient, factor)), norm, factor };
}

/** The norm of all elements of all values together. */
export function normOf(emit: Emitter, values: readonly Value[]): Value {
  const squares = values.map((value) => emit.reduceSum(emit.square(value)));
  return emit.squareRoot(squares.length === 0 ? emit.scalar(0) : squares.reduce((a, b) => emit.add(a, b)));
}
