/** What a network gives for a sample: a row of class scores or numbers, or such scores at each position of a map. */
import { userError } from "../errors.js";
import type { Value } from "../graph/builder.js";
import type { Dimension, Node } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import type { Emitter } from "../ops/emitter.js";
import type { Instance } from "../ops/instantiate.js";
import type { Network } from "../ops/network.js";
import { intAttribute } from "../ops/operator.js";
import { otherInputs } from "./feature-extractor.js";
import { lookingGraph } from "./looking-graph.js";

/**
 * cross-entropy: targets are one-hot rows, of two classes where the network has a single output (whose sigmoid is then
 * the second class's probability, so that this is the binary cross-entropy); map-cross-entropy: the same at each position of a
 * map, where targets are class numbers, [batch, positions], negative where there is no class; squared-error: numbers of the
 * output's shape.
 */
export type SupervisedLoss = "cross-entropy" | "map-cross-entropy" | "squared-error";

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
  if (loss === "map-cross-entropy") return requireOutputMaps(network).logits;
  const inner = network.producers.get(behind(network, output, passing));
  if (inner && isSoftmax(inner) && isRow(shapeOf(network, inner.inputs[0])))
    return behind(network, inner.inputs[0], ["Identity"]);
  if (inner?.op === "Sigmoid" && widthOf(network, output) === 1) return inner.inputs[0];
  return behind(network, output, ["Identity"]);
}

function isSoftmax({ op }: Node): boolean {
  return op === "Softmax" || op === "LogSoftmax";
}

/** The axis of a Softmax, as its node has it; undefined for all else. */
function axisOf(node: Node | undefined): number | undefined {
  return node && isSoftmax(node) ? intAttribute(node, "axis", -1) : undefined;
}

