/** Emits a network into a graph under construction: on a batch of any size, with weights given as values. */
import { type UserError, userError } from "../errors.js";
import type { Value } from "../graph/builder.js";
import { type Attributes, attribute, firstOutput, isOfShapes, type Node } from "../graph/graph.js";
import { bfloat16ToNumber, float16ToNumber, floatTensor, isFloating, sizeOf, type Tensor } from "../graph/tensor.js";
import { unknownAttributes } from "./attribute-names.js";
import { Emitter } from "./emitter.js";
import { BatchFitter } from "./fit-batch.js";
import { ancestors, type Network } from "./network.js";
import { batchNormalizationTraining, groupNormalizationOf } from "./normalizations.js";
import { floatAttribute, RuleError } from "./operator.js";
import { plainExport } from "./plain-export.js";
import { operatorOf } from "./table.js";
import { withoutIdleCeil } from "./window.js";

/** One node of the network as it was emitted. */
export interface NetworkStep {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  /** By input position: does it depend on the sample? */
  readonly fromSample: readonly boolean[];
  /** By input position: the parameter that arrives there, through views or not. */
  readonly parameters: readonly (string | undefined)[];
}

/** A network in a graph. */
export interface Instance {
  readonly input: Value;
  /** The targets asked for, in their order. */
  readonly targets: readonly Value[];
  /** All values by the network's own names. */
  readonly values: ReadonlyMap<string, Value>;
  readonly steps: readonly NetworkStep[];
  /** New running statistics by parameter name, where normalisation used the batch. */
  readonly runningStatistics: ReadonlyMap<string, Value>;
}

export interface InstantiateOptions {
  readonly emit: Emitter;
  readonly network: Network;
  /** A batch of samples: [batch, ...sample shape], float32. */
  readonly input: Value;
  /** Names of the values to compute. */
  readonly targets: readonly string[];
  /** The value that stands for a parameter; asked once a name. */
  readonly parameter: (name: string) => Value;
  /** BatchNormalization by the batch's statistics (training) or the running ones. */
  readonly normalization: "batch" | "running";
}

/** Parameters as inputs of the graph under their own names, for {@link InstantiateOptions.parameter}. */
export function parameterInputs(emit: Emitter, network: Network): (name: string) => Value {
  return (name) => {
    const spec = network.parameters.get(name);
    if (!spec) throw new Error(`${name} is not a parameter`);
    return emit.input(name, "float32", spec.shape);
  };
}

/**
 * Emits the nodes on which the targets depend.
 *
 * @throws UserError naming the node where an operator is unknown or its inputs do not fit
 */
export function instantiate(options: InstantiateOptions): Instance {
  const { network, input } = options;
  const writing = new Writing(options);
  for (const node of ancestors(network, options.targets)) if (node.op !== "Constant") writing.write(node);
  const targets = options.targets.map((name) => writing.target(name));
  const { values, steps, runningStatistics } = writing;
  return { input, targets, values, steps, runningStatistics };
}

/** A network on its way into a graph. */
class Writing {
  readonly values: Map<string, Value>;
  readonly steps: NetworkStep[] = [];
  readonly runningStatistics = new Map<string, Value>();
  readonly #options: InstantiateOptions;
  readonly #fromSample: Set<string>;
  /** The parameter that a value is, or is a view of. */
  readonly #parameterOf = new Map<string, string>();
  readonly #fitter: BatchFitter | undefined;

  constructor(options: InstantiateOptions) {
    const { emit, network, input } = options;
    emit.reserve(network.parameters.keys());
    this.#options = options;
    this.values = new Map([[network.input.name, asTaken(emit, network, input)]]);
    this.#fromSample = new Set([network.input.name]);
    this.#fitter = batchFitter(options);
  }

