/** The training graph of the method: G = mirror after F, D, and a task for F, one step of all of them. */
import { gradients } from "../autodiff/gradients.js";
import { userError } from "../errors.js";
import type { Value } from "../graph/builder.js";
import { mirror } from "../mirror/mirror.js";
import type { Emitter } from "../ops/emitter.js";
import { type Instance, instantiate } from "../ops/instantiate.js";
import type { ParameterSpec } from "../ops/parameter.js";
import { discriminatorLoss, generatorLoss, oneCenteredPenalty, zeroCenteredPenalty } from "./adversarial-losses.js";
import { crossEntropy } from "./cross-entropy.js";
import type { Discriminator } from "./discriminator.js";
import type { FeatureExtractor } from "./feature-extractor.js";
import { joined, smallTogether } from "./joined-parameters.js";
import { normOf } from "./optimizers.js";
import { clustersLoss, contrastLoss, swappedValuesLoss, type TaskLoss, taskHead } from "./pretraining-tasks.js";
import type { Recipe } from "./recipe.js";
import { type GraphStyle, type TrainingGraph, TrainingGraphBuilder } from "./training-graph.js";

/** The task that the recipe's "auto" became for this data. */
export type Task = "none" | "rotation" | "swapped-values" | "clusters";

export interface PretrainingPlan extends GraphStyle {
  readonly features: FeatureExtractor;
  readonly recipe: Recipe;
  readonly task: Task;
  readonly batchSize: number;
  /**
   * Needed where the recipe asks for directions of edges: how many pictures of a batch are not turned, its first ones, and
   * how many numbers describe each.
   */
  readonly orientations?: { readonly upright: number; readonly numbers: number };
  /** Not needed where the adversarial weight is 0. */
  readonly discriminator?: Discriminator;
  readonly lastActivation: "none" | "sigmoid" | "tanh";
}

/** Number of classes of the rotation task: quarter turns. */
export const rotationClasses = 4;

/** What begins the names of the parameters that answer the directions of edges. */
export const orientationsTask = "orientations";

/** Names of the tensors that the training loop feeds besides the optimisers' scalars. */
export const feedNames = {
  /** Real samples. */
  samples: "samples",
  /** What G and the tasks of samples see, where the recipe corrupts it. */
  corrupted: "corrupted",
  /** 1 where a value was swapped, else 0; the samples' shape. */
  swapped: "swapped",
  /** Turned samples for the rotation task where there are no views, and the turns of samples or views as one-hot rows. */
  rotated: "rotated",
  turns: "turns",
  /** The directions of edges of the samples that are not turned: [batch / turns, numbers]. */
  orientations: "orientations",
  /** Each sample's group in each grouping, as one-hot rows: [batch × groupings, groups]. */
  clusters: "clusters",
  /** Two views of the samples. */
  firstView: "view/first",
  secondView: "view/second",
  /** Instance noise for D, already scaled. */
  realNoise: "noise/real",
  fakeNoise: "noise/fake",
  /** Where between real and generated the gradient penalty is taken: [batch, 1, ...]. */
  mixture: "mixture",
} as const;

/** Does this recipe build G at all? */
export function usesGenerator(recipe: Recipe): boolean {
  return recipe.adversarial.weight > 0 || recipe.reconstruction.weight > 0;
}

/**
 * Emits one step of pretraining.
 *
 * Metrics: see the names in the code; all are means over the batch. Views: "generated", G(x), where there is a G.
 *
 * @throws UserError where F has an operator without gradient or mirror
 */
