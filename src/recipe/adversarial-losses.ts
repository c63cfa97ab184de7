/** The losses of the game between G and D, from D's logits. */
import { gradients } from "../autodiff/gradients.js";
import type { Value } from "../graph/builder.js";
import type { Emitter } from "../ops/emitter.js";
import type { Recipe } from "./recipe.js";

type LossName = Recipe["adversarial"]["loss"];

/** D's loss and G's loss from logits of shape [batch, 1]; row i of both belongs to the same real sample. */
interface AdversarialLoss {
  readonly discriminator: (emit: Emitter, real: Value, fake: Value) => Value;
  readonly generator: (emit: Emitter, real: Value, fake: Value) => Value;
}

const mean = (emit: Emitter, value: Value): Value => emit.reduceMean(value);
/** −log σ(logit), without overflow. */
const believesReal = (emit: Emitter, logit: Value): Value => emit.softplus(emit.negate(logit));
/** −log(1 − σ(logit)). */
const believesFake = (emit: Emitter, logit: Value): Value => emit.softplus(logit);
const crossEntropy = (emit: Emitter, real: Value, fake: Value): Value =>
  emit.add(mean(emit, believesReal(emit, real)), mean(emit, believesFake(emit, fake)));

const losses: Record<LossName, AdversarialLoss> = {
  // min over G, max over D of E log D(x) + E log(1 − D(G(x))) (the paper's; Goodfellow et al., 2014, equation 1)
  minimax: {
    discriminator: crossEntropy,
    generator: (emit, _, fake) => emit.negate(mean(emit, believesFake(emit, fake))),
  },
  // G maximises E log D(G(x)) instead (Goodfellow et al., 2014, section 3)
  "non-saturating": {
    discriminator: crossEntropy,
    generator: (emit, _, fake) => mean(emit, believesReal(emit, fake)),
  },
  // ½ E(D(x) − 1)² + ½ E D(G(x))²; ½ E(D(G(x)) − 1)² (Mao et al., 2017, equation 9)
  "least-squares": {
    discriminator: (emit, real, fake) =>
      emit.scale(emit.add(mean(emit, emit.square(emit.shift(real, -1))), mean(emit, emit.square(fake))), 0.5),
    generator: (emit, _, fake) => emit.scale(mean(emit, emit.square(emit.shift(fake, -1))), 0.5),
  },
  // E max(0, 1 − D(x)) + E max(0, 1 + D(G(x))); −E D(G(x)) (Lim and Ye, 2017)
  hinge: {
    discriminator: (emit, real, fake) =>
      emit.add(mean(emit, emit.relu(emit.subtract(emit.scalar(1), real))), mean(emit, emit.relu(emit.shift(fake, 1)))),
    generator: (emit, _, fake) => emit.negate(mean(emit, fake)),
  },
  // E D(G(x)) − E D(x); −E D(G(x)) (Arjovsky et al., 2017)
  wasserstein: {
    discriminator: (emit, real, fake) => emit.subtract(mean(emit, fake), mean(emit, real)),
    generator: (emit, _, fake) => emit.negate(mean(emit, fake)),
  },
  // E softplus(D(G(x)) − D(x)) over pairs, and the reverse (Jolicoeur-Martineau, 2018; Huang et al., 2024)
  relativistic: {
    discriminator: (emit, real, fake) => mean(emit, believesFake(emit, emit.subtract(fake, real))),
    generator: (emit, real, fake) => mean(emit, believesFake(emit, emit.subtract(real, fake))),
  },
};

/** The loss that D minimises, without penalties. */
export function discriminatorLoss(emit: Emitter, loss: LossName, real: Value, fake: Value): Value {
  return losses[loss].discriminator(emit, real, fake);
}

/** The loss that G minimises. Only the relativistic one depends on the real logits. */
export function generatorLoss(emit: Emitter, loss: LossName, real: Value, fake: Value): Value {
  return losses[loss].generator(emit, real, fake);
}

/**
 * γ/2 · E‖∇D(x)‖² (R1 on real samples, R2 on generated ones; Mescheder et al., 2018, equation 9).
 *
 * @param samples [batch, ...] from which the logits were computed
 * @param logits [batch, 1]; each row must depend on its own sample only
 */
export function zeroCenteredPenalty(emit: Emitter, samples: Value, logits: Value, gamma: number): Value {
  const [slope] = gradients(emit, [{ value: logits }], [samples]);
  if (!slope) return emit.scalar(0);
  return emit.scale(emit.reduceSum(emit.square(slope)), gamma / (2 * samples.shape[0]));
}

/** λ · E(‖∇D(x̂)‖ − 1)² (Gulrajani et al., 2017, equation 3), x̂ being the given samples between real and generated. */
export function oneCenteredPenalty(emit: Emitter, samples: Value, logits: Value, lambda: number): Value {
  const [slope] = gradients(emit, [{ value: logits }], [samples]);
  if (!slope) return emit.scalar(0);
  const axes = samples.shape.map((_, axis) => axis).slice(1);
  const norm = emit.squareRoot(emit.shift(emit.reduceSum(emit.square(slope), axes), 1e-12));
  return emit.scale(emit.reduceMean(emit.square(emit.shift(norm, -1))), lambda);
}
