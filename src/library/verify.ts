/** Whether weights fit a model, tensor by tensor, and how they differ from what the model has. */
import { open, readFile } from "node:fs/promises";
import { fileError, UserError, userError } from "../errors.js";
import { bytesOf } from "../formats/element-types.js";
import type { ModelFile, ModelFormat } from "../formats/model-file.js";
import { readSafetensors } from "../formats/safetensors.js";
import { isFloating, numbersOf, type Tensor } from "../graph/tensor.js";
import { storedTensors } from "../ops/network.js";
import { upgradeGraph } from "../ops/upgrade.js";
import { featureExtractor } from "../recipe/feature-extractor.js";
import { keptTensors, untrainedTensors } from "./export-warnings.js";
import { type OpenedModel, type OpenModelOptions, openModel, readingOptions } from "./open-model.js";
import { readModelFile } from "./read-model-file.js";
import { aliasesIn } from "./read-state-dict.js";
import { restorationLine, restoreModel } from "./restore-model.js";
import { requireGiven } from "./run-settings.js";
import { sha256 } from "./sha256.js";
import { wrapperPrefix } from "./wrapper-prefix.js";

export interface VerifyOptions {
  /** Path of a safetensors file, or of a model with weights. */
  readonly weights: string;
  /** Path of the model that the weights are for, or of a safetensors file with the framework's own tensors. */
  readonly model: string;
  /** Name of F's last tensor; default: as the weights' own record says, else as `inspect` finds it. */
  readonly features?: string;
  readonly input?: string;
  readonly inputShape?: readonly number[];
  /** As {@link InitializeOptions} had them when the weights were made. */
  readonly stateDict?: string;
  readonly keepNames?: boolean;
}

/**
 * What is with a tensor. `changed` and `same` fit. `head`: the weights are F's alone, and this is a parameter of the head,
 * which keeps what it has. `kept`: the weights do not have it, and it stays as it is: a tensor of F that headstart does not
 * train; against a state dict, which does not tell F from the head, also one of the head. All others are mismatches: not in the weights, not in the model, another shape or type, NaN or
 * infinity among the elements, or a change in a tensor that is no weight.
 */
export type TensorVerdict =
  | "changed"
  | "same"
  | "head"
  | "kept"
  | "missing"
  | "unexpected"
  | "shape"
  | "type"
  | "not finite"
  | "not a parameter";

/** A tensor's facts on one side. */
export interface TensorFacts {
  readonly shape: readonly number[];
  readonly type: string;
  /** SHA-256 of the elements' bytes, in hexadecimal. */
  readonly sha256: string;
}

export interface VerifiedTensor {
  readonly name: string;
  readonly verdict: TensorVerdict;
  /** In the model. */
  readonly before?: TensorFacts;
  /** In the weights. */
  readonly after?: TensorFacts;
  /** |after − before| / |before| in the Euclidean norm; missing where before is all zero. */
  readonly relativeChange?: number;
  /** Largest absolute difference of an element. */
  readonly largestChange?: number;
}

export interface VerifyResult {
  readonly weights: {
    readonly file: string;
    readonly format: ModelFormat | "safetensors";
    readonly sha256: string;
    /** What the file says of its origin. */
    readonly metadata: Readonly<Record<string, string>>;
  };
  readonly model: { readonly file: string; readonly format: ModelFormat | "safetensors"; readonly sha256: string };
  /** F's last tensor, by which F's parameters are told from the head's. */
  readonly features: string | undefined;
  readonly tensors: readonly VerifiedTensor[];
  /** Number of tensors that do not fit. */
  readonly mismatches: number;
  /** Other things that are worth knowing. */
  readonly notes: readonly string[];
}

