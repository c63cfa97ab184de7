/**
 * Finds PyTorch's own tensors in an exported graph by what the exporters leave behind: the dynamo exporter notes module
 * path and arguments at each node, the TorchScript exporter names nodes by module path and copies by the parameter.
 */
import type { ModelFile } from "../formats/model-file.js";
import type { PytorchOrigin, PytorchSignature } from "../formats/pytorch-origin.js";
import type { Node } from "../graph/graph.js";
import { addcmulArgument, type ExporterNotes, foldedView } from "./folded-view.js";
import type { GraphRestorer, View } from "./graph-restorer.js";
import type { ReadModelFile } from "./read-model-file.js";
import type { StateDict } from "./restore-by-values.js";

/** Where operations have weight and bias among their arguments. */
const parameterArguments: Readonly<Record<string, { readonly weight: number; readonly bias: number }>> = {
  linear: { weight: 1, bias: 2 },
  conv1d: { weight: 1, bias: 2 },
  conv2d: { weight: 1, bias: 2 },
  conv3d: { weight: 1, bias: 2 },
  convolution: { weight: 1, bias: 2 },
  conv_transpose1d: { weight: 1, bias: 2 },
  conv_transpose2d: { weight: 1, bias: 2 },
  conv_transpose3d: { weight: 1, bias: 2 },
  layer_norm: { weight: 2, bias: 3 },
  group_norm: { weight: 2, bias: 3 },
  instance_norm: { weight: 1, bias: 2 },
  prelu: { weight: 1, bias: -1 },
};

/** A tensor as one input of a node, and the framework's name for it; undefined where that is not certain. */
interface Use {
  readonly output: string;
  readonly slot: number;
  readonly name: string | undefined;
  readonly view: View;
  /** The network computes with this number and has no parameter for it. */
  readonly isConstant: boolean;
  /** PyTorch has a buffer here, which no gradient changes. */
  readonly isBuffer: boolean;
}

/** What else is known of a model, see {@link restoreModel}. */
interface Knowledge {
  readonly state: StateDict | undefined;
  readonly foldedFrom: ReadModelFile["foldedFrom"];
}

/** Gives the name that a placeholder in the notes of a node stands for, where that is certain. */
type PlaceholderNames = ReturnType<typeof placeholderNames>;

type Origins = ReadonlyMap<string, PytorchOrigin>;

/** Restores what the notes of the dynamo exporter tell. Without a normalisation's own numbers it starts as the identity. */
export function restoreByOrigins(
  restorer: GraphRestorer,
  { origins, signature }: ModelFile,
  { state, foldedFrom }: Knowledge,
): void {
  if (!origins || origins.size === 0) return;
  const nameOf = placeholderNames(restorer, origins, signature);
  const trained = signature?.trained ?? new Set<string>();
  const notes = { origins, foldedFrom: foldedFrom ?? new Map<string, readonly string[]>(), trained };
  nameByUses(restorer, usesOf(restorer, notes, nameOf));
  addLeftOutBiases(restorer, origins, nameOf);
  dropExpandedBiases(restorer, origins);
  unfoldNormalizations(restorer, origins, nameOf, { state, trained });
}

/** Where tensors are used, by their names in the file, and what the notes call them there. */
function usesOf(restorer: GraphRestorer, notes: ExporterNotes, nameOf: PlaceholderNames): Map<string, Use[]> {
  const { origins, trained } = notes;
  const uses = new Map<string, Use[]>();
  for (const node of restorer.nodes) {
    // Whatever reads the copy uses it; a module that is called again reads its running statistics so.
    if (node.op === "Identity") continue;
    const origin = origins.get(node.outputs[0]);
    node.inputs.forEach((input, slot) => {
      // A slope may be one number for all channels; other single numbers are settings, unless PyTorch trains them.
      if (!restorer.parameter(input, node.op === "PRelu" || trained.has(input) ? 1 : 2)) return;
      const found = origin && !origin.isFolded ? argumentAt(node, slot, origin) : undefined;
      const viewed = origin && !origin.isFolded && !found ? foldedView(restorer, node, slot, notes) : undefined;
      const name = origin && found ? nameOf(found.text, origin) : viewed?.parameter;
      // The weight of a folded layer keeps its name.
      const kept = origin?.isFolded && slot === 1 && isPath(input) ? input : undefined;
      // Normalisation without scale and shift has ones and zeros for them; tensors made in forward are "lifted".
      const isConstant =
        /^(c_)?lifted_/.test(input) ||
        (node.op === "InstanceNormalization" && name === undefined && !isPath(input) && origin !== undefined);
      const isBuffer = node.op !== "BatchNormalization" && found?.text.startsWith("%b_") === true;
      const use = {
        output: node.outputs[0],
        slot,
        name: name ?? kept ?? (origin && !origin.isFolded ? readByItsName(restorer, input, origin, nameOf) : undefined),
        view: found?.view ?? viewed?.view ?? "same",
        isConstant,
        isBuffer,
      };
      uses.set(input, [...(uses.get(input) ?? []), use]);
    });
  }
  return uses;
}

