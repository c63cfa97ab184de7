/** Optimisers, emitted into the training graph: new parameters and new state as values. */
import type { Value } from "../graph/builder.js";
import type { Emitter } from "../ops/emitter.js";
import type { OptimizerSettings } from "./recipe.js";

/** Scalars that change from step to step and are fed: see {@link optimizerScalars}. */
export interface OptimizerScalars {
  readonly learningRate: Value;
  /** 1 − β₁ᵗ and 1 − β₂ᵗ of Adam's bias correction. */
  readonly firstCorrection: Value;
  readonly secondCorrection: Value;
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
export function optimizerStep(
  emit: Emitter,
  settings: OptimizerSettings,
  scalars: OptimizerScalars,
  parameter: Value,
  gradient: Value,
  slots: readonly Value[],
): { parameter: Value; slots: readonly Value[] } {
  const decays = settings.weightDecay > 0;
  const slope =
    decays && settings.kind !== "adamw" ? emit.add(gradient, emit.scale(parameter, settings.weightDecay)) : gradient;
  if (settings.kind === "sgd") {
    const [velocity] = slots;
    const moved = velocity ? emit.add(emit.scale(velocity, settings.momentum), slope) : slope;
    return {
      parameter: emit.subtract(parameter, emit.multiply(scalars.learningRate, moved)),
      slots: velocity ? [moved] : [],
    };
  }
  const first = emit.add(emit.scale(slots[0], settings.momentum), emit.scale(slope, 1 - settings.momentum));
  const second = emit.add(
    emit.scale(slots[1], settings.secondMoment),
    emit.scale(emit.square(slope), 1 - settings.secondMoment),
  );
  const correction = emit.squareRoot(scalars.secondCorrection);
  const deviation = emit.add(emit.squareRoot(second), emit.scale(correction, settings.epsilon));
  const rate = emit.divide(emit.multiply(scalars.learningRate, correction), scalars.firstCorrection);
  const step = emit.multiply(rate, emit.divide(first, deviation));
  const kept =
    decays && settings.kind === "adamw"
      ? emit.multiply(parameter, emit.subtract(emit.scalar(1), emit.scale(scalars.learningRate, settings.weightDecay)))
      : parameter;
  return { parameter: emit.subtract(kept, step), slots: [first, second] };
}

/**
 * Scales gradients so that the norm of all together is at most `limit` (Pascanu et al., 2013).
 *
 * @returns the gradients, and the norm that they had
 */
export function clipGradients(
  emit: Emitter,
  gradients: readonly Value[],
  limit: number,
): { gradients: readonly Value[]; norm: Value } {
  const norm = normOf(emit, gradients);
  if (limit <= 0) return { gradients, norm };
  const factor = emit.minimum(emit.scalar(1), emit.divide(emit.scalar(limit), emit.shift(norm, 1e-12)));
  return { gradients: gradients.map((gradient) => emit.multiply(gradient, factor)), norm };
}

/** The norm of all elements of all values together. */
export function normOf(emit: Emitter, values: readonly Value[]): Value {
  const squares = values.map((value) => emit.reduceSum(emit.square(value)));
  return emit.squareRoot(squares.length === 0 ? emit.scalar(0) : squares.reduce((a, b) => emit.add(a, b)));
}
