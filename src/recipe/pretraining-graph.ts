/** The training graph of the method: G = mirror after F, D, and a task for F, one step of all of them. */
import { gradients } from "../autodiff/gradients.js";
import { userError } from "../errors.js";
import type { Value } from "../graph/builder.js";
import { mirror } from "../mirror/mirror.js";
import type { Emitter } from "../ops/emitter.js";
import { type Instance, instantiate } from "../ops/instantiate.js";
import type { ParameterSpec } from "../ops/parameter.js";
import { type Game, gameStep } from "./adversarial-game.js";
import { crossEntropy } from "./cross-entropy.js";
import type { Discriminator } from "./discriminator.js";
import type { FeatureExtractor } from "./feature-extractor.js";
import { feedNames } from "./feed-names.js";
import { joined, smallTogether } from "./joined-parameters.js";
import { normOf } from "./optimizers.js";
import { clustersLoss, contrastLoss, swappedValuesLoss, type TaskLoss, taskHead } from "./pretraining-tasks.js";
import { describesSamples, descriptions, type Recipe } from "./recipe.js";
import { type GraphStyle, type TrainingGraph, TrainingGraphBuilder } from "./training-graph.js";

/** The task that the recipe's "auto" became for this data. */
export type Task = "none" | "rotation" | "swapped-values" | "clusters";

export interface PretrainingPlan extends GraphStyle {
  readonly features: FeatureExtractor;
  readonly recipe: Recipe;
  readonly task: Task;
  readonly batchSize: number;
  /**
   * Needed where the recipe has samples described: how many of a batch are not turned, its first ones, and how many numbers
   * each description has.
   */
  readonly descriptions?: Readonly<Record<"upright" | (typeof descriptions)[number], number>>;
  /** Not needed where the adversarial weight is 0. */
  readonly discriminator?: Discriminator;
  readonly lastActivation: "none" | "sigmoid" | "tanh";
}

/** Number of classes of the rotation task: quarter turns. */
export const rotationClasses = 4;

/** What begins the names of the parameters that answer the descriptions. */
export const descriptionTasks = {
  orientations: "orientations",
  visualWords: "visual-words",
  topics: "topics",
} as const satisfies Record<(typeof descriptions)[number], string>;

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
  const { recipe, task, batchSize } = plan;
  const learning = new Learning(plan);
  const { build } = learning;
  const game = usesGenerator(recipe) || readsSamples(plan) ? learning.fromSamples() : undefined;
  const views = recipe.contrast.weight > 0 ? learning.fromViews() : undefined;
  if (task === "rotation") learning.fromTurns(views);
  const played = game && gameStep(build, plan, game);
  if (played) learning.add(played.loss, recipe.adversarial.weight);

  const next = optimizeFeatures(build, plan, learning.losses, played?.updated);
  for (const [name, value] of learning.runningStatistics) build.replace(name, value);
  if (recipe.movingAverage > 0)
    for (const { spec, owner, value } of build.trainable(["features"]))
      build.average(owner, spec, next.get(spec.name) ?? value, recipe.movingAverage);
  return build.build("pretraining", batchSize);
}

/** Whether F learns from the samples themselves, as G does. */
function readsSamples({ task, recipe }: PretrainingPlan): boolean {
  return task === "swapped-values" || task === "clusters" || (task === "none" && describesSamples(recipe));
}

/** F on what the recipe gives it, and the losses by which it learns from that. */
class Learning {
  readonly build: TrainingGraphBuilder;
  /** Each times its weight. */
  readonly losses: Value[] = [];
  readonly #plan: PretrainingPlan;
  readonly #specs: ReadonlyMap<string, ParameterSpec>;
  /** F as it was written first: its running statistics are those that stay. */
  #first: Instance | undefined;

  constructor(plan: PretrainingPlan) {
    const { features } = plan;
    this.#plan = plan;
    this.build = new TrainingGraphBuilder(plan);
    this.build.emit.reserve(features.network.parameters.keys());
    this.#specs = new Map(features.parameters.map((spec) => [spec.name, spec]));
  }

  get runningStatistics(): Instance["runningStatistics"] {
    return this.#first?.runningStatistics ?? new Map();
  }

  add(loss: Value, weight: number): void {
    this.losses.push(this.build.emit.scale(loss, weight));
  }

