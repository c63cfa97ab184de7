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
  if (!sameShape(network.sampleShape, sampleShape))
    throw userError({
      where: `${where}: input ${network.input.name}`,
      required: `the shape of the data's samples, [${sampleShape.join(", ")}]`,
      got: `[${network.sampleShape.join(", ")}]`,
      advice: "Export the discriminator for this data, or let headstart build one.",
    });
  const outputs = network.graph.outputs;
  const oneEach = {
    where,
    required: "a discriminator with one output of one number per sample",
    advice: "Export it with a single logit.",
  };
  if (outputs.length !== 1) throw userError({ ...oneEach, got: `${outputs.length} outputs` });
  const { target, notes } = logitOf(network, outputs[0].name);

  const names = new Map<string, string>();
  const statistics = new Set<string>();
  for (const { name, role } of network.parameters.values())
    if (role === "statistic") statistics.add(name);
    else names.set(name, `discriminator/${name}`);
  const emitOn = (emit: Emitter, samples: Value, parameter: (name: string) => Value): Instance =>
    instantiate({
      emit,
      network,
      input: samples,
      targets: [target],
      parameter: (name) => {
        const own = names.get(name);
        return own === undefined ? emit.constant(fileValue(network, name)) : parameter(own);
      },
      normalization: "running",
    });

  // A scratch copy on two samples tells what is used, and whether the output goes by sample.
  const scratch = new Emitter();
  const used = new Map<string, ParameterSpec>();
  const batch = network.fixedBatch === 1 ? 1 : 2;
  const samples = scratch.input("samples", "float32", [batch, ...sampleShape]);
  const instance = emitOn(scratch, samples, (own) => {
    const name = own.slice("discriminator/".length);
    const spec = network.parameters.get(name) as ParameterSpec;
    used.set(own, { ...spec, name: own });
    return scratch.input(own, "float32", spec.shape);
  });
  const { shape } = instance.targets[0];
  if (shape[0] !== batch || sizeOf(shape) !== batch)
    throw userError({
      ...oneEach,
      got: `output ${outputs[0].name} of shape [batch, ${shape.slice(1).join(", ")}]`.replace(", ]", "]"),
    });
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
    weights: new Map(
      [...used.keys()].map((own) => [own, fileValue(network, own.slice("discriminator/".length)).data as Float32Array]),
    ),
  };
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