  write(node: Node): void {
    const { network, input } = this.#options;
    const given = node.inputs.map((name) => this.#lookUp(name));
    const fromSample = node.inputs.map((name) => this.#fromSample.has(name));
    const { inputs, outputs } = this.#emitted(node, given, fromSample);
    requireSize(network, node, outputs, input);
    this.#fitter?.pass({ node, inputs, fromSample }, outputs);
    const parameters = node.inputs.map((name) => this.#parameterOf.get(name));
    this.steps.push({ node, inputs, outputs, fromSample, parameters });
    node.outputs.forEach((name, index) => {
      if (name === "" || !outputs[index]) return;
      this.values.set(name, outputs[index]);
      // A shape depends on the sample's shape only, which is known.
      if (isOfShapes(node)) return;
      if (fromSample.some(Boolean)) this.#fromSample.add(name);
      else if (parameters[0] !== undefined) this.#parameterOf.set(name, parameters[0]);
    });
  }

  /** A value that was asked for. */
  target(name: string): Value {
    const { network, input } = this.#options;
    const value = this.#lookUp(name);
    if (!value) throw new Error(`no value named "${name}"`);
    if (this.#fromSample.has(name)) requireBatch(network, name, value, input);
    return value;
  }

  /** A node's outputs, and its inputs as they fit the batch. @throws UserError naming the node where they do not fit it */
  #emitted(
    node: Node,
    given: readonly (Value | undefined)[],
    fromSample: readonly boolean[],
  ): Pick<NetworkStep, "inputs" | "outputs"> {
    const { emit, network, normalization } = this.#options;
    const outputCount = node.outputs.reduce((count, name, index) => (name === "" ? count : index + 1), 1);
    try {
      if (node.op === "BatchNormalization" && normalization === "batch" && this.#learnsStatistics(node)) {
        const names = node.inputs.slice(3).map((name) => this.#parameterOf.get(name) ?? name);
        return { inputs: given, outputs: normalizeBatch(emit, node, given, names, this.runningStatistics) };
      }
      const inputs = this.#fitter?.fit({ node, inputs: given, fromSample }) ?? given;
      return { inputs, outputs: emitForInference(emit, node, inputs, outputCount) };
    } catch (error) {
      if (error instanceof RuleError) throw unfit(network, node, error);
      throw error;
    }
  }

  /** Frozen statistics stay in use, and those of a weight, which its standardisation computes. */
  #learnsStatistics(node: Node): boolean {
    return node.inputs.slice(3).some((name) => {
      const parameter = this.#parameterOf.get(name);
      return parameter !== undefined && this.#options.network.parameters.get(parameter)?.role === "statistic";
    });
  }

  #lookUp(name: string): Value | undefined {
    const { emit, network, parameter } = this.#options;
    if (name === "") return undefined;
    const known = this.values.get(name);
    if (known) return known;
    const tensor = network.tensors.get(name);
    if (!tensor) throw nowhere(network, name);
    const isParameter = network.parameters.has(name);
    const value = isParameter ? parameter(name) : emit.constant(singlePrecision(tensor));
    if (isParameter) this.#parameterOf.set(name, name);
    this.values.set(name, value);
    return value;
  }
}

/** Samples as the network takes them: tokens are integers there. */
function asTaken(emit: Emitter, { input, vocabulary }: Network, samples: Value): Value {
  return vocabulary === undefined ? samples : emit.cast(samples, input.type);
}

/** A value that nothing gives, or an input beside that of the samples. */
function nowhere({ graph, input, vocabulary, where }: Network, name: string): UserError {
  const isInput = graph.inputs.some((other) => other.name === name);
  return userError({
    where,
    required: isInput
      ? `values that depend on the input ${input.name} alone`
      : `a node or initializer that gives ${name}`,
    got: isInput ? `some that need the input ${name} too` : "none",
    advice: isInput
      ? `Choose an earlier feature tensor with --features, or the input with --input.${vocabulary === undefined ? "" : " What the tokens say themselves, such as a mask of padding (x != 0), can be computed of them inside the network."}`
      : "Check the model with onnx.checker.",
  });
}

/** What fits a network to the batch, where that has another size than the network was exported for. */
function batchFitter(options: InstantiateOptions): BatchFitter | undefined {
  const { emit, network, input } = options;
  const declared = network.fixedBatch;
  const [actual, ...sampleShape] = input.shape;
  if (declared === undefined || declared === actual) return undefined;
  const scratch = new Emitter();
  const { values } = instantiate({
    ...options,
    emit: scratch,
    input: scratch.input(input.name, input.type, [declared, ...sampleShape]),
    parameter: parameterInputs(scratch, network),
    normalization: "running",
  });
  const shapes = new Map([...values].map(([name, { shape }]) => [name, shape]));
  return new BatchFitter(emit, { declared, actual, shapes });
}

/** Where the size of a batch is written into more than shapes, as into places of a Gather, it cannot be fitted. */
function requireBatch({ where, fixedBatch }: Network, name: string, { shape }: Value, input: Value): void {
  const [batch] = input.shape;
  if (fixedBatch === undefined || batch === fixedBatch || shape[0] !== fixedBatch || shape.includes(batch)) return;
  throw userError({
    where: `${where}: tensor ${name}`,
    required: "a network that takes batches of any size",
    got: `[${shape.join(", ")}] for a batch of ${batch}, since the export has fixed the batch at ${fixedBatch}`,
    advice: `Export it with an open batch, in PyTorch ${plainExport}.`,
  });
}

/** More elements than this no value has that can be trained through: in float32 they take 8 GiB. */
const mostElements = 2 ** 31;

function requireSize({ where }: Network, node: Node, outputs: readonly Value[], input: Value): void {
  const largest = outputs.find(({ shape }) => sizeOf(shape) > mostElements);
  if (!largest) return;
  throw userError({
    where: `${where}: node ${node.name || node.outputs[0]} (${node.op})`,
    required: `values of at most ${mostElements} elements, which take 8 GiB`,
    got: `[${largest.shape.join(", ")}] for a batch of ${input.shape[0]}`,
    advice: "Take a smaller batch (--batch-size), or a network that makes no such value.",
  });
}

function unfit(network: Network, node: Node, error: RuleError): UserError {
  const known = operatorOf(node.op) !== undefined && node.domain === "";
  const obstacle = network.obstacles.get(firstOutput(node));
  return userError({
    where: `${network.where}: node ${node.name || node.outputs[0]} (${node.op})`,
    required: known ? "inputs that fit the operator" : "an operator that headstart can differentiate",
    got: known
      ? error.message
      : `${node.domain ? `${node.domain}.` : ""}${node.op}${obstacle === undefined ? "" : `: ${obstacle}`}`,
    advice: known
      ? 'Check the model with onnx.checker; if it was exported with a fixed batch size, export it with a dynamic one (in PyTorch: dynamic_shapes=({0: "batch"},) and a sample of two).'
      : "Choose an earlier feature tensor with --features, or export the model with standard operators.",
  });
}

/** Emits a node; where it was exported in training mode or has a later meaning, its counterpart for inference. */
function emitForInference(
  emit: Emitter,
  node: Node,
  inputs: readonly (Value | undefined)[],
  outputCount: number,
): readonly Value[] {
  // Without its ratio and its mode Dropout drops nothing.
  if (node.op === "Dropout") return emit.node(node.op, inputs.slice(0, 1), {}, outputCount);
  if (node.op === "GroupNormalization") return [groupNormalizationOf(emit, inputs, node.attributes)];
  const attributes = attributesForInference(node, inputs, outputCount);
  const outputs = emit.node(node.op, inputs, attributes, outputCount);
  // ONNX Runtime would refuse it. Of what has become a constant it sees nothing.
  const [unknown] = outputs[0].constant ? [] : unknownAttributes(node.op, attributes);
  if (unknown !== undefined) throw new RuleError(`${node.op}: ONNX gives it no attribute ${unknown}`);
  return outputs;
}

function attributesForInference(node: Node, inputs: readonly (Value | undefined)[], outputCount: number): Attributes {
  const attributes = singlePrecisionAttributes(node);
  if (node.op === "BatchNormalization") return { ...attributes, training_mode: attribute.int(0) };
  if (node.op === "MaxPool" || node.op === "AveragePool")
    return withoutIdleCeil({ op: node.op, inputs, attributes, outputCount });
  return attributes;
}

function normalizeBatch(
  emit: Emitter,
  node: Node,
  inputs: readonly (Value | undefined)[],
  [meanName, varianceName]: readonly string[],
  runningStatistics: Map<string, Value>,
): readonly Value[] {
  const [x, scale, bias] = inputs;
  // A normalisation that is used again goes on from what its last use has made of them.
  const mean = runningStatistics.get(meanName) ?? inputs[3];
  const variance = runningStatistics.get(varianceName) ?? inputs[4];
  if (!x || !scale || !bias || !mean || !variance) throw new RuleError("BatchNormalization needs five inputs");
  const normalized = batchNormalizationTraining(emit, x, scale, bias, mean, variance, {
    epsilon: floatAttribute(node, "epsilon", 1e-5),
    momentum: floatAttribute(node, "momentum", 0.9),
  });
  runningStatistics.set(meanName, normalized.runningMean);
  runningStatistics.set(varianceName, normalized.runningVariance);
  return [normalized.output];
}

/** Everything that is trained is float32; models in other precisions get their own type back when written. */
export function singlePrecision(tensor: Tensor): Tensor {
  if (!isFloating(tensor.type) || tensor.type === "float32") return tensor;
  const data = tensor.data as Float64Array | Uint16Array;
  const decode =
    tensor.type === "float16"
      ? float16ToNumber
      : tensor.type === "bfloat16"
        ? bfloat16ToNumber
        : (value: number) => value;
  return floatTensor(Float32Array.from(data, decode), tensor.shape);
}

function singlePrecisionAttributes(node: Node): Attributes {
  const to = node.op === "Cast" ? node.attributes.to : undefined;
  const isFloat = to?.kind === "int" && (to.value === 10 || to.value === 11 || to.value === 16);
  if (isFloat) return { ...node.attributes, to: attribute.int(1) };
  const value = node.attributes.value;
  if (value?.kind === "tensor") return { ...node.attributes, value: attribute.tensor(singlePrecision(value.value)) };
  return node.attributes;
}