/**
 * Whatever a call does with a parameter that is among its arguments, such as turning it round for a tied layer, the tensor
 * under the parameter's name is it: had two been merged, the call would name the one that is gone.
 */
function readByItsName(
  { initializers }: GraphRestorer,
  input: string,
  origin: PytorchOrigin,
  nameOf: PlaceholderNames,
): string | undefined {
  const named = origin.arguments.flatMap((text) => (/^%[pb]_/.test(text) ? [nameOf(text, origin)] : []));
  const isKept = (name: string | undefined): boolean => name !== undefined && initializers.has(name);
  return named.includes(input) && named.every(isKept) ? input : undefined;
}

/** Gives tensors the names that their uses agree on, and parts those that were merged. */
function nameByUses(restorer: GraphRestorer, uses: ReadonlyMap<string, readonly Use[]>): void {
  for (const [tensor, found] of uses) {
    const names = new Set(found.map(({ name }) => name));
    const [first] = found;
    if (names.has(undefined)) {
      if (names.size > 1) restorer.leaveMerged(tensor);
      else if (found.every(({ isConstant }) => isConstant)) restorer.constants.add(tensor);
    } else if (names.size === 1) {
      if (first.name !== tensor && first.name !== undefined) restorer.rename(tensor, first.name, first.view);
    } else {
      // Parameters that share their elements on purpose have one name; these were equal by chance, or by copying.
      for (const { output, slot, name, view } of found)
        if (name !== undefined && name !== tensor) restorer.separate(output, slot, name, view);
    }
    for (const { name, isBuffer } of found) if (name !== undefined && isBuffer) restorer.constants.add(name);
  }
}

/** Gives layers back the biases of zeros that the exporter has left out. */
function addLeftOutBiases(restorer: GraphRestorer, origins: Origins, nameOf: PlaceholderNames): void {
  for (const node of restorer.nodes) {
    const origin = origins.get(node.outputs[0]);
    const bias = origin && !origin.isFolded && !node.inputs[2] ? leftOutBias(node, origin) : undefined;
    const name = origin && nameOf(bias, origin);
    if (name !== undefined) restorer.addBias(node.outputs[0], name);
  }
}

/** Takes normalisations out of the layers that they were folded into. */
function unfoldNormalizations(
  restorer: GraphRestorer,
  origins: Origins,
  nameOf: PlaceholderNames,
  { state, trained }: { readonly state: StateDict | undefined; readonly trained: ReadonlySet<string> },
): void {
  for (const node of restorer.nodes) {
    const origin = origins.get(node.outputs[0]);
    if (!origin?.isFolded) continue;
    const [scale, shift, mean, variance] = origin.arguments.slice(1, 5).map((text) => nameOf(text, origin));
    const epsilon = Number(origin.arguments.filter((text) => /^[\d.]+(e[-+]?\d+)?$/.test(text))[1]);
    if (!scale || !shift || !mean || !variance || !(epsilon > 0) || !isPath(node.inputs[1])) continue;
    const bias = node.inputs[1].replace(/weight$/, "bias");
    // A bias of zeros is left out of the file, as a normalisation makes it whose scale begins at zero.
    const isPresent = node.inputs[2] === bias || state?.tensors.has(bias) || trained.has(bias);
    const hasBias = bias !== node.inputs[1] && isPresent;
    restorer.unfold(node.outputs[0], {
      names: { scale, shift, mean, variance },
      epsilon,
      ...(hasBias ? { bias } : {}),
      ...(state ? { known: state.tensors } : {}),
    });
  }
}

/** Conv3d without a bias is exported with one of zeros that has an axis too many, which ONNX Runtime refuses. */
function dropExpandedBiases(restorer: GraphRestorer, origins: Origins): void {
  const expanded = new Set(restorer.nodes.flatMap(({ op, outputs }) => (op === "Expand" ? outputs : [])));
  for (const { op, inputs, outputs } of restorer.nodes)
    if (op === "Conv" && expanded.has(inputs[2]) && origins.get(outputs[0])?.operation.includes("conv3d"))
      restorer.dropBias(outputs[0]);
}

/** The argument that is the bias of a layer without one: the exporter leaves out zeros. */
function leftOutBias({ op }: Node, origin: PytorchOrigin): string | undefined {
  const places = parameterArguments[origin.operation.split(".")[1] ?? ""];
  return op === "Conv" || op === "Gemm" ? origin.arguments[places?.bias ?? -1] : undefined;
}

