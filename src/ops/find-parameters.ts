/** Which of a network's stored tensors are parameters, and what each of them is to the layers that read it. */
import { userError } from "../errors.js";
import { type Graph, isOfShapes, type Node } from "../graph/graph.js";
import { isFloating, numbersOf, sizeOf, type Tensor } from "../graph/tensor.js";
import type { WeightLayout } from "../graph/weight-layout.js";
import { normalizationNames } from "./names.js";
import type { NetworkOptions } from "./network.js";
import type { InputRule } from "./operator.js";
import type { ParameterRole, ParameterSpec } from "./parameter.js";
import { plainExport, plainTorchScriptExport } from "./plain-export.js";
import { operatorOf } from "./table.js";

/** Operators that pass a parameter on in another form, or a part of it. */
export const views: ReadonlySet<string> = new Set([
  "Identity",
  "Cast",
  "Transpose",
  "Reshape",
  "Squeeze",
  "Unsqueeze",
  "Expand",
  "Tile",
  "Flatten",
  // Entries of a learned table, such as Swin's relative positions.
  "Gather",
  "GatherND",
  // Some of the matrices that lie together in one tensor, as those of attention do.
  "Slice",
  "Split",
]);

/** What a learned query goes through as a sample does. */
const queryLayers = new Set(["Gemm", "MatMul", "LayerNormalization"]);
const normalizations: ReadonlySet<string> = new Set(normalizationNames);

/** A parameter behind views: its own name, and whether a matrix arrives transposed. */
interface Origin {
  readonly name: string;
  readonly flipped: boolean;
  /** Identity and Cast only, or a matrix transposition: the layout carries over. */
  readonly plain: boolean;
  /** The axes that it arrives with, where they are known. */
  readonly rank: number | undefined;
  /** Rows of the tensor, whose last axis is whole: all of them in another shape, or some. */
  readonly rows: boolean;
  /** It is repeated, as what is learned is given to each sample of a batch. */
  readonly repeated: boolean;
}

/** Finds a graph's parameters, in the order in which the computation meets them. */
export function findParameters(
  graph: Graph,
  inputName: string,
  tensors: ReadonlyMap<string, Tensor>,
  options: NetworkOptions,
): Map<string, ParameterSpec> {
  const search = new ParameterSearch(inputName, tensors, options);
  // A shape depends on the sample's shape only, which is known.
  for (const node of graph.nodes) if (node.op !== "Constant" && !isOfShapes(node)) search.visit(node);
  return search.found;
}

/** Walks a graph's nodes in their order. */
class ParameterSearch {
  readonly found = new Map<string, ParameterSpec>();
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #options: NetworkOptions;
  readonly #origins = new Map<string, Origin>();
  /** Values that depend on the sample, and those of them that lie behind a weight. */
  readonly #fromSample: Set<string>;
  readonly #behindWeight = new Set<string>();
  /** What Reshape makes of the sample. */
  readonly #reshaped = new Set<string>();
  /** That of the last weight in front of a value. */
  readonly #fanIns = new Map<string, number>();
  readonly #computed: ComputedFrom;

  constructor(inputName: string, tensors: ReadonlyMap<string, Tensor>, options: NetworkOptions) {
    this.#tensors = tensors;
    this.#options = options;
    this.#fromSample = new Set([inputName]);
    this.#computed = new ComputedFrom(options.trained ?? new Set());
    for (const [name, tensor] of tensors)
      if (this.#mayBeParameter(name, tensor)) {
        const rank = tensor.shape.length;
        this.#origins.set(name, { name, flipped: false, plain: true, rank, rows: true, repeated: false });
      }
  }

