/** The training graph of the supervised network, F and head, and graphs that only look. */
import { gradients } from "../autodiff/gradients.js";
import { userError } from "../errors.js";
import type { Value } from "../graph/builder.js";
import type { Dimension, Graph } from "../graph/graph.js";
import { Emitter } from "../ops/emitter.js";
import { type Instance, instantiate, parameterInputs } from "../ops/instantiate.js";
import type { Network } from "../ops/network.js";
import { crossEntropy } from "./cross-entropy.js";
import { type FeatureExtractor, otherInputs } from "./feature-extractor.js";
import type { OptimizerSettings } from "./recipe.js";
import { type GraphStyle, type TrainingGraph, TrainingGraphBuilder } from "./training-graph.js";

/** samples: [batch, ...sample shape]; targets: as the loss has them, see {@link SupervisedLoss}. */
export const supervisedFeedNames = { samples: "samples", targets: "targets" } as const;

/**
 * cross-entropy: targets are one-hot rows, of two classes where the network has a single output (whose sigmoid is then
 * the second class's probability, so that this is the binary cross-entropy); squared-error: numbers of the output's shape.
 */
export type SupervisedLoss = "cross-entropy" | "squared-error";

export interface SupervisedPlan extends GraphStyle {
  readonly features: FeatureExtractor;
  readonly loss: SupervisedLoss;
  readonly optimizer: OptimizerSettings;
  readonly batchSize: number;
  readonly gradientClip?: number;
}

/** Operators that hand their input on in another shape at most. */
const passing = ["Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten"];
/** Operators whose results cannot be just any number. */
const bounding = ["Sigmoid", "HardSigmoid", "Tanh", "Softsign", "Relu", "Softplus", "Clip", "Exp", "Softmax"];

/**
 * The tensor that the loss is computed from. For the cross-entropy its rows are class scores: a final Softmax, or the
 * Sigmoid of a single output, is left out, since the loss has one of its own. For the squared error it is the output.
 *
 * @throws UserError where the network has several outputs
 */
export function logitsName(network: Network, loss: SupervisedLoss = "cross-entropy"): string {
  if (network.graph.outputs.length !== 1)
    throw userError({
      where: network.where,
      required: "a network with one output",
      got: network.graph.outputs.map(({ name }) => name).join(", "),
      advice: "Export the model with its class scores as the only output.",
    });
  const output = network.graph.outputs[0].name;
  if (loss === "squared-error") return output;
  const before = behind(network, output, ["Softmax", "LogSoftmax", "Identity"]);
  const inner = network.producers.get(behind(network, before, passing));
  return inner?.op === "Sigmoid" && widthOf(network, before) === 1 ? inner.inputs[0] : before;
}

/** The tensor from which a value comes by nothing but these operators. */
function behind(network: Network, name: string, operators: readonly string[]): string {
  const producer = network.producers.get(name);
  return producer && operators.includes(producer.op) ? behind(network, producer.inputs[0], operators) : name;
}

/** Whether the network's output can be any number, as it can behind a linear layer. */
export function unboundedOutput(network: Network): boolean {
  const last = network.producers.get(behind(network, network.graph.outputs[0].name, passing));
  return last === undefined || !bounding.includes(last.op);
}

/** One supervised step of the whole network: loss, gradients, optimiser. Metrics: loss, accuracy, gradient-norm. */
export function supervisedGraph(plan: SupervisedPlan): TrainingGraph {
  const { features, batchSize } = plan;
  const { network } = features;
  const build = new TrainingGraphBuilder(plan);
  const { emit } = build;
  const samples = build.feed(supervisedFeedNames.samples, [batchSize, ...network.sampleShape]);
  const instance = wholeNetwork(build, features, samples, plan.loss);
  const logits = plan.loss === "cross-entropy" ? classScores(emit, network, instance) : rows(emit, network, instance);
  const targets = build.feed(supervisedFeedNames.targets, logits.shape);
  let loss: Value;
  if (plan.loss === "cross-entropy") {
    const measured = crossEntropy(emit, logits, targets);
    loss = measured.loss;
    build.metric("accuracy", measured.accuracy);
  } else {
    loss = emit.reduceMean(emit.square(emit.subtract(logits, targets)));
  }
  descend(build, "supervised", plan.optimizer, loss, instance, plan.gradientClip);
  return build.build("supervised", batchSize);
}

/** F and head on a batch, with the parameters of the graph under construction. */
export function wholeNetwork(
  build: TrainingGraphBuilder,
  { network, parameters }: FeatureExtractor,
  input: Value,
  loss: SupervisedLoss,
): Instance {
  const inF = new Set(parameters.map(({ name }) => name));
  return instantiate({
    emit: build.emit,
    network,
    input,
    targets: [logitsName(network, loss)],
    parameter: (name) => {
      const spec = network.parameters.get(name);
      if (!spec) throw new Error(`${name} is not a parameter`);
      return build.parameter(inF.has(name) ? "features" : "head", spec);
    },
    normalization: "batch",
  });
}

/**
 * An optimiser's step of F and head down a loss. Running statistics become those of the instance. Metrics: loss,
 * gradient-norm.
 */
