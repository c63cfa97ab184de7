/** Writes what a run gives: weights, the model with them in it, G and D, what the samples went through, and measurements. */
import { savedTransform } from "../data/saved-transform.js";
import { UserError } from "../errors.js";
import { convertTensor } from "../formats/convert-tensor.js";
import { writeSafetensors } from "../formats/safetensors.js";
import { floatTensor, numbersOf, type Tensor } from "../graph/tensor.js";
import type { Weights } from "../recipe/initial-values.js";
import type { PretrainResult } from "../training/pretrain.js";
import type { InitializeOptions, InitializeResult, RunRecord } from "./initialize-types.js";
import type { WrittenModel } from "./loading-lines.js";
import type { OpenedModel } from "./open-model.js";
import type { PreparedRun } from "./prepare-run.js";
import { type RunFolder, runFiles } from "./run-folder.js";
import { version } from "./version.js";
import { writeNetworks } from "./write-networks.js";

/** What a run has measured. */
export type Measurements = Pick<
  InitializeResult,
  "finalMetrics" | "before" | "after" | "conditioning" | "discriminant" | "warnings"
>;

/**
 * Writes a run's results; result.json, which says that it is finished, comes last.
 *
 * @param trained what training gave, for G and D
 * @param weights finished: of F, and of the head where they were asked for
 */
export async function writeResults(
  folder: RunFolder,
  { opened, exportChanges, restored, features, taken, recipe, dataset, discriminator, ...prepared }: PreparedRun,
  options: InitializeOptions,
  run: RunRecord,
  trained: PretrainResult,
  weights: Weights,
  measurements: Measurements,
): Promise<WrittenModel> {
  const tensors = typedTensors(weights, opened);
  await folder.write(
    runFiles.weights,
    writeSafetensors(new Map([...tensors].map(([name, tensor]) => [name, opened.model.asStored(name, tensor)])), {
      format: "pt",
      headstart: version,
      model_sha256: run.model.sha256,
      data_sha256: run.data.sha256,
      recipe: recipe.name,
      features: features.feature,
      ...askedFor(options),
      ...(options.head ? { head: options.head } : {}),
      seed: String(run.seed),
      steps: String(run.steps),
      tensors: String(tensors.size),
      ...(restored === undefined ? {} : { restored }),
      ...(opened.state === undefined ? {} : { state_dict_sha256: opened.state.hash }),
    }),
  );
  const { classNames } = prepared.labelledByOutput ?? {};
  await folder.writeJson(
    runFiles.transform,
    savedTransform({ ...taken.record, ...(classNames ? { classNames } : {}) }),
  );
  const modelFiles = [...(await opened.model.write(tensors))];
  for (const [name, bytes] of modelFiles) await folder.write(name, bytes);
  await writeNetworks(folder, trained.parameters, features, discriminator?.discriminator, dataset, recipe);
  const written: WrittenModel = {
    model: modelFiles[0][0],
    format: opened.model.format,
    producer: opened.model.producer,
    ...(opened.model.loadingLimits ? { limits: opened.model.loadingLimits } : {}),
    ...(options.keepNames && exportChanges.length > 0 ? { names: "kept" } : {}),
  };
  await folder.writeJson(runFiles.result, { ...measurements, written });
  return written;
}

/** What else the user chose of the model, so that `verify` sees the same network. */
function askedFor({ input, inputShape, freeze, keepNames }: InitializeOptions): Record<string, string> {
  return {
    ...(input === undefined ? {} : { input }),
    ...(inputShape === undefined ? {} : { input_shape: inputShape.join("x") }),
    ...(freeze === undefined ? {} : { frozen: freeze }),
    ...(keepNames ? { names: "kept" } : {}),
  };
}

/** F's tensors in the types that the model has. */
function typedTensors(weights: Weights, opened: OpenedModel): Map<string, Tensor> {
  const result = new Map<string, Tensor>();
  for (const [name, elements] of weights) {
    const original = opened.network.tensors.get(name);
    if (!original) throw new Error(`${name} is not a tensor of the model`);
    const typed = convertTensor(floatTensor(elements, original.shape), original.type);
    // Half precision ends at 65,504.
    if (original.type !== "float32" && !numbersOf(typed).every(Number.isFinite))
      throw new UserError(
        `${name}: required weights within the range of ${original.type}, got larger ones. Export the model in float32.`,
      );
    result.set(name, typed);
  }
  return result;
}