/** Which argument of its call a node's input is, and how the two are laid out. */
function argumentAt(
  { op, inputs, attributes }: Node,
  slot: number,
  origin: PytorchOrigin,
): { readonly text: string; readonly view: View } | undefined {
  const [, operation = ""] = origin.operation.split(".");
  if (op === "BatchNormalization") return { text: origin.arguments[slot], view: "same" };
  const places = parameterArguments[operation];
  if (operation === "addcmul" && !origin.hasKeywords) {
    const text = addcmulArgument(op, slot, origin);
    return text?.startsWith("%p_") ? { text, view: "same" } : undefined;
  }
  if (!places) {
    // An operation on one parameter, such as a learned factor.
    const named = origin.arguments.filter((text) => text.startsWith("%p_") || text.startsWith("%b_"));
    const isOnly = named.length === 1 && inputs.length <= 2;
    return isOnly && ["Add", "Mul", "Sub", "Div", "Concat", "Expand"].includes(op)
      ? { text: named[0], view: "same" }
      : undefined;
  }
  const isNorm = operation.endsWith("_norm");
  // Group normalisation in steps: what is normalised first has scale one and shift zero.
  if (operation === "group_norm" && op === "InstanceNormalization") return undefined;
  const isBias = op === "Add" || (op !== "Mul" && op !== "MatMul" && slot === 2);
  const text = origin.arguments[isBias ? places.bias : places.weight];
  if (text === undefined) return undefined;
  const { transB } = attributes;
  const isTurned = op === "MatMul" || (op === "Gemm" && !(transB?.kind === "int" && transB.value === 1));
  if (operation === "linear" && !isBias && isTurned) return { text, view: "transposed" };
  const isFlattened = op === "PRelu" || (isNorm && (op === "Mul" || op === "Add"));
  return { text, view: isFlattened ? "flat" : "same" };
}

/** Tensors that PyTorch's own modules have under names with an underscore. */
const underscored = new Set(["running_mean", "running_var", "in_proj_weight", "in_proj_bias"]);

/** Reads placeholders such as `%p_layer1_0_bn1_weight`, in which a dot and an underscore look alike. */
export function placeholderNames(
  restorer: GraphRestorer,
  origins: Origins,
  signature?: PytorchSignature,
): (text: string | undefined, origin: PytorchOrigin) => string | undefined {
  const known = new Map<string, string | undefined>();
  const modules = new Set([...origins.values()].flatMap((origin) => origin.modules));
  for (const name of restorer.initializers.keys()) {
    if (!isPath(name)) continue;
    modules.add(name.slice(0, Math.max(0, name.lastIndexOf("."))));
    const plain = flattened(name);
    known.set(plain, known.has(plain) && known.get(plain) !== name ? undefined : name);
  }
  return (text, origin) => {
    const [, body] = /^%[pb]_(\w+)$/.exec(text ?? "") ?? [];
    if (body === undefined) return undefined;
    const noted = signature?.names.get(text ?? "");
    if (noted !== undefined) return noted;
    const kept = known.get(body.toLowerCase());
    if (kept !== undefined) return kept;
    for (const module of [...origin.modules].reverse()) {
      const prefix = module === "" ? "" : `${flattened(module)}_`;
      if (!body.toLowerCase().startsWith(prefix)) continue;
      const path = module === "" ? "" : `${module}.`;
      const rest = body.slice(prefix.length);
      if (/^out_proj_(weight|bias)$/.test(rest) && origin.moduleClass.endsWith("MultiheadAttention"))
        return `${path}${rest.replace("proj_", "proj.")}`;
      const splits = [...rest.matchAll(/_/g)]
        .map(({ index }) => [rest.slice(0, index), rest.slice(index + 1)])
        .filter(([child]) => modules.has(`${path}${child}`));
      if (splits.length > 1) return undefined;
      if (splits.length === 1)
        return splits[0][1].includes("_") && !underscored.has(splits[0][1])
          ? undefined
          : `${path}${splits[0].join(".")}`;
      // A weight or bias with more before it may be that of a module which is never called.
      return underscored.has(rest) || !/_(weight|bias)$/.test(rest) ? `${path}${rest}` : undefined;
    }
    return undefined;
  };
}

function flattened(path: string): string {
  return path.replace(/\W/g, "_").toLowerCase();
}

/** Is this a tensor's path in PyTorch, as opposed to a name that an exporter made up? */
function isPath(name: string): boolean {
  return !/^(onnx::|val_|_v_|\/|\d+$)/.test(name);
}

/**
 * Is this one of PyTorch's own parameters? The dynamo exporter calls what it has computed by the operation, as a
 * parameter of the outermost module might be called; no such name has a dot, and calls name no such parameter.
 */