export function pretrainingGraph(plan: PretrainingPlan): TrainingGraph {
  const { features, recipe, task, batchSize } = plan;
  const build = new TrainingGraphBuilder(plan);
  const { emit } = build;
  emit.reserve(features.network.parameters.keys());
  const specs = new Map(features.parameters.map((spec) => [spec.name, spec]));
  const parameter = (name: string): Value => {
    const spec = specs.get(name);
    if (!spec) throw new Error(`${name} is not a parameter of F`);
    return build.parameter("features", spec);
  };
  const shapeOf = (samples: number): number[] => [samples, ...features.network.sampleShape];
  const sampleShape = shapeOf(batchSize);
  const extract = (input: Value, scope: string): Instance => {
    const instance = emit.scope(scope, () =>
      instantiate({
        emit,
        network: features.network,
        input,
        targets: [features.feature],
        parameter,
        normalization: "batch",
      }),
    );
    const { shape } = instance.targets[0];
    if (shape[0] !== input.shape[0])
      throw userError({
        where: `${features.network.where}: feature tensor "${features.feature}"`,
        required: "features whose first axis counts the samples",
        got: `[${shape.join(", ")}] for a batch of ${input.shape[0]}`,
        advice: "Choose another tensor with --features",
      });
    return instance;
  };

  const lossTerms: Value[] = [];
  const learn = (name: string, weight: number, { loss, accuracy }: TaskLoss): void => {
    build.metric(`${name}/loss`, loss);
    build.metric(`${name}/accuracy`, accuracy);
    lossTerms.push(emit.scale(loss, weight));
  };
  const { hidden } = recipe.selfSupervision;
  let statistics: Instance | undefined;
  let game: Game | undefined;
  let turned: Value | undefined;
  const isOfSamples = task === "swapped-values" || task === "clusters";
  if (usesGenerator(recipe) || isOfSamples) {
    // The task needs the whole batch; G and D may make do with fewer samples.
    const count = isOfSamples ? batchSize : Math.min(recipe.generatorBatchSize ?? batchSize, batchSize);
    const samples = build.feed(feedNames.samples, shapeOf(count));
    const seen =
      recipe.corruption.kind === "none" && task !== "swapped-values"
        ? samples
        : build.feed(feedNames.corrupted, shapeOf(count));
    const instance = extract(seen, "features");
    statistics = instance;
    const code = instance.targets[0];
    if (usesGenerator(recipe)) {
      const mirrored = emit.scope("mirror", () =>
        mirror({
          emit,
          instance,
          code,
          feature: features.feature,
          normalization: "batch",
          tied: recipe.mirror.tied,
          parameter: (spec) => build.parameter("mirror", spec),
          lastActivation: plan.lastActivation,
        }),
      );
      const generated = mirrored.output;
      for (const [name, value] of mirrored.runningStatistics) build.replace(name, value);
      build.view("generated", generated);
      measureLikeness(build, samples, generated);
      if (recipe.reconstruction.weight > 0) {
        const error = reconstructionError(emit, recipe.reconstruction.loss, samples, generated);
        build.metric("reconstruction", error);
        lossTerms.push(emit.scale(error, recipe.reconstruction.weight));
      }
      if (recipe.adversarial.weight > 0) game = { samples, generated };
    }
    if (task === "swapped-values")
      learn(
        "task",
        recipe.selfSupervision.weight,
        swappedValuesLoss(build, code, build.feed(feedNames.swapped, sampleShape), hidden),
      );
    if (task === "clusters") {
      const { clusters, groupings } = recipe.selfSupervision;
      const groups = build.feed(feedNames.clusters, [batchSize * groupings, clusters]);
      learn("task", recipe.selfSupervision.weight, clustersLoss(build, code, groups, hidden));
    }
  }
  if (recipe.contrast.weight > 0) {
    const views = [feedNames.firstView, feedNames.secondView].map((name) => build.feed(name, sampleShape));
    const instance = extract(emit.concat(views, 0), "features-views");
    statistics ??= instance;
    learn("contrast", recipe.contrast.weight, contrastLoss(build, instance.targets[0], recipe.contrast));
    turned = instance.targets[0];
  }
  if (task === "rotation") {
    const turns = build.feed(feedNames.turns, [batchSize, rotationClasses]);
    // Views are turned themselves, both alike, so that one pass through F serves both tasks.
    if (!turned) {
      const instance = extract(build.feed(feedNames.rotated, sampleShape), "features-rotated");
      statistics ??= instance;
      turned = instance.targets[0];
    }
    const logits = taskHead(build, turned, rotationClasses, "task", hidden);
    const targets = recipe.contrast.weight > 0 ? emit.concat([turns, turns], 0) : turns;
    learn("task", recipe.selfSupervision.weight, crossEntropy(emit, logits, targets));
    if (recipe.orientations.weight > 0) {
      if (!plan.orientations) throw new Error("a recipe with orientations needs their number");
      const upright = emit.slice(turned, [{ axis: 0, start: 0, end: plan.orientations.upright }]);
      const told = taskHead(build, upright, plan.orientations.numbers, orientationsTask, 0);
      const wanted = build.feed(feedNames.orientations, told.shape);
      const error = reconstructionError(emit, "l2", wanted, told);
      build.metric("orientations/loss", error);
      lossTerms.push(emit.scale(error, recipe.orientations.weight));
    }
  }
  const played = game && play(build, plan, game);
  if (played) lossTerms.push(emit.scale(played.loss, recipe.adversarial.weight));

  const next = optimizeFeatures(build, plan, lossTerms, played?.updated);
  for (const [name, value] of statistics?.runningStatistics ?? []) build.replace(name, value);
  if (recipe.movingAverage > 0)
    for (const { spec, owner, value } of build.trainable(["features"]))
      build.average(owner, spec, next.get(spec.name) ?? value, recipe.movingAverage);
  return build.build("pretraining", batchSize);
}

