/** Finds the framework's tensors in an exported graph by the elements in its own state dict. */
import { userError } from "../errors.js";
import { numbersOf, sizeOf, type Tensor } from "../graph/tensor.js";
import { isReparametrized } from "../ops/find-parameters.js";
import { type GraphRestorer, type NormalizationNames, type View, viewed } from "./graph-restorer.js";

/** A framework's tensors by name, as read from a file. */
export interface StateDict {
  /** The file, for messages. */
  readonly where: string;
  /** SHA-256 of the file, in hexadecimal. */
  readonly hash: string;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Other names of tensors that the network has under several, each with the one that the file has. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** What frameworks add to a variance. */
const epsilons = [1e-5, 1e-3, 1e-6, 1e-4, 1e-2, 1e-8, 1e-12];
/** Folding is computed in float32. */
const tolerance = 1e-4;

/** A layer with a weight that is one of the state's with every output multiplied by a number. */
interface FoldedLayer {
  readonly output: string;
  readonly fileWeight: string;
  /** Name of the state's weight, without its last part. */
  readonly module: string;
  readonly candidates: readonly { readonly module: string; readonly epsilon: number }[];
}

/**
 * Restores what elements tell for certain: a tensor that equals exactly one of the state's, as it is or the other way
 * round, and a weight that is one of the state's times what one batch normalisation of the state makes of it. Where
 * several fit, as in a fresh network, the normalisation beside the layer is the one, if there is one only.
 *
 * @throws UserError where the state is of another network
 */
export function restoreByValues(restorer: GraphRestorer, state: StateDict): void {
  requireSameNetwork(restorer, state);
  // What a weight is computed from can equal one, and yet is none.
  const isFree = (key: string): boolean => !restorer.initializers.has(key) && !isReparametrized(key);
  unfoldLayers(restorer, state, isFree);
  const read = new Set(restorer.nodes.flatMap(({ inputs }) => inputs));
  for (const name of [...restorer.initializers.keys()]) {
    const tensor = restorer.parameter(name);
    if (!tensor || !read.has(name) || state.tensors.has(name) || state.aliases.has(name)) continue;
    const found: { key: string; view: View }[] = [];
    for (const [key, candidate] of state.tensors) {
      const view = isFree(key) ? viewOf(tensor, candidate) : undefined;
      if (view) found.push({ key, view });
    }
    if (found.length === 1) restorer.rename(name, found[0].key, found[0].view);
  }
}

/** How a tensor of the file is this one of the state, where their elements are equal. */
function viewOf(tensor: Tensor, candidate: Tensor): View | undefined {
  if (sizeOf(tensor.shape) !== sizeOf(candidate.shape)) return undefined;
  const views: readonly View[] = tensor.shape.length === 2 ? ["same", "transposed", "flat"] : ["same", "flat"];
  return views.find((view) => {
    const shown = viewed(tensor, view);
    return shown.shape.join() === candidate.shape.join() && sameElements(elementsOf(shown), elementsOf(candidate));
  });
}

function sameElements(a: Elements, b: Elements): boolean {
  for (let place = 0; place < a.length; place++) if (a[place] !== b[place]) return false;
  return true;
}

type Elements = readonly number[] | Float32Array;

/** Real numbers, without a copy of the large tensors. */
function elementsOf(tensor: Tensor): Elements {
  return tensor.data instanceof Float32Array ? tensor.data : numbersOf(tensor);
}

/** Tensors that kept their names must be those of the state: other weights would match nothing, or the wrong thing. */
function requireSameNetwork(restorer: GraphRestorer, { where, tensors }: StateDict): void {
  for (const [name, tensor] of restorer.initializers) {
    const own = tensors.get(name);
    if (!own || !restorer.parameter(name)) continue;
    const { shape } = restorer.asStored(name, tensor);
    const fail = (required: string, got: string): never => {
      throw userError({
        where: `${where}: ${name}`,
        required,
        got,
        advice: "Save the state_dict of the very model that was exported, and export it again if need be.",
      });
    };
    if (own.shape.join() !== shape.join()) fail(`the model's shape [${shape.join(", ")}]`, `[${own.shape.join(", ")}]`);
    // A pass through the network in training mode, which an export makes, moves running statistics.
    if (shape.length < 2) continue;
    const stored = elementsOf(restorer.asStored(name, tensor));
    const theirs = elementsOf(own);
    const distance = norm(stored.map((element, place) => element - theirs[place]));
    if (distance > tolerance * norm(theirs)) fail("the elements that the model has there", "others");
  }
}

function norm(numbers: Elements): number {
  let sum = 0;
  for (let place = 0; place < numbers.length; place++) sum += numbers[place] ** 2;
  return Math.sqrt(sum);
}

function unfoldLayers(restorer: GraphRestorer, { tensors }: StateDict, isFree: (key: string) => boolean): void {
  const normalizations = [...tensors.keys()]
    .filter((key) => key.endsWith("running_var"))
    .map((key) => moduleOf(key))
    .filter((module) => Object.values(namesOf(module)).every((key) => tensors.has(key) && isFree(key)));
  const layers: FoldedLayer[] = [];
  for (const { op, inputs, outputs } of restorer.nodes) {
    const [, fileWeight, fileBias] = inputs;
    const weight = restorer.parameter(fileWeight);
    if ((op !== "Conv" && op !== "Gemm") || !weight || tensors.has(fileWeight)) continue;
    const biases = fileBias ? restorer.initializers.get(fileBias) : undefined;
    const shifts = biases ? numbersOf(biases) : new Array<number>(weight.shape[0]).fill(0);
    const found: FoldedLayer[] = [];
    for (const [key, own] of tensors) {
      if (!isFree(key) || !key.endsWith("weight") || own.shape.join() !== weight.shape.join()) continue;
      const factors = factorsOf(elementsOf(weight), elementsOf(own), own.shape[0]);
      if (!factors) continue;
      const module = moduleOf(key);
      const bias = tensors.get(`${module}bias`);
      const candidates = normalizations.flatMap((normalization) => {
        const epsilon = epsilonOf(tensors, normalization, factors, shifts, bias && numbersOf(bias));
        return epsilon === undefined ? [] : [{ module: normalization, epsilon }];
      });
      if (candidates.length > 0) found.push({ output: outputs[0], fileWeight, module, candidates });
    }
    if (found.length === 1) layers.push(found[0]);
  }
  const chosen = new Map<FoldedLayer, { module: string; epsilon: number }>();
  for (const layer of layers) {
    const candidate = layer.candidates.length === 1 ? layer.candidates[0] : neighbour(layer, layers, normalizations);
    if (candidate) chosen.set(layer, candidate);
  }
  const takenOnce = (module: string): boolean =>
    [...chosen.values()].filter((candidate) => candidate.module === module).length === 1;
  for (const [layer, { module, epsilon }] of chosen) {
    if (!takenOnce(module)) continue;
    const bias = `${layer.module}bias`;
    restorer.rename(layer.fileWeight, `${layer.module}weight`, "same");
    restorer.unfold(layer.output, {
      names: namesOf(module),
      epsilon,
      known: tensors,
      ...(tensors.has(bias) ? { bias } : {}),
    });
  }
}

/** By what number each output of a folded weight was multiplied; undefined where it is not that weight. */
function factorsOf(folded: Elements, own: Elements, units: number): number[] | undefined {
  const size = own.length / units;
  const factors: number[] = [];
  for (let unit = 0; unit < units; unit++) {
    const [a, b] = [folded, own].map((numbers) => numbers.slice(unit * size, (unit + 1) * size));
    let product = 0;
    for (let place = 0; place < size; place++) product += a[place] * b[place];
    const factor = product / norm(b) ** 2;
    const distance = norm(a.map((number, place) => number - factor * b[place]));
    if (!(distance <= tolerance * norm(a))) return undefined;
    factors.push(factor);
  }
  return factors;
}

/** What the normalisation adds to its variance, where it makes these factors and shifts; else undefined. */
function epsilonOf(
  tensors: ReadonlyMap<string, Tensor>,
  module: string,
  factors: readonly number[],
  shifts: readonly number[],
  bias: readonly number[] | undefined,
): number | undefined {
  const [scale, shift, mean, variance] = Object.values(namesOf(module)).map((key) => numbersOf(tensors.get(key)!));
  if (scale.length !== factors.length) return undefined;
  const errors = epsilons.map((epsilon) => {
    const ideal = scale.map((number, unit) => number / Math.sqrt(variance[unit] + epsilon));
    return norm(ideal.map((number, unit) => number - factors[unit])) / norm(ideal);
  });
  const least = Math.min(...errors);
  if (!(least <= tolerance)) return undefined;
  const expected = factors.map((factor, unit) => shift[unit] + ((bias?.[unit] ?? 0) - mean[unit]) * factor);
  const distance = norm(expected.map((number, unit) => number - shifts[unit]));
  return distance <= tolerance * (1 + norm(expected)) ? epsilons[errors.indexOf(least)] : undefined;
}

/**
 * Among normalisations that fit equally, the one beside the layer: alone in the same module, next in the same Sequential,
 * or under the same number (conv1 and bn1), and as many normalisations as layers in all.
 */
function neighbour(
  { module, candidates }: FoldedLayer,
  layers: readonly FoldedLayer[],
  normalizations: readonly string[],
): { module: string; epsilon: number } | undefined {
  const parent = moduleOf(module.slice(0, -1));
  const inParent = (other: string): boolean => moduleOf(other.slice(0, -1)) === parent;
  const beside = candidates.filter((candidate) => inParent(candidate.module));
  const siblings = layers.filter((layer) => inParent(layer.module));
  const available = normalizations.filter(inParent);
  if (siblings.length !== available.length) return undefined;
  if (beside.length === 1) return beside[0];
  const last = (path: string): string => path.slice(parent.length, -1);
  const numberOf = (path: string): number => Number(/(\d+)$/.exec(last(path))?.[1] ?? Number.NaN);
  const isSequential = /^\d+$/.test(last(module));
  const wanted = numberOf(module) + (isSequential ? 1 : 0);
  const fitting = beside.filter((candidate) => numberOf(candidate.module) === wanted);
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** `layer1.0.bn1.weight` is of the module `layer1.0.bn1.`, with the dot that parts it from its tensors. */
function moduleOf(key: string): string {
  return key.slice(0, key.lastIndexOf(".") + 1);
}

function namesOf(module: string): NormalizationNames {
  return {
    scale: `${module}weight`,
    shift: `${module}bias`,
    mean: `${module}running_mean`,
    variance: `${module}running_var`,
  };
}