  /** The game's and the reconstruction's G, and the tasks of samples. @returns what D is to tell apart, where there is a game */
  fromSamples(): Game | undefined {
    const { build } = this;
    const { recipe, task, batchSize } = this.#plan;
    // The task needs the whole batch; G and D may make do with fewer samples.
    const count = readsSamples(this.#plan) ? batchSize : Math.min(recipe.generatorBatchSize ?? batchSize, batchSize);
    const samples = build.feed(feedNames.samples, this.#shapeOf(count));
    const seen =
      recipe.corruption.kind === "none" && task !== "swapped-values"
        ? samples
        : build.feed(feedNames.corrupted, this.#shapeOf(count));
    const instance = this.#extract(seen, "features");
    const generated = usesGenerator(recipe) ? this.#generate(instance, samples) : undefined;
    this.#learnFromCode(instance.targets[0]);
    return generated && recipe.adversarial.weight > 0 ? { samples, generated } : undefined;
  }

  /** The contrast task. @returns F's features of both views */
  fromViews(): Value {
    const { build } = this;
    const { recipe, batchSize } = this.#plan;
    const views = [feedNames.firstView, feedNames.secondView].map((name) => build.feed(name, this.#shapeOf(batchSize)));
    const features = this.#extract(build.emit.concat(views, 0), "features-views").targets[0];
    this.#learn("contrast", recipe.contrast.weight, contrastLoss(build, features, recipe.contrast));
    return features;
  }

  /**
   * The rotation task, and the directions of edges beside it.
   *
   * @param views F's features of both views, where there are some: these are turned themselves, both alike, so that one pass
   *   through F serves both tasks
   */
  fromTurns(views: Value | undefined): void {
    const { build } = this;
    const { recipe, batchSize } = this.#plan;
    const turns = build.feed(feedNames.turns, [batchSize, rotationClasses]);
    const turned =
      views ?? this.#extract(build.feed(feedNames.rotated, this.#shapeOf(batchSize)), "features-rotated").targets[0];
    const logits = taskHead(build, turned, rotationClasses, "task", recipe.selfSupervision.hidden);
    const targets = views ? build.emit.concat([turns, turns], 0) : turns;
    this.#learn("task", recipe.selfSupervision.weight, crossEntropy(build.emit, logits, targets));
    this.#learnDescriptions(turned);
  }

  /** G(x) from F's features of x, and how near it is to x. */
  #generate(instance: Instance, samples: Value): Value {
    const { build } = this;
    const { features, recipe, lastActivation } = this.#plan;
    const mirrored = build.emit.scope("mirror", () =>
      mirror({
        emit: build.emit,
        instance,
        code: instance.targets[0],
        feature: features.feature,
        normalization: "batch",
        tied: recipe.mirror.tied,
        parameter: (spec) => build.parameter("mirror", spec),
        lastActivation,
      }),
    );
    const generated = mirrored.output;
    for (const [name, value] of mirrored.runningStatistics) build.replace(name, value);
    build.view("generated", generated);
    measureLikeness(build, samples, generated);
    if (recipe.reconstruction.weight > 0) {
      const error = reconstructionError(build.emit, recipe.reconstruction.loss, samples, generated);
      build.metric("reconstruction", error);
      this.add(error, recipe.reconstruction.weight);
    }
    return generated;
  }

  /** The task of samples, if there is one, from F's features. */
  #learnFromCode(code: Value): void {
    const { build } = this;
    const { recipe, task, batchSize } = this.#plan;
    const { weight, hidden, clusters, groupings } = recipe.selfSupervision;
    if (task === "swapped-values") {
      const swapped = build.feed(feedNames.swapped, this.#shapeOf(batchSize));
      this.#learn("task", weight, swappedValuesLoss(build, code, swapped, hidden));
    }
    if (task === "clusters") {
      const groups = build.feed(feedNames.clusters, [batchSize * groupings, clusters]);
      this.#learn("task", weight, clustersLoss(build, code, groups, hidden));
    }
    if (task !== "rotation") this.#learnDescriptions(code);
  }

  /** Directions of edges, visual words, topics. @param features of a batch, whose first samples are not turned */
  #learnDescriptions(features: Value): void {
    const { build } = this;
    const { recipe, descriptions: sizes } = this.#plan;
    if (!describesSamples(recipe)) return;
    if (!sizes) throw new Error("a recipe that has samples described needs the numbers for it");
    const upright = build.emit.slice(features, [{ axis: 0, start: 0, end: sizes.upright }]);
    for (const key of descriptions) {
      const { weight } = recipe[key];
      if (weight === 0) continue;
      const told = taskHead(build, upright, sizes[key], descriptionTasks[key], 0);
      const wanted = build.feed(feedNames[key], told.shape);
      const error = reconstructionError(build.emit, "l2", wanted, told);
      build.metric(`${descriptionTasks[key]}/loss`, error);
      this.add(error, weight);
    }
  }

  #learn(name: string, weight: number, { loss, accuracy }: TaskLoss): void {
    this.build.metric(`${name}/loss`, loss);
    this.build.metric(`${name}/accuracy`, accuracy);
    this.add(loss, weight);
  }

  /** F on a batch. */
  #extract(input: Value, scope: string): Instance {
    const { emit } = this.build;
    const { network, feature } = this.#plan.features;
    const instance = emit.scope(scope, () =>
      instantiate({
        emit,
        network,
        input,
        targets: [feature],
        parameter: (name) => this.#parameter(name),
        normalization: "batch",
      }),
    );
    const { shape } = instance.targets[0];
    if (shape[0] !== input.shape[0])
      throw userError({
        where: `${network.where}: feature tensor "${feature}"`,
        required: "features whose first axis counts the samples",
        got: `[${shape.join(", ")}] for a batch of ${input.shape[0]}`,
        advice: "Choose another tensor with --features",
      });
    this.#first ??= instance;
    return instance;
  }

  #parameter(name: string): Value {
    const spec = this.#specs.get(name);
    if (!spec) throw new Error(`${name} is not a parameter of F`);
    return this.build.parameter("features", spec);
  }

  #shapeOf(samples: number): number[] {
    return [samples, ...this.#plan.features.network.sampleShape];
  }
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