/** One step for F, the mirror and the tasks' layers down the sum of the losses. @returns new values by parameter name */
function optimizeFeatures(
  build: TrainingGraphBuilder,
  { features, recipe }: PretrainingPlan,
  losses: readonly Value[],
  updated: readonly Value[] | undefined,
): ReadonlyMap<string, Value> {
  const { emit } = build;
  const loss = losses.reduce((a, b) => emit.add(a, b));
  build.metric("generator/loss", loss);
  const targets = build.trainable(["features", "mirror", "task"]);
  // D as this step has updated it depends on G(x), but G takes it as it finds it.
  const slopes = gradients(
    emit,
    [{ value: loss }],
    targets.map(({ value }) => value),
    updated,
  );
  const featureSlopes = slopes.flatMap((value, index) =>
    value !== undefined && targets[index].owner === "features" ? [{ value, owner: "features" }] : [],
  );
  if (featureSlopes.length === 0)
    throw userError({
      where: `${features.network.where}: feature tensor "${features.feature}"`,
      required: "a loss that reaches F's weights",
      got: "none of its weights on the way to the loss",
      advice: "Choose another tensor with --features.",
    });
  // Joined as the optimiser joins them, so that it is the same nodes.
  const featureGroups = smallTogether(featureSlopes).map((group) =>
    joined(
      emit,
      group.map(({ value }) => value),
    ),
  );
  build.metric("features/gradient-norm", normOf(emit, featureGroups));
  const { next, norm } = build.optimize("generator", recipe.generatorOptimizer, targets, slopes, recipe.gradientClip);
  build.metric("generator/gradient-norm", norm);
  return next;
}

interface Game {
  readonly samples: Value;
  readonly generated: Value;
}

/** Updates D, then gives G's loss against it, and D's updated parameters. */
function play(
  build: TrainingGraphBuilder,
  plan: PretrainingPlan,
  { samples, generated }: Game,
): { loss: Value; updated: readonly Value[] } {
  const { recipe, discriminator } = plan;
  if (!discriminator) throw new Error("an adversarial recipe needs a discriminator");
  const { emit } = build;
  const { loss: name, r1, r2, gradientPenalty, instanceNoise } = recipe.adversarial;
  const noise = (feed: string): Value => build.feed(feed, samples.shape);
  const real = instanceNoise > 0 ? emit.add(samples, noise(feedNames.realNoise)) : samples;
  const fakeNoise = instanceNoise > 0 ? noise(feedNames.fakeNoise) : undefined;
  const fake = fakeNoise ? emit.add(generated, fakeNoise) : generated;
  const specs = new Map<string, ParameterSpec>(discriminator.parameters.map((spec) => [spec.name, spec]));
  const current = (parameterName: string): Value => {
    const spec = specs.get(parameterName);
    if (!spec) throw new Error(`${parameterName} is not a parameter of D`);
    return build.parameter("discriminator", spec);
  };
  const judge = (input: Value, scope: string, parameter: (parameterName: string) => Value): Value =>
    emit.scope(scope, () => discriminator.apply(emit, input, parameter));

  const realLogits = judge(real, "discriminator-real", current);
  const fakeLogits = judge(fake, "discriminator-fake", current);
  let loss = discriminatorLoss(emit, name, realLogits, fakeLogits);
  build.metric("discriminator/loss", loss);
  // A relativistic D knows differences only: a logit is judged against the mean of the other kind.
  const bound = (others: Value): Value => (name === "relativistic" ? emit.reduceMean(others) : emit.scalar(0));
  const share = (condition: Value): Value => emit.reduceMean(emit.indicator(condition));
  build.metric("discriminator/accuracy-real", share(emit.greater(realLogits, bound(fakeLogits))));
  build.metric("discriminator/accuracy-generated", share(emit.less(fakeLogits, bound(realLogits))));
  build.metric("discriminator/accuracy-pairs", share(emit.greater(realLogits, fakeLogits)));
  if (r1 > 0) loss = emit.add(loss, zeroCenteredPenalty(emit, real, realLogits, r1));
  if (r2 > 0) loss = emit.add(loss, zeroCenteredPenalty(emit, fake, fakeLogits, r2));
  if (gradientPenalty > 0) {
    const mixture = build.feed(
      feedNames.mixture,
      samples.shape.map((size, axis) => (axis === 0 ? size : 1)),
    );
    const between = emit.add(fake, emit.multiply(mixture, emit.subtract(real, fake)));
    loss = emit.add(
      loss,
      oneCenteredPenalty(emit, between, judge(between, "discriminator-between", current), gradientPenalty),
    );
  }
  const targets = build.trainable(["discriminator"]);
  const slopes = gradients(
    emit,
    [{ value: loss }],
    targets.map(({ value }) => value),
  );
  const { next, norm } = build.optimize(
    "discriminator",
    recipe.discriminatorOptimizer,
    targets,
    slopes,
    recipe.gradientClip,
  );
  build.metric("discriminator/gradient-norm", norm);

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

function reconstructionError(emit: Emitter, loss: "l2" | "l1", samples: Value, generated: Value): Value {
  const difference = emit.subtract(generated, samples);
  return emit.reduceMean(loss === "l2" ? emit.square(difference) : emit.absolute(difference));
}

/** How near G(x) is to its own x, and to another sample of the batch: mean squared errors. */
function measureLikeness(build: TrainingGraphBuilder, samples: Value, generated: Value): void {
  const { emit } = build;
  const batch = samples.shape[0];
  const others = emit.concat(
    [emit.slice(samples, [{ axis: 0, start: 1, end: batch }]), emit.slice(samples, [{ axis: 0, start: 0, end: 1 }])],
    0,
  );
  build.metric("likeness/own", reconstructionError(emit, "l2", samples, generated));
  build.metric("likeness/other", reconstructionError(emit, "l2", others, generated));
}