/** Whether a shape with the batch in front is a row of numbers for each sample. */
function isRow(shape: readonly Dimension[]): boolean {
  return shape.length > 1 && shape.slice(2).every((size) => size === 1);
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

/** The network's outputs as [batch, width]. @throws UserError where they are none */
export function rows(emit: Emitter, network: Network, instance: Instance): Value {
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

/** @throws UserError where a network takes other inputs than the samples */
export function requireSamplesAlone(network: Network): void {
  const others = otherInputs(network);
  if (others.length > 0)
    throw userError({
      where: network.where,
      required: "a network that needs the samples alone, as it is trained as a whole here",
      got: `the input${others.length > 1 ? "s" : ""} ${others.join(", ")} beside ${network.input.name}`,
      advice: "headstart init takes it.",
    });
}

/**
 * Number of class scores (or regression outputs) of a network.
 *
 * @throws UserError where it has no row of numbers for each sample
 */
export function outputSize(network: Network): number {
  const name = logitsName(network);
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

/** Class scores at each position of a map, as segmentation networks give them. */
export interface OutputMaps {
  /** The tensor that has the scores, before a final Softmax, or the Sigmoid of a single score. */
  readonly logits: string;
  /** Scores at each position; 1 where a single one is for the second of two classes. */
  readonly scores: number;
  /** [height, width] or [length]; what a network flattens stays flattened. */
  readonly positions: readonly number[];
  /** The axis of the scores in {@link logits}, the first or the last behind the batch; undefined where a single one has none. */
  readonly axis: number | undefined;
}

/** How many classes they tell apart. */
export function classesOfMaps({ scores }: OutputMaps): number {
  return Math.max(2, scores);
}

/** Whether the scores lie behind the positions; else in front of them. */
export function haveScoresLast({ axis }: OutputMaps): boolean {
  return axis !== undefined && axis > 1;
}

/** The maps that a network's only output is; undefined where it gives a row for each sample, or something else. */
export function outputMaps(network: Network): OutputMaps | undefined {
  if (network.graph.outputs.length !== 1) return undefined;
  const [{ name: output }] = network.graph.outputs;
  const plain = behind(network, output, ["Identity"]);
  return boundedMaps(network, output) ?? mapsIn(network, plain, axisOf(network.producers.get(plain)));
}

/** The maps in front of a Softmax, or of the Sigmoid of a single score, whose results are only brought to another shape. */
function boundedMaps(network: Network, output: string): OutputMaps | undefined {
  const inner = network.producers.get(behind(network, output, [...passing, "Transpose"]));
  if (!inner) return undefined;
  const axis = axisOf(inner);
  if (axis === undefined && inner.op !== "Sigmoid") return undefined;
  const logits = behind(network, inner.inputs[0], ["Identity"]);
  const maps = mapsIn(network, logits, axis);
  if (!maps || (axis === undefined && maps.scores !== 1)) return undefined;
  return keepsPositions(network, output, inner.outputs[0], maps) ? maps : undefined;
}

/** Whether what leads from maps to the output leaves their positions in their order, wherever it puts the scores. */
function keepsPositions(network: Network, output: string, from: string, { axis }: OutputMaps): boolean {
  let name = output;
  for (let later = false; name !== from; ) {
    const node = network.producers.get(name);
    if (!node) return false;
    if (node.op === "Transpose") {
      const { perm } = node.attributes;
      const order = perm?.kind === "ints" ? perm.value.filter((each) => each !== axis) : [];
      // Of axes that were joined or parted in front of it nothing is known.
      if (later || order.some((each, at) => at > 0 && each < order[at - 1]) || order.length === 0) return false;
      later = true;
    }
    [name] = node.inputs;
  }
  return true;
}

/** @throws UserError where the network's output is none */
export function requireOutputMaps(network: Network): OutputMaps {
  const maps = outputMaps(network);
  if (maps) return maps;
  throw userError({
    where: network.where,
    required: "one output of class scores at each position, such as [batch, classes, height, width]",
    got: network.graph.outputs.map(({ name }) => name).join(", "),
    advice: "Export the model with its class scores as the only output.",
  });
}

/**
 * A value read as maps of scores. Which axis is that of the scores, a Softmax says; else positions are those of the samples
 * or in the same proportions, and of two ways to read it that are as good, it is the one with more positions.
 *
 * @param asked the axis that a Softmax has
 */
function mapsIn(network: Network, logits: string, asked?: number): OutputMaps | undefined {
  const [batch, ...shape] = shapeOf(network, logits).map(Number);
  if (batch !== 2 || shape.length < 2 || shape.length > 3) return undefined;
  const ofSamples = [network.sampleShape.slice(1), network.sampleShape.slice(0, -1)];
  const last = shape.length;
  // A single score needs no axis of its own.
  if (asked === undefined && likeness(shape, ofSamples) === 2)
    return { logits, scores: 1, positions: shape, axis: undefined };
  const askedAxis = asked !== undefined && asked < 0 ? asked + last + 1 : asked;
  // Scores lie in front of all positions or behind them, not between.
  const axes = [1, last].filter((axis) => askedAxis === undefined || axis === askedAxis);
  const ways = axes.map((axis) => {
    const positions = shape.filter((_, at) => at !== axis - 1);
    const maps = { logits, scores: shape[axis - 1], positions, axis };
    return { maps, like: likeness(positions, ofSamples), count: sizeOf(positions) };
  });
  // One axis of several elements may be a row of scores as well.
  const mayBeRow = shape.filter((length) => length > 1).length < 2;
  const [way] = ways
    .filter(({ like, count }) => (mayBeRow ? like === 2 : true) && count > 1)
    .sort((a, b) => b.like - a.like || b.count - a.count);
  return way?.maps;
}

/** 2 where positions are those of samples, 1 where they are in the same proportions, else 0. */
function likeness(positions: readonly number[], ofSamples: readonly (readonly number[])[]): number {
  const likes = ofSamples.map((own) => {
    if (own.length !== positions.length) return 0;
    if (own.every((length, axis) => length === positions[axis])) return 2;
    return own.every((length, axis) => length * positions[0] === own[0] * positions[axis]) ? 1 : 0;
  });
  return Math.max(...likes);
}

/** Scores of maps as [batch, classes, positions]; of a single score's two classes the first has the score 0. */
export function mapScores(emit: Emitter, maps: OutputMaps, logits: Value): Value {
  const { scores } = maps;
  const count = sizeOf(maps.positions);
  const [batch] = logits.shape;
  const ordered = haveScoresLast(maps)
    ? emit.transpose(emit.reshape(logits, [batch, count, scores]), [0, 2, 1])
    : emit.reshape(logits, [batch, scores, count]);
  return scores === 1 ? emit.concat([emit.filled(0, ordered.shape), ordered], 1) : ordered;
}
