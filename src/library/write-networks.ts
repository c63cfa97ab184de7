/** Writes G and D of a run as ONNX files, with their trained weights in them. */
import type { Dataset } from "../data/dataset.js";
import { serializeGraph } from "../formats/onnx-write.js";
import type { Value } from "../graph/builder.js";
import { pinnedOpset } from "../graph/opset.js";
import { floatTensor } from "../graph/tensor.js";
import { mirror } from "../mirror/mirror.js";
import { Emitter } from "../ops/emitter.js";
import { instantiate } from "../ops/instantiate.js";
import type { ParameterSpec } from "../ops/parameter.js";
import type { Discriminator } from "../recipe/discriminator.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";
import { usesGenerator } from "../recipe/pretraining-graph.js";
import type { Recipe } from "../recipe/recipe.js";
import { lastActivationFor } from "../training/pretrain.js";
import { type RunFolder, runFiles } from "./run-folder.js";

/**
 * Writes generator.onnx (samples → generated) and discriminator.onnx (samples → logits), for batches of the run's
 * size. G is as training left it, before conditioning, since the mirror fits those weights.
 *
 * @param parameters everything that was trained, by name
 */
export async function writeNetworks(
  folder: RunFolder,
  parameters: Weights,
  features: FeatureExtractor,
  discriminator: Discriminator | undefined,
  dataset: Dataset,
  recipe: Recipe,
): Promise<void> {
  const shape = [recipe.batchSize, ...features.network.sampleShape];
  if (usesGenerator(recipe)) {
    const emit = new Emitter();
    const constant = weightConstants(emit, parameters);
    const instance = instantiate({
      emit,
      network: features.network,
      input: emit.input("samples", "float32", shape),
      targets: [features.feature],
      parameter: (name) => constant(specOf(features.parameters, name)),
      normalization: "running",
    });
    const { output } = mirror({
      emit,
      instance,
      code: instance.targets[0],
      feature: features.feature,
      normalization: "running",
      tied: recipe.mirror.tied,
      parameter: constant,
      lastActivation: lastActivationFor(recipe, dataset),
    });
    emit.output("generated", output);
    await folder.write(runFiles.generator, serializeGraph(emit.build("generator"), pinnedOpset));
  }
  if (discriminator) {
    const emit = new Emitter();
    const constant = weightConstants(emit, parameters);
    const logits = discriminator.apply(emit, emit.input("samples", "float32", shape), (name) =>
      constant(specOf(discriminator.parameters, name)),
    );
    emit.output("logits", logits);
    await folder.write(runFiles.discriminator, serializeGraph(emit.build("discriminator"), pinnedOpset));
  }
}

function specOf(specs: readonly ParameterSpec[], name: string): ParameterSpec {
  const spec = specs.find((known) => known.name === name);
  if (!spec) throw new Error(`no parameter ${name}`);
  return spec;
}

/** Trained parameters as constants, each made once. */
function weightConstants(emit: Emitter, parameters: Weights): (spec: ParameterSpec) => Value {
  const made = new Map<string, Value>();
  return (spec) => {
    const known = made.get(spec.name);
    if (known) return known;
    const elements = parameters.get(spec.name);
    if (!elements) throw new Error(`no trained values for ${spec.name}`);
    const value = emit.constant(floatTensor(elements, spec.shape));
    made.set(spec.name, value);
    return value;
  };
}