export function isOwnName(name: string, { origins, signature, jaxWeights }: ModelFile): boolean {
  if (jaxWeights) return jaxWeights.has(name);
  if (signature?.trained.has(name)) return true;
  if (!isPath(name)) return false;
  if (name.includes(".") || !origins || origins.size === 0) return true;
  const placeholders = [`%p_${flattened(name)}`, `%b_${flattened(name)}`];
  for (const origin of origins.values())
    for (const text of origin.arguments)
      if (placeholders.some((placeholder) => text.toLowerCase().includes(placeholder))) return true;
  return false;
}

/** Restores what the names tell that the TorchScript exporter gives. */
export function restoreByScopes(restorer: GraphRestorer): void {
  for (const node of restorer.nodes) {
    // Parameters that share their elements on purpose have one name; these were equal by chance, or by copying.
    if (node.op === "Identity" && restorer.initializers.has(node.inputs[0])) restorer.separateCopy(node);
  }
  const scopesAreModules = scopesAgree(restorer);
  for (const node of restorer.nodes) {
    const scope = scopeOf(node);
    if (scope === undefined) continue;
    const numbered = (slot: number): string | undefined => {
      const name = node.inputs[slot];
      return /^onnx::/.test(name ?? "") && restorer.parameter(name) ? name : undefined;
    };
    const inScope = (): Node[] => restorer.nodes.filter((other) => scopeOf(other) === scope && other.op !== "Constant");
    const path = pathOf(scope);
    const weight = numbered(1) ?? numbered(0);
    if (node.op === "MatMul" && weight !== undefined) {
      const readers = restorer.nodes.filter(({ inputs }) => inputs.includes(node.outputs[0]));
      const bias =
        readers.length === 1 && readers[0].op === "Add" && scopeOf(readers[0]) === scope
          ? readers[0].inputs.find((name) => restorer.parameter(name))
          : undefined;
      const width = restorer.parameter(weight)?.shape;
      if (width?.length !== 2 || node.inputs[1] !== weight) continue;
      // A linear layer's bias keeps its name, and stands beside the weight.
      if (bias !== undefined && isPath(bias) && /bias$/.test(bias))
        restorer.rename(weight, bias.replace(/bias$/, "weight"), "transposed");
      else if (bias === undefined && scopesAreModules && inScope().length === 1 && !hasScopesWithin(restorer, scope))
        restorer.rename(weight, `${path}.weight`, "transposed");
    }
    if (!scopesAreModules) continue;
    if (node.op === "PRelu" && numbered(1) !== undefined && inScope().length === 1)
      restorer.rename(node.inputs[1], `${path}.weight`, "flat");
    // Group normalisation: normalised, then multiplied and added to by one number a channel.
    const affine = node.op === "Mul" || node.op === "Add" ? (numbered(1) ?? numbered(0)) : undefined;
    if (affine !== undefined && inScope().some(({ op }) => op === "InstanceNormalization"))
      restorer.rename(affine, `${path}.${node.op === "Mul" ? "weight" : "bias"}`, "flat");
  }
}

/** `/layer1/layer1.0/conv1/Conv` stands in the scope `/layer1/layer1.0/conv1`. */
function scopeOf({ name }: Node): string | undefined {
  return /^(\/.*)\/[A-Za-z]+(_\d+)?$/.exec(name)?.[1];
}

/** The children of a Sequential repeat its name: `/layer1/layer1.0/conv1` is layer1.0.conv1. */
function pathOf(scope: string): string {
  const parts: string[] = [];
  for (const part of scope.split("/").slice(1)) {
    if (part.startsWith(`${parts.at(-1)}.`)) parts.pop();
    parts.push(part);
  }
  return parts.join(".");
}

function hasScopesWithin({ nodes }: GraphRestorer, scope: string): boolean {
  return nodes.some((node) => scopeOf(node)?.startsWith(`${scope}/`));
}

/** Do the scopes of nodes give the paths of the parameters that kept their names, everywhere? */
function scopesAgree(restorer: GraphRestorer): boolean {
  let agreeing = 0;
  for (const node of restorer.nodes) {
    const scope = scopeOf(node);
    if (scope === undefined || node.op === "Identity") continue;
    for (const name of node.inputs) {
      if (!restorer.parameter(name) || !isPath(name)) continue;
      if (!name.startsWith(`${pathOf(scope)}.`)) return false;
      agreeing++;
    }
  }
  return agreeing > 0;
}

/** PyTorch's exporters write parameters as initializers: what a Constant node makes is none. */
export function findConstants({ nodes, constants }: GraphRestorer): void {
  for (const { op, outputs } of nodes) if (op === "Constant") constants.add(outputs[0]);
}