interface GivenWeights {
  readonly format: ModelFormat | "safetensors";
  readonly hash: string;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The verdicts of tensors that fit. */
export const fitting: ReadonlySet<TensorVerdict> = new Set(["changed", "same", "head", "kept"]);

/**
 * Compares weights with a model by name, shape, type and elements. A safetensors file must have all of F's parameters and
 * may have the head's; a model must have all tensors, and none but parameters may differ.
 *
 * @throws UserError where a file cannot be read, or where the two are exchanged; mismatches are reported, not thrown
 */
export async function verify(options: VerifyOptions): Promise<VerifyResult> {
  requireGiven({ weights: options.weights, model: options.model });
  const given = await readWeights(options);
  requireAll(given, options.weights);
  if (await isSafetensors(options.model)) return verifyState(given, options);
  if (given.metadata.state_dict_sha256 !== undefined && options.stateDict === undefined)
    throw userError({
      where: options.weights,
      required: "the --state-dict with which the weights were made, since the model alone does not have their names",
      got: "none",
      advice: "Pass it, or give it in place of the model.",
    });
  const { stateDict, keepNames = false, ...others } = options;
  // Other weights than the framework's own cannot be found by its elements, so a model is compared without them.
  const naming = stateDict !== undefined && given.format === "safetensors" ? { stateDict } : {};
  const recorded = recordedOptions(given.metadata);
  const asNamed = { keepNames: keepNames || recorded.keepNames === true, ...naming };
  const opened = await openModel(options.model, { ...recorded, ...others, ...asNamed });
  const { network, model } = opened;
  const notes: string[] = [];
  const features = extractorOf(opened, options.features ?? given.metadata.features, options.features, notes);
  const inFeatures = new Set(features?.parameters.map(({ name }) => name));
  const kept = new Set(features ? [...untrainedTensors(features), ...keptTensors(opened, features)] : []);

  const tensors: VerifiedTensor[] = [];
  // The network may have more than the file: what the branches that it takes and its unrolled layers have brought along.
  const own = tensorsAsStored(model);
  for (const name of network.tensors.keys()) {
    const before = own.get(name);
    if (!before) continue;
    const after = given.tensors.get(name);
    const isParameter = network.parameters.has(name);
    if (after) tensors.push(compare(name, before, after, isParameter));
    else if (given.format !== "safetensors") tensors.push({ name, verdict: "missing", before: factsOf(before) });
    else if (isParameter) {
      const verdict = features && !inFeatures.has(name) ? "head" : "missing";
      tensors.push({ name, verdict, before: factsOf(before) });
    } else if (kept.has(name)) tensors.push({ name, verdict: "kept", before: factsOf(before) });
  }
  for (const [name, after] of given.tensors)
    if (!own.has(name)) tensors.push({ name, verdict: "unexpected", after: factsOf(after) });

  const { model_sha256: trainedFor } = given.metadata;
  const restored = restorationLine(opened.restoration);
  if (restored !== undefined) notes.push(restored);
  if (trainedFor !== undefined && trainedFor !== opened.hash)
    notes.push(
      `The weights were made for another file than ${options.model}: one with SHA-256 ${trainedFor.slice(0, 12)}…, this has ${opened.hash.slice(0, 12)}….`,
    );
  if (tensors.some(({ verdict }) => verdict === "same") && !tensors.some(({ verdict }) => verdict === "changed"))
    notes.push("No tensor changes: the model has these weights already.");
  return {
    weights: { file: options.weights, format: given.format, sha256: given.hash, metadata: given.metadata },
    model: { file: options.model, format: model.format, sha256: opened.hash },
    features: features?.feature,
    tensors,
    mismatches: tensors.filter(({ verdict }) => !fitting.has(verdict)).length,
    notes,
  };
}

/** A file of headstart says how many tensors it was written with. */
function requireAll({ tensors, metadata }: GivenWeights, where: string): void {
  const count = Number(metadata.tensors ?? tensors.size);
  if (count !== tensors.size)
    throw userError({
      where,
      required: `all ${count} tensors with which it was written`,
      got: `${tensors.size}`,
      advice: "Take the file of the run's folder.",
    });
}

/** Against the framework's own tensors: what the weights do not have, the network keeps. */
async function verifyState(given: GivenWeights, options: VerifyOptions): Promise<VerifyResult> {
  const state = await readWeights({ weights: options.model });
  if (state.metadata.model_sha256 !== undefined && given.format !== "safetensors")
    throw userError({
      where: options.model,
      required: "the model that the weights are for, after the weights",
      got: `weights that headstart wrote, after the ${given.format} model ${options.weights}`,
      advice: "Exchange the two.",
    });
  const aliases = aliasesIn(state);
  const tensors: VerifiedTensor[] = [];
  for (const [kept, before] of state.tensors) {
    const names = [kept, ...[...aliases].flatMap(([alias, of]) => (of === kept ? [alias] : []))];
    const loaded = names.filter((name) => given.tensors.has(name));
    for (const name of loaded) tensors.push(compare(name, before, given.tensors.get(name) as Tensor, true));
    if (loaded.length === 0) tensors.push({ name: kept, verdict: "kept", before: factsOf(before) });
  }
  for (const [name, after] of given.tensors)
    if (!state.tensors.has(name) && !aliases.has(name))
      tensors.push({ name, verdict: "unexpected", after: factsOf(after) });
  const prefix = wrapperPrefix(given.tensors.keys(), state.tensors);
  const inside = prefix?.slice(0, -1);
  return {
    weights: { file: options.weights, format: given.format, sha256: given.hash, metadata: given.metadata },
    model: { file: options.model, format: "safetensors", sha256: state.hash },
    features: given.metadata.features,
    tensors,
    mismatches: tensors.filter(({ verdict }) => !fitting.has(verdict)).length,
    notes:
      inside === undefined
        ? []
        : [
            `All names of ${options.model} begin with "${prefix}", as of a wrapped network: load the weights into the one inside, model.${inside}.`,
          ],
  };
}

/** How the model was seen when the weights were made, where that was not by default. */
function recordedOptions(metadata: Readonly<Record<string, string>>): OpenModelOptions {
  const { input, input_shape: shape, frozen, names } = metadata;
  const sizes = shape?.split("x").map(Number);
  return {
    ...(input === undefined ? {} : { input }),
    ...(sizes?.every((size) => Number.isSafeInteger(size) && size > 0) ? { inputShape: sizes } : {}),
    ...(frozen === undefined ? {} : { freeze: frozen }),
    ...(names === "kept" ? { keepNames: true } : {}),
  };
}

/** Without F and head told apart, all parameters are expected. */
function extractorOf(
  { network }: OpenedModel,
  name: string | undefined,
  asked: string | undefined,
  notes: string[],
): ReturnType<typeof featureExtractor> | undefined {
  try {
    return featureExtractor(network, name);
  } catch (error) {
    if (!(error instanceof UserError) || asked !== undefined) throw error;
    notes.push(`F and head are not told apart, so all parameters are expected: ${error.message}`);
    return undefined;
  }
}

async function readWeights({
  weights: path,
  keepNames,
  ...options
}: Omit<VerifyOptions, "model">): Promise<GivenWeights> {
  if (await isSafetensors(path)) {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(path);
    } catch (error) {
      throw fileError(error, path, "a weights file");
    }
    const { tensors, metadata } = readSafetensors(bytes, path);
    return { format: "safetensors", hash: sha256(bytes), tensors, metadata };
  }
  const { model: asItIs, hash, foldedFrom } = await readModelFile(path, readingOptions(options));
  const { model } = keepNames ? { model: asItIs } : restoreModel(asItIs, undefined, foldedFrom);
  return { format: model.format, hash, tensors: tensorsAsStored(model), metadata: {} };
}

