/** The user's own network as the discriminator. */
import { userError } from "../errors.js";
import type { Value } from "../graph/builder.js";
import { sizeOf } from "../graph/tensor.js";
import { networkCost } from "../ops/cost.js";
import { Emitter, sameShape } from "../ops/emitter.js";
import { type Instance, instantiate, singlePrecision } from "../ops/instantiate.js";
import type { Network } from "../ops/network.js";
import type { ParameterSpec } from "../ops/parameter.js";
import type { Discriminator } from "./discriminator.js";

/** Operators behind the last Sigmoid that change no number. */
const views = new Set(["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast"]);

/**
 * Takes a network with one output a sample as D. Its weights are where D starts. A final Sigmoid is left out, since the
 * losses take logits. Batch normalisation uses the file's running statistics, so that each sample is judged by itself.
 *
 * @param network analysed as any model is
 * @param sampleShape shape of one sample of the data
 * @throws UserError where input or output do not fit
 */
export function discriminatorFromNetwork(network: Network, sampleShape: readonly number[]): Discriminator {
  const { where } = network;
  requireFit(network, sampleShape);
  const [output] = network.graph.outputs;
  const { target, notes } = logitOf(network, output.name);
  const emitOn = emitterOf(network, target);

  // A scratch copy on two samples tells what is used, and whether the output goes by sample.
  const scratch = new Emitter();
  const used = new Map<string, ParameterSpec>();
  const batch = network.fixedBatch === 1 ? 1 : 2;
  const samples = scratch.input("samples", "float32", [batch, ...sampleShape]);
  const instance = emitOn(scratch, samples, (own) => {
    const spec = network.parameters.get(fileName(own)) as ParameterSpec;
    used.set(own, { ...spec, name: own });
    return scratch.input(own, "float32", spec.shape);
  });
  const { shape } = instance.targets[0];
  if (shape[0] !== batch || sizeOf(shape) !== batch)
    throw notOneEach(where, `output ${output.name} of shape [batch, ${shape.slice(1).join(", ")}]`.replace(", ]", "]"));
  if (used.size === 0)
    throw userError({
      where,
      required: "a discriminator with weights stored in the model",
      got: "none",
      advice: "Export the model with its weights.",
    });
  if (instance.steps.some(({ node }) => node.op === "BatchNormalization"))
    notes.push(
      `${where}: its batch normalisation keeps the file's running statistics, so that each sample is judged by itself.`,
    );
  return {
    kind: "network",
    parameters: [...used.values()],
    apply: (emit, input, parameter) => emit.reshape(emitOn(emit, input, parameter).targets[0], [input.shape[0], 1]),
    describe: instance.steps
      .filter(({ fromSample }) => fromSample.some(Boolean))
      .map(({ node, outputs: [output] }) => ({ op: node.op, shape: output.shape.slice(1) })),
    cost: networkCost(instance.steps),
    notes,
    weights: new Map([...used.keys()].map((own) => [own, fileValue(network, fileName(own)).data as Float32Array])),
  };
}

/** @throws UserError where the network takes other samples, or has several outputs */
function requireFit({ where, input, sampleShape: taken, graph }: Network, sampleShape: readonly number[]): void {
  if (!sameShape(taken, sampleShape))
    throw userError({
      where: `${where}: input ${input.name}`,
      required: `the shape of the data's samples, [${sampleShape.join(", ")}]`,
      got: `[${taken.join(", ")}]`,
      advice: "Export the discriminator for this data, or let headstart build one.",
    });
  if (graph.outputs.length !== 1) throw notOneEach(where, `${graph.outputs.length} outputs`);
}

function notOneEach(where: string, got: string): Error {
  return userError({
    where,
    required: "a discriminator with one output of one number per sample",
    got,
    advice: "Export it with a single logit.",
  });
}

/** What begins the names of D's parameters. */
const prefix = "discriminator/";

/** A parameter's name in the model's file. */
function fileName(own: string): string {
  return own.slice(prefix.length);
}

type EmitOn = (emit: Emitter, samples: Value, parameter: (name: string) => Value) => Instance;

/** Emits the network up to a tensor; running statistics are constants. */
function emitterOf(network: Network, target: string): EmitOn {
  const isStatistic = (name: string): boolean => network.parameters.get(name)?.role === "statistic";
  return (emit, samples, parameter) =>
    instantiate({
      emit,
      network,
      input: samples,
      targets: [target],
      parameter: (name) =>
        isStatistic(name) ? emit.constant(fileValue(network, name)) : parameter(`${prefix}${name}`),
      normalization: "running",
    });
}

/** The tensor before a final Sigmoid, looking through changes of shape. */
function logitOf(network: Network, output: string): { target: string; notes: string[] } {
  let name = output;
  for (let node = network.producers.get(name); node; node = network.producers.get(name)) {
    if (node.op === "Sigmoid")
      return {
        target: node.inputs[0],
        notes: [`${network.where}: its final Sigmoid is left out, because the losses take logits.`],
      };
    if (!views.has(node.op)) break;
    name = node.inputs[0];
  }
  return { target: output, notes: [] };
}

function fileValue(network: Network, name: string) {
  const tensor = network.tensors.get(name);
  if (!tensor) throw new Error(`the network has no tensor ${name}`);
  return singlePrecision(tensor);
}