export function descend(
  build: TrainingGraphBuilder,
  prefix: string,
  optimizer: OptimizerSettings,
  loss: Value,
  { runningStatistics }: Instance,
  gradientClip = 0,
): void {
  build.metric("loss", loss);
  const trainable = build.trainable(["features", "head"]);
  const slopes = gradients(
    build.emit,
    [{ value: loss }],
    trainable.map(({ value }) => value),
  );
  const { norm } = build.optimize(prefix, optimizer, trainable, slopes, gradientClip);
  build.metric("gradient-norm", norm);
  for (const [name, value] of runningStatistics) build.replace(name, value);
}

/** The network's outputs as [batch, width]. */
function rows(emit: Emitter, network: Network, instance: Instance): Value {
  const logits = instance.targets[0];
  const batch = instance.input.shape[0];
  const flat = logits.shape[0] === batch && logits.shape.slice(2).every((size) => size === 1);
  if (!flat)
    throw userError({
      where: `${network.where}: output ${network.graph.outputs[0].name}`,
      required: "one row of numbers for each sample, [batch, classes]",
      got: `[${logits.shape.join(", ")}]`,
      advice: "Export the model with its class scores, or the numbers it predicts, as the output.",
    });
  return emit.reshape(logits, [batch, logits.shape[1] ?? 1]);
}

/** The scores of the classes, [batch, classes]; of a single output's two classes the first has the score 0. */
export function classScores(emit: Emitter, network: Network, instance: Instance): Value {
  const outputs = rows(emit, network, instance);
  return outputs.shape[1] === 1 ? emit.concat([emit.filled(0, outputs.shape), outputs], 1) : outputs;
}

/**
 * Number of class scores (or regression outputs) of a network.
 *
 * @throws UserError where it takes other inputs than the samples, or has no row of numbers for each of them
 */
export function outputSize(network: Network): number {
  const name = logitsName(network);
  const others = otherInputs(network);
  if (others.length > 0)
    throw userError({
      where: network.where,
      required: "a network that needs the samples alone, as it is trained as a whole here",
      got: `the input${others.length > 1 ? "s" : ""} ${others.join(", ")} beside ${network.input.name}`,
      advice: "headstart init takes it.",
    });
  const shape = shapeOf(network, name);
  if (shape.slice(2).some((size) => size !== 1))
    throw userError({
      where: `${network.where}: output ${network.graph.outputs[0].name}`,
      required: "one row of numbers for each sample, [batch, classes], as labels are classes or numbers here",
      got: `[batch, ${shape.slice(1).join(", ")}]`,
      advice: "headstart init takes networks with other outputs, too.",
    });
  return Number(shape[1] ?? 1);
}

function widthOf(network: Network, name: string): number {
  return Number(shapeOf(network, name)[1] ?? 1);
}

/** The shape of a value for two samples. */
function shapeOf(network: Network, name: string): readonly Dimension[] {
  const [output] = lookingGraph(network, [name], 2).outputs;
  return output.shape ?? [];
}

/** Moves the batch, where it is another axis than the first, to the front. */
function samplesFirst(emit: Emitter, value: Value, batch: number): Value {
  if (batch <= 0) return value;
  return emit.transpose(value, [batch, ...value.shape.map((_, axis) => axis).filter((axis) => axis !== batch)]);
}

/**
 * The axis of the batch in each value, where a network computes with another axis first (tokens, say): the one that
 * grows with the batch, as another one may be just as long. −1 where none can be told.
 */
function batchAxes(
  network: Network,
  targets: readonly string[],
  values: readonly Value[],
  batchSize: number,
  normalization: "batch" | "running",
): readonly number[] {
  const candidates = values.map(({ shape }) => shape.flatMap((size, axis) => (size === batchSize ? [axis] : [])));
  // The usual case, which is to cost nothing.
  if (candidates.every(([first = 0]) => first === 0)) return values.map(() => -1);
  // A file for this very batch may not be fitted to another one: the only axis of its size is it then.
  if (network.fixedBatch === batchSize) return candidates.map((axes) => (axes.length === 1 ? axes[0] : -1));
  const emit = new Emitter();
  const other = instantiate({
    emit,
    network,
    input: emit.input(supervisedFeedNames.samples, "float32", [2 * batchSize, ...network.sampleShape]),
    targets,
    parameter: parameterInputs(emit, network),
    normalization,
  });
  return candidates.map((axes, index) => {
    const grows = axes.filter((axis) => other.targets[index].shape[axis] === 2 * batchSize);
    return grows.length === 1 ? grows[0] : -1;
  });
}

/**
 * A graph that computes some of a network's values on a batch, without training: for features, class scores and
 * activation statistics. Its inputs are `samples` and every parameter it needs, by name; its outputs are called
 * `value/` and the value's name, and begin with the batch where the network has it as an axis of its own.
 *
 * @param normalization batch statistics or running ones
 */
export function lookingGraph(
  network: Network,
  targets: readonly string[],
  batchSize: number,
  emit: Emitter = new Emitter(),
  normalization: "batch" | "running" = "running",
): Graph {
  const instance = instantiate({
    emit,
    network,
    input: emit.input(supervisedFeedNames.samples, "float32", [batchSize, ...network.sampleShape]),
    targets,
    parameter: parameterInputs(emit, network),
    normalization,
  });
  const axes = batchAxes(network, targets, instance.targets, batchSize, normalization);
  targets.forEach((target, index) => {
    emit.output(`value/${target}`, samplesFirst(emit, instance.targets[index], axes[index]));
  });
  return emit.build("looking");
}