/** A model's initializers and constants as its file lays them out. */
function tensorsAsStored(model: ModelFile): ReadonlyMap<string, Tensor> {
  const tensors = storedTensors(upgradeGraph(model.graph, model.opset));
  return new Map([...tensors].map(([name, tensor]) => [name, model.asStored(name, tensor)]));
}

/** A safetensors file has the length of its header in 8 bytes, then a brace; no model format begins so. */
async function isSafetensors(path: string): Promise<boolean> {
  if (path.endsWith(".safetensors")) return true;
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(9), 0, 9, 0);
      return bytesRead === 9 && buffer[8] === 0x7b && buffer.readBigUInt64LE(0) < 100_000_000n;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, path, "a weights file");
  }
}

function compare(name: string, before: Tensor, after: Tensor, isParameter: boolean): VerifiedTensor {
  const facts = { name, before: factsOf(before), after: factsOf(after) };
  if (before.shape.join() !== after.shape.join()) return { ...facts, verdict: "shape" };
  if (before.type !== after.type) return { ...facts, verdict: "type" };
  const differs = facts.before.sha256 !== facts.after.sha256;
  if (!isFloating(after.type)) return { ...facts, verdict: differs ? "not a parameter" : "same" };
  const [from, to] = [numbersOf(before), numbersOf(after)];
  if (differs && !to.every(Number.isFinite)) return { ...facts, verdict: "not finite" };
  let [moved, length, largestChange] = [0, 0, 0];
  for (let index = 0; index < to.length; index++) {
    const change = differs ? Math.abs(to[index] - from[index]) : 0;
    moved += change * change;
    length += from[index] * from[index];
    if (change > largestChange) largestChange = change;
  }
  const change = { ...(length > 0 ? { relativeChange: Math.sqrt(moved / length) } : {}), largestChange };
  // Tensors of many numbers are weights, even where headstart trains them nowhere; single ones are settings.
  if (differs && !isParameter && to.length < 2) return { ...facts, ...change, verdict: "not a parameter" };
  return { ...facts, ...change, verdict: differs ? "changed" : "same" };
}

function factsOf(tensor: Tensor): TensorFacts {
  const bytes = Array.isArray(tensor.data) ? new TextEncoder().encode(JSON.stringify(tensor.data)) : bytesOf(tensor);
  return { shape: tensor.shape, type: tensor.type, sha256: sha256(bytes) };
}