  visit(node: Node): void {
    const slots = node.inputs.map((name) => (this.#fromSample.has(name) ? undefined : this.#origins.get(name)));
    if (!node.inputs.some((name) => this.#fromSample.has(name))) {
      const [origin] = slots;
      this.#passOn(node, origin);
      if (!origin?.repeated || !queryLayers.has(node.op)) return;
      // From here on, a learned query is what a sample is to other layers.
      this.#add(origin, "table");
      slots[0] = undefined;
    }
    const behind = node.inputs.some((name) => this.#behindWeight.has(name));
    const { weighted, fanIn } = this.#read(node, slots, behind);
    this.#addComputed(node);
    for (const output of node.outputs) {
      if (node.op === "Reshape") this.#reshaped.add(output);
      this.#fromSample.add(output);
      if (behind || weighted) this.#behindWeight.add(output);
      if (fanIn !== undefined) this.#fanIns.set(output, fanIn);
    }
  }

  #mayBeParameter(name: string, { type }: Tensor): boolean {
    return isFloating(type) && !this.#options.constants?.has(name);
  }

  /** Takes note of what a node makes of stored tensors alone. */
  #passOn(node: Node, origin: Origin | undefined): void {
    // One number expanded to many is no parameter: exporters write a missing bias as zero, expanded.
    const isFilling = node.op === "Expand" && sizeOf(this.#tensors.get(origin?.name ?? "")?.shape ?? []) === 1;
    if (origin && views.has(node.op) && !isFilling)
      for (const output of node.outputs) this.#origins.set(output, viewed(origin, node, this.#tensors));
    this.#computed.pass(node);
  }

  /** Adds what a node reads. @returns whether it has a weight, or is a normalisation, and the fan-in from there on */
  #read(
    node: Node,
    slots: readonly (Origin | undefined)[],
    behind: boolean,
  ): { weighted: boolean; fanIn: number | undefined } {
    let weighted = normalizations.has(node.op);
    let fanIn = Math.max(0, ...node.inputs.map((name) => this.#fanIns.get(name) ?? 0)) || undefined;
    const surroundings = {
      tensors: this.#tensors,
      behind,
      reshaped: this.#reshaped,
      trained: this.#options.trained,
    };
    for (const { origin, role, layout } of readingsOf(node, slots, surroundings)) {
      if (role === "weight") {
        const shape = this.#tensors.get(origin.name)?.shape ?? [];
        if (sizeOf(shape) < 2) continue;
        weighted = true;
        if (layout) fanIn = fanInOf(origin.flipped ? [...shape].reverse() : shape, layout);
      }
      if (role === "embedding") weighted = true;
      this.#add(origin, role, layout, role === "weight" || role === "bias" ? fanIn : undefined);
    }
    return { weighted, fanIn };
  }

  #add(origin: Origin, role: ParameterRole, layout?: WeightLayout, fanIn?: number): void {
    const { name } = origin;
    const tensor = this.#tensors.get(name);
    if (!tensor) return;
    const known = this.found.get(name);
    if (known && (known.role === "statistic") !== (role === "statistic"))
      throw mergedStatistic(this.#options.where, name);
    if (known) return;
    const carried = layout && layoutOf(origin, tensor, layout);
    this.found.set(name, {
      name,
      shape: tensor.shape,
      role,
      ...(carried ? { layout: carried } : {}),
      ...(fanIn === undefined ? {} : { fanIn }),
    });
  }

  /** Adds what the framework trains in ways that no layer is known for. */
  #addComputed(node: Node): void {
    for (const name of this.#computed.readBy(node)) {
      const tensor = this.#tensors.get(name);
      if (tensor && this.#mayBeParameter(name, tensor) && !this.found.has(name))
        this.found.set(name, { name, shape: tensor.shape, role: "table" });
    }
  }
}

function mergedStatistic(where: string, name: string): Error {
  return userError({
    where: `${where}: tensor ${name}`,
    required: "one purpose",
    got: "a running statistic that is a learned parameter too, since the exporter has merged equal tensors",
    advice: `In PyTorch, export with ${plainExport}, or with ${plainTorchScriptExport}.`,
  });
}

/** What a stored tensor is to a node that reads it. */
interface Reading {
  readonly origin: Origin;
  readonly role: ParameterRole;
  /** Of a weight, as the node has it. */
  readonly layout?: WeightLayout | undefined;
}

/** What is known of a node's surroundings. */
interface Surroundings {
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Does it read something that lies behind a weight? */
  readonly behind: boolean;
  /** What Reshape makes. */
  readonly reshaped: ReadonlySet<string>;
  /** See {@link NetworkOptions}. */
  readonly trained: ReadonlySet<string> | undefined;
}

/** What a node that computes with the sample reads of stored tensors, weights before what belongs to them. */
function readingsOf(
  { op, inputs, attributes }: Node,
  slots: readonly (Origin | undefined)[],
  { tensors, behind, reshaped, trained }: Surroundings,
): readonly Reading[] {
  const as = (origin: Origin | undefined, role: ParameterRole, layout?: WeightLayout): readonly Reading[] =>
    origin ? [{ origin, role, layout }] : [];
  const isTrained = (name: string): boolean => trained?.has(name) ?? false;
  /**
   * Tensors of several elements behind a weight; in front of one, they are settings of the samples' scale, as single
   * numbers are everywhere, unless the framework is known to train them.
   */
  const counts = ({ name }: Origin): boolean =>
    isTrained(name) || (behind && sizeOf(tensors.get(name)?.shape ?? []) > 1);
  const behindAs = (role: ParameterRole): readonly Reading[] =>
    slots.flatMap((slot) => (slot && counts(slot) ? as(slot, role) : []));
  const flag = (name: string): boolean => attributes[name]?.kind === "int" && attributes[name].value === 1;
  const isOfRows = attributes.axis?.kind !== "int" || attributes.axis.value === 0;
  const matrix = (inputAxis: 0 | 1): WeightLayout => ({ kind: "matrix", inputAxis });
  const affine = (): readonly Reading[] => [...as(slots[1], "scale"), ...as(slots[2], "shift")];
  switch (op) {
    case "Conv":
    case "ConvTranspose": {
      const groups = attributes.group?.kind === "int" ? attributes.group.value : 1;
      const layout = { kind: "convolution", groups, transposed: op === "ConvTranspose" } as const;
      return [...as(slots[1], "weight", layout), ...as(slots[2], "bias")];
    }
    case "Gemm":
      return [
        ...as(slots[1], "weight", matrix(flag("transB") ? 1 : 0)),
        ...as(slots[0], "weight", matrix(flag("transA") ? 0 : 1)),
        ...as(slots[2], "bias"),
      ];
    case "MatMul":
      return [
        ...as(slots[1], "weight", slots[1]?.rank === 2 ? matrix(0) : undefined),
        ...as(slots[0], "weight", slots[0]?.rank === 2 ? matrix(1) : undefined),
      ];
    case "InstanceNormalization":
      // Exporters write group normalisation as Reshape, InstanceNormalization by ones and zeros, Reshape.
      return reshaped.has(inputs[0]) && isFilled(slots[1], 1, tensors) && isFilled(slots[2], 0, tensors)
        ? []
        : affine();
    case "BatchNormalization":
    case "LayerNormalization":
    case "GroupNormalization":
      return [...affine(), ...as(slots[3], "statistic"), ...as(slots[4], "statistic")];
    case "PRelu":
      return as(slots[1], "slope");
    case "Gather":
      return slots[0]?.plain && slots[0].rank === 2 && !slots[0].flipped && isOfRows ? as(slots[0], "embedding") : [];
    case "Add":
    case "Sub":
      return behindAs("bias").filter(({ origin }) => !isMask(origin, tensors));
    case "Mul":
    case "Div":
      return behindAs("factor");
    case "Concat":
      return behindAs("table");
    default:
      return [];
  }
}

/** What is computed without the sample from tensors that the framework trains, by operators that have gradients. */
class ComputedFrom {
  readonly #sources = new Map<string, ReadonlySet<string>>();

  /** @param trained names of the tensors that the framework trains */
  constructor(trained: ReadonlySet<string>) {
    // What is computed from the parts of a weight under weight_norm and its like has them removed before the export.
    for (const name of trained) if (!isReparametrized(name)) this.#sources.set(name, new Set([name]));
  }

  /** The trained tensors that reach a node through its inputs, where gradients flow back to them. */
  readBy(node: Node): ReadonlySet<string> {
    return new Set(
      node.inputs.flatMap((name, position) => {
        const sources = this.#sources.get(name);
        return sources && typeof gradientOf(node, position) === "function" ? [...sources] : [];
      }),
    );
  }

  /** Takes note of a node that does not read the sample. */
  pass(node: Node): void {
    const sources = this.readBy(node);
    if (sources.size > 0) for (const output of node.outputs) this.#sources.set(output, sources);
  }
}

/** The rule of a node's gradient for one input. */
function gradientOf({ op, domain }: Node, position: number): InputRule | undefined {
  const gradient = domain === "" ? operatorOf(op)?.gradient : undefined;
  if (gradient === undefined || gradient === "none" || "unsupported" in gradient) return undefined;
  // An array has a method named `every`, so the forms are told apart by what only an array has.
  return "length" in gradient ? gradient[position] : gradient.every;
}

/** Is this a tensor from which PyTorch computes a weight, by weight_norm, spectral_norm, pruning and their like? */
export function isReparametrized(name: string): boolean {
  return /(^|\.)parametrizations\.|_(g|v|orig)$/.test(name);
}

function isFilled(origin: Origin | undefined, number: number, tensors: ReadonlyMap<string, Tensor>): boolean {
  const tensor = origin && tensors.get(origin.name);
  return tensor !== undefined && numbersOf(tensor).every((element) => element === number);
}

/** A tensor that is added to scores to leave some out: its −∞ would make training's numbers undefined. */
function isMask(origin: Origin, tensors: ReadonlyMap<string, Tensor>): boolean {
  const tensor = tensors.get(origin.name);
  if (!tensor) return false;
  const minusInfinity = { float16: 0xfc00, bfloat16: 0xff80 }[tensor.type as string] ?? Number.NEGATIVE_INFINITY;
  return (tensor.data as Float32Array).includes(minusInfinity);
}

function viewed(origin: Origin, node: Node, tensors: ReadonlyMap<string, Tensor>): Origin {
  if (node.op === "Identity" || node.op === "Cast") return origin;
  const tensor = tensors.get(origin.name);
  if (node.op === "Transpose" && origin.rank === 2) {
    const permutation = node.attributes.perm;
    const flips = permutation?.kind !== "ints" || permutation.value[0] === 1;
    return flips ? { ...origin, flipped: !origin.flipped } : origin;
  }
  const setting = tensors.get(node.inputs[1] ?? "");
  if (node.op === "Reshape" && setting) {
    const shape = numbersOf(setting);
    const rows = origin.rows && !origin.flipped && shape.at(-1) === tensor?.shape.at(-1);
    return { ...origin, plain: false, rank: shape.length, rows };
  }
  if (node.op === "Gather" && setting?.shape.length === 0 && origin.rank !== undefined && origin.rank > 1) {
    const axis = node.attributes.axis;
    const rows = origin.rows && !origin.flipped && (axis?.kind !== "int" || axis.value === 0);
    return { ...origin, plain: false, rank: origin.rank - 1, rows };
  }
  if (node.op === "Slice" || node.op === "Split") {
    const rows = origin.rows && !origin.flipped && keepsLastAxis(node, origin.rank, tensors);
    return { ...origin, plain: false, rows };
  }
  const repeated = origin.repeated || node.op === "Expand" || node.op === "Tile";
  return { ...origin, plain: false, rank: undefined, rows: false, repeated };
}

/** Does Slice or Split leave the last axis whole, as far as is known? */
function keepsLastAxis(
  { op, inputs, attributes: { axis } }: Node,
  rank: number | undefined,
  tensors: ReadonlyMap<string, Tensor>,
): boolean {
  const [starts, given] = [inputs[1], inputs[3]].map((name) => tensors.get(name ?? ""));
  const axes =
    op === "Split"
      ? [axis?.kind === "int" ? axis.value : 0]
      : given
        ? numbersOf(given)
        : starts && numbersOf(starts).map((_, index) => index);
  return (rank !== undefined && axes?.every((each) => each !== -1 && each !== rank - 1)) ?? false;
}

/** The layout of a tensor whose view has this one; undefined where that is none that is known. */
function layoutOf(origin: Origin, { shape }: Tensor, layout: WeightLayout): WeightLayout | undefined {
  if (layout.kind !== "matrix") return origin.plain && !origin.flipped ? layout : undefined;
  const inputAxis = origin.flipped ? (layout.inputAxis === 0 ? 1 : 0) : layout.inputAxis;
  if (origin.plain) return { kind: "matrix", inputAxis };
  // Rows of outputs, some of them or all.
  if (!origin.rows || inputAxis !== 1) return undefined;
  return shape.length === 3 ? { kind: "matrices" } : shape.length === 2 ? { kind: "matrix", inputAxis: 1 } : undefined;
}

/** How many inputs each output of a weight sums over. */
export function fanInOf(shape: readonly number[], layout: WeightLayout): number {
  if (layout.kind === "matrix") return shape[layout.inputAxis];
  if (layout.kind === "matrices") return shape[2];
  const kernel = sizeOf(shape.slice(2));
  return layout.transposed ? (shape[0] / layout.groups) * kernel : shape[1] * kernel;
}
