/** The game between G and D in a training graph. */
import { gradients } from "../autodiff/gradients.js";
import type { Value } from "../graph/builder.js";
import type { ParameterSpec } from "../ops/parameter.js";
import { discriminatorLoss, generatorLoss, oneCenteredPenalty, zeroCenteredPenalty } from "./adversarial-losses.js";
import type { Discriminator } from "./discriminator.js";
import { feedNames } from "./feed-names.js";
import type { Recipe } from "./recipe.js";
import type { TrainingGraphBuilder } from "./training-graph.js";

/** What D is to tell apart. */
export interface Game {
  readonly samples: Value;
  readonly generated: Value;
}

/** Updates D, then gives G's loss against it, and D's updated parameters. */
export function gameStep(
  build: TrainingGraphBuilder,
  { recipe, discriminator }: { readonly recipe: Recipe; readonly discriminator?: Discriminator },
  { samples, generated }: Game,
): { loss: Value; updated: readonly Value[] } {
  if (!discriminator) throw new Error("an adversarial recipe needs a discriminator");
  const { emit } = build;
  const { loss: name, instanceNoise } = recipe.adversarial;
  const noise = (feed: string): Value => build.feed(feed, samples.shape);
  const real = instanceNoise > 0 ? emit.add(samples, noise(feedNames.realNoise)) : samples;
  const fake = instanceNoise > 0 ? emit.add(generated, noise(feedNames.fakeNoise)) : generated;
  const specs = new Map<string, ParameterSpec>(discriminator.parameters.map((spec) => [spec.name, spec]));
  const current = (parameterName: string): Value => {
    const spec = specs.get(parameterName);
    if (!spec) throw new Error(`${parameterName} is not a parameter of D`);
    return build.parameter("discriminator", spec);
  };
  const judge = (input: Value, scope: string, parameter = current): Value =>
    emit.scope(scope, () => discriminator.apply(emit, input, parameter));

  const realLogits = judge(real, "discriminator-real");
  const fakeLogits = judge(fake, "discriminator-fake");
  const loss = discriminatorLoss(emit, name, realLogits, fakeLogits);
  build.metric("discriminator/loss", loss);
  measureJudgement(build, name, realLogits, fakeLogits);
  const penalized = withPenalties(build, recipe, loss, { real, fake, realLogits, fakeLogits }, judge);
  const next = optimizeDiscriminator(build, recipe, penalized);

  const opponent =
    recipe.update === "alternating"
      ? (parameterName: string): Value => next.get(parameterName) ?? current(parameterName)
      : current;
  const judgedFake = judge(fake, "opponent-fake", opponent);
  const judgedReal = name === "relativistic" ? judge(real, "opponent-real", opponent) : realLogits;
  const result = generatorLoss(emit, name, judgedReal, judgedFake);
  build.metric("generator/adversarial-loss", result);
  return { loss: result, updated: [...next.values()] };
}

/** What D sees, and what it says of it. */
interface Judged {
  readonly real: Value;
  readonly fake: Value;
  readonly realLogits: Value;
  readonly fakeLogits: Value;
}

/** How often D is right. */
function measureJudgement(
  build: TrainingGraphBuilder,
  loss: Recipe["adversarial"]["loss"],
  realLogits: Value,
  fakeLogits: Value,
): void {
  const { emit } = build;
  // A relativistic D knows differences only: a logit is judged against the mean of the other kind.
  const bound = (others: Value): Value => (loss === "relativistic" ? emit.reduceMean(others) : emit.scalar(0));
  const share = (condition: Value): Value => emit.reduceMean(emit.indicator(condition));
  build.metric("discriminator/accuracy-real", share(emit.greater(realLogits, bound(fakeLogits))));
  build.metric("discriminator/accuracy-generated", share(emit.less(fakeLogits, bound(realLogits))));
  build.metric("discriminator/accuracy-pairs", share(emit.greater(realLogits, fakeLogits)));
}

/** D's loss with what it has besides, by the slope of D. */
function withPenalties(
  build: TrainingGraphBuilder,
  { adversarial: { r1, r2, gradientPenalty } }: Recipe,
  loss: Value,
  { real, fake, realLogits, fakeLogits }: Judged,
  judge: (input: Value, scope: string) => Value,
): Value {
  const { emit } = build;
  let sum = loss;
  if (r1 > 0) sum = emit.add(sum, zeroCenteredPenalty(emit, real, realLogits, r1));
  if (r2 > 0) sum = emit.add(sum, zeroCenteredPenalty(emit, fake, fakeLogits, r2));
  if (gradientPenalty === 0) return sum;
  const mixture = build.feed(
    feedNames.mixture,
    real.shape.map((size, axis) => (axis === 0 ? size : 1)),
  );
  const between = emit.add(fake, emit.multiply(mixture, emit.subtract(real, fake)));
  const logits = judge(between, "discriminator-between");
  return emit.add(sum, oneCenteredPenalty(emit, between, logits, gradientPenalty));
}

/** One step for D. @returns new values by parameter name */
function optimizeDiscriminator(build: TrainingGraphBuilder, recipe: Recipe, loss: Value): ReadonlyMap<string, Value> {
  const targets = build.trainable(["discriminator"]);
  const slopes = gradients(
    build.emit,
    [{ value: loss }],
    targets.map(({ value }) => value),
  );
  const { discriminatorOptimizer, gradientClip } = recipe;
  const { next, norm } = build.optimize("discriminator", discriminatorOptimizer, targets, slopes, gradientClip);
  build.metric("discriminator/gradient-norm", norm);
  return next;
}
