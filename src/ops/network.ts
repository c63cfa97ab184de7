/** A supervised network as headstart sees it: its sample input, and which of its tensors are parameters. */
import { type UserError, userError } from "../errors.js";
import { type Dimension, firstOutput, type Graph, type Node, type ValueInfo } from "../graph/graph.js";
import { dataTypes, isFloating, numbersOf, sizeOf, type Tensor } from "../graph/tensor.js";
import type { WeightLayout } from "../graph/weight-layout.js";
import { embeddingsOf, shapeOfEmbedding, withShapesOf } from "./embedding.js";
import type { ParameterRole, ParameterSpec } from "./parameter.js";
import { plainExport, plainTorchScriptExport } from "./plain-export.js";
import { withSharedShapes } from "./shared-shapes.js";
import { allRows, isBiasOf, type Rows, someRows, takeRows } from "./weight-rows.js";

/** A layer with a weight, as conditioning and reports walk them: input first. */
export interface Layer {
  readonly weight: ParameterSpec;
  readonly bias?: ParameterSpec;
  /**
   * Set where it has some of the weight's outputs only, as where attention keeps the matrices of query, key and value in
   * one tensor: these rows of the weight, and of the bias where that is as long.
   */
  readonly rows?: Rows;
  /** The value that the activation receives, bias included. */
  readonly preActivation: string;
  readonly node: Node;
  /** A normalisation reads the pre-activation directly. */
  readonly followedByNormalization: boolean;
  /** It is applied again to what came of it, as the matrix of a recurrent layer's state is; this is its first use. */
  readonly isRecurrent: boolean;
}

/** A graph of the pinned opset with what is known of its parts. */
export interface Network {
  /** The model file, for messages. */
  readonly where: string;
  readonly graph: Graph;
  /** The one input that takes samples; its first axis is the batch. */
  readonly input: ValueInfo;
  /** Declared batch size where it is fixed, else undefined. */
  readonly fixedBatch: number | undefined;
  /** Shape of one sample. */
  readonly sampleShape: readonly number[];
  /** Samples come as a tensor that the model computes. */
  readonly beginsInside: boolean;
  /** By name, in the order in which the computation meets them. */
  readonly parameters: ReadonlyMap<string, ParameterSpec>;
  /** Initializers and the values of Constant nodes. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Names of tensors that are known to be no parameters. */
  readonly constants: ReadonlySet<string>;
  readonly layers: readonly Layer[];
  readonly producers: ReadonlyMap<string, Node>;
  readonly consumers: ReadonlyMap<string, readonly Node[]>;
  /** The recurrent layer of the model that a node is a part of, by the node's first output. */
  readonly unrolled: ReadonlyMap<string, Node>;
  /** Why headstart cannot take a node that it knows, by its first output. */
  readonly obstacles: ReadonlyMap<string, string>;
}

export interface NetworkOptions {
  readonly where: string;
  /**
   * Name of the sample input, where a model has several inputs; or of a tensor inside the model, where samples come as
   * that tensor and what computes it is left out.
   */
  readonly input?: string;
  /** Name of a tensor up to which the network is frozen: what it depends on are constants, not parameters. */
  readonly frozen?: string;
  /** Shape of one sample, where the model leaves dimensions open. */
  readonly sampleShape?: readonly number[];
  /** Names of tensors that are known to be no parameters. */
  readonly constants?: ReadonlySet<string>;
  /** See {@link Network}; none by default. */
  readonly unrolled?: ReadonlyMap<string, Node>;
  readonly obstacles?: ReadonlyMap<string, string>;
}

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
/** Reasons by operators, those of other domains with their domain in front. */
const obstacles: readonly (readonly [RegExp, string])[] = [
  [
    /^(Random(Uniform|Normal)(Like)?|Bernoulli)$/,
    "it draws random numbers, as dropout and its like do in training mode; export the network in evaluation mode, in PyTorch model.eval()",
  ],
  [
    /^(Dynamic)?QuantizeLinear$|^DequantizeLinear$|^QLinear|^(Conv|MatMul)Integer$/,
    "the model is quantised; give the one in floating point that it was made of",
  ],
  [/^com\.microsoft\b/, "ONNX Runtime has optimised or quantised the model; give the one that it was made of"],
  [
    /^(If|Loop|Scan)$/,
    "what it computes depends on the samples' values or is repeated; give a network without such control flow",
  ],
  [
    /^(STFT|DFT|MelWeightMatrix|(Hann|Hamming|Blackman)Window)$/,
    "it makes spectra of signals; begin behind them with --input and --input-shape, and give spectra as samples",
  ],
];
const normalizations = new Set([
  "BatchNormalization",
  "InstanceNormalization",
  "LayerNormalization",
  "GroupNormalization",
]);

/**
 * Finds input and parameters of an upgraded graph.
 *
 * @throws UserError where there is no sample input, or several to choose from, or where a dimension is left open
 */
export function analyzeNetwork(whole: Graph, options: NetworkOptions): Network {
  const begun = beginAt(whole, options);
  const tensors = storedTensors(begun);
  const input = sampleInput(begun, options);
  const graph = withSharedShapes(begun, input);
  const shape = input.shape ?? options.sampleShape?.map((size): Dimension => size) ?? [];
  const declared = input.shape ? shape.slice(1) : shape;
  const sampleShape = fixedSampleShape(declared, input, options);
  const batch = input.shape?.[0];
  const producers = new Map<string, Node>();
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output) producers.set(output, node);
    for (const name of new Set(node.inputs)) {
      const known = consumers.get(name);
      if (known) known.push(node);
      else if (name) consumers.set(name, [node]);
    }
  }
  const parameters = findParameters(graph, input.name, tensors, options);
  if (options.frozen !== undefined)
    for (const name of frozenNames(graph, options.frozen, options.where)) parameters.delete(name);
  return {
    where: options.where,
    graph,
    input,
    fixedBatch: typeof batch === "number" && batch > 0 ? batch : undefined,
    sampleShape,
    beginsInside: begun !== whole,
    parameters,
    tensors,
    constants: options.constants ?? new Set(),
    layers: findLayers(graph, parameters, tensors, consumers),
    producers,
    consumers,
    unrolled: options.unrolled ?? new Map(),
    obstacles: new Map([...knownObstacles(graph), ...(options.obstacles ?? [])]),
  };
}

/** What headstart has no operator for, for reasons that can be told, by first output. */
function knownObstacles({ nodes }: Graph): readonly (readonly [string, string])[] {
  return nodes.flatMap((node) => {
    const operator = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
    const [, why] = obstacles.find(([operators]) => operators.test(operator)) ?? [];
    return why === undefined ? [] : [[firstOutput(node), why] as const];
  });
}

/** An upgraded graph's initializers and the values of its Constant nodes. */
export function storedTensors(graph: Graph): Map<string, Tensor> {
  const tensors = new Map(graph.initializers);
  for (const node of graph.nodes) {
    const value = node.op === "Constant" ? node.attributes.value : undefined;
    if (value?.kind === "tensor") tensors.set(node.outputs[0], value.value);
  }
  return tensors;
}

/** A graph whose sample input is a tensor that the model computes: without the node that computes it. */
function beginAt(graph: Graph, { input, sampleShape, where }: NetworkOptions): Graph {
  const producer = graph.nodes.find(({ outputs }) => input !== undefined && input !== "" && outputs.includes(input));
  if (input === undefined || !producer) return graph;
  const embedding = embeddingsOf(graph, storedTensors(graph)).find(({ node }) => node === producer);
  const shape =
    (embedding && shapeOfEmbedding(embedding, graph.inputs)) ??
    (sampleShape && ([nameOfBatch(graph, input, where), ...sampleShape] as const));
  if (!shape)
    throw userError({
      where: `${where}: tensor ${input}`,
      required: "the shape of one sample, where samples come as a tensor inside the model",
      got: "none",
      advice: "Give it with --input-shape, such as 3x32x32.",
    });
  const begun = { name: input, type: "float32", shape } as const;
  const nodes = graph.nodes.map((node) =>
    node === producer ? { ...node, outputs: node.outputs.map((name) => (name === input ? "" : name)) } : node,
  );
  const kept = nodes.filter(({ outputs }) => outputs.some((name) => name !== ""));
  return {
    ...graph,
    inputs: [...graph.inputs, begun],
    nodes: embedding ? withShapesOf(embedding, shape.length - 1, kept) : kept,
  };
}

/** What the inputs that a tensor is computed from call their first axis where it is open, so that its own is known for the same. */
function nameOfBatch(graph: Graph, tensor: string, where: string): string {
  const sources = frozenNames(graph, tensor, where);
  const names = graph.inputs.filter(({ name }) => sources.has(name)).map(({ shape }) => shape?.[0]);
  return names.find((name) => typeof name === "string" && name !== "")?.toString() ?? "batch";
}

/** Everything that a tensor is computed from. */
function frozenNames(graph: Graph, tensor: string, where: string): Set<string> {
  const names = new Set([tensor]);
  if (!graph.nodes.some(({ outputs }) => outputs.includes(tensor)))
    throw userError({
      where,
      required: "the name of a tensor that the network computes, up to which it is frozen",
      got: `"${tensor}"`,
      advice: '"headstart inspect" lists them.',
    });
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const { inputs, outputs } = graph.nodes[index];
    if (outputs.some((name) => names.has(name))) for (const name of inputs) names.add(name);
  }
  return names;
}

function sampleInput(graph: Graph, options: NetworkOptions): ValueInfo {
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  if (options.input !== undefined) {
    const named = inputs.find(({ name }) => name === options.input);
    if (!named)
      throw userError({
        where: options.where,
        required: `an input named "${options.input}"`,
        got: namesOf(inputs),
        advice: "Name one of the model's inputs, or a tensor that it computes.",
      });
    const isLookedUp = embeddingsOf(graph, storedTensors(graph)).some(({ integers }) => integers === named.name);
    if (isLookedUp && !isFloating(named.type))
      throw userError({
        where: `${options.where}: input ${named.name}`,
        required: "samples of numbers",
        got: "integers that an embedding reads",
        advice: `They cannot be learned from: ${beginningBehind(graph)}.`,
      });
    return named;
  }
  const floating = inputs.filter(({ type }) => isFloating(type));
  const counted = inputs.filter(({ name }) => isMadeFloating(graph, name));
  const candidates = floating.length > 0 ? floating : counted;
  if (candidates.length !== 1)
    throw userError({
      where: options.where,
      required: "a model with one floating-point input that takes the samples",
      got: namesOf(inputs),
      advice:
        candidates.length > 1
          ? "Choose one with --input NAME."
          : inputs.length > 0
            ? `Integers, as of tokens and categories, cannot be learned from: ${beginningBehind(graph)}; a table's categories become vectors with --categories embedding.`
            : "Export the model with a float input.",
    });
  return candidates[0];
}

/** Is an input, such as a picture in whole numbers, read as floating-point numbers throughout? */
function isMadeFloating({ nodes }: Graph, name: string): boolean {
  const readers = nodes.filter(({ op, inputs }) => op !== "Shape" && inputs.includes(name));
  return (
    readers.length > 0 &&
    readers.every(({ op, attributes: { to } }) => {
      const type = op === "Cast" && to?.kind === "int" ? dataTypes[to.value - 1] : undefined;
      return type !== undefined && isFloating(type);
    })
  );
}

/** How to begin with vectors in place of integers. */
function beginningBehind(graph: Graph): string {
  const options = embeddingsOf(graph, storedTensors(graph)).flatMap((embedding) => {
    const sizes = shapeOfEmbedding(embedding, graph.inputs)?.slice(1);
    const shape = sizes?.map((size) => (typeof size === "number" && size > 0 ? size : "LENGTH")).join("x");
    return shape === undefined ? [] : [`--input ${embedding.output} --input-shape ${shape}`];
  });
  return options.length === 0
    ? "begin behind their embedding, with its output as --input and --input-shape"
    : `begin behind their embedding, with ${options.slice(0, 3).join(" or ")}, and its vectors as samples`;
}

function namesOf(inputs: readonly ValueInfo[]): string {
  return inputs.length === 0 ? "no inputs" : inputs.map(({ name, type }) => `${name} (${type})`).join(", ");
}

function fixedSampleShape(declared: readonly Dimension[], input: ValueInfo, options: NetworkOptions): number[] {
  const given = options.sampleShape;
  const fail = (got: string): UserError =>
    userError({
      where: `${options.where}: input ${input.name}`,
      required: "a batch axis and a known shape of one sample",
      got,
      advice: "Give the sample's shape with --input-shape, such as 3x32x32.",
    });
  const printed = `[${(input.shape ?? []).map((dimension) => dimension ?? "?").join(", ")}]`;
  if (given) {
    const fits =
      declared.length === given.length &&
      declared.every((size, axis) => typeof size !== "number" || size <= 0 || size === given[axis]);
    if (!fits) throw fail(`the model's ${printed} against --input-shape ${given.join("x")}`);
    return [...given];
  }
  if (declared.length === 0) throw fail(input.shape ? `the shape ${printed}` : "an unknown rank");
  return declared.map((size) => {
    if (typeof size !== "number" || size <= 0) throw fail(printed);
    return size;
  });
}

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

function findParameters(
  graph: Graph,
  inputName: string,
  tensors: ReadonlyMap<string, Tensor>,
  { where, constants }: NetworkOptions,
): Map<string, ParameterSpec> {
  const found = new Map<string, ParameterSpec>();
  const origins = new Map<string, Origin>();
  for (const [name, tensor] of tensors)
    if (isFloating(tensor.type) && !constants?.has(name))
      origins.set(name, { name, flipped: false, plain: true, rank: tensor.shape.length, rows: true, repeated: false });
  /** Values that depend on the sample, and those of them that lie behind a weight. */
  const fromSample = new Set([inputName]);
  const behindWeight = new Set<string>();
  const reshaped = new Set<string>();
  const isFilled = (origin: Origin | undefined, number: number): boolean => {
    const tensor = origin && tensors.get(origin.name);
    return tensor !== undefined && numbersOf(tensor).every((element) => element === number);
  };
  const fanIns = new Map<string, number>();
  const add = (origin: Origin, role: ParameterRole, layout?: WeightLayout, fanIn?: number): void => {
    const tensor = tensors.get(origin.name);
    if (!tensor) return;
    const known = found.get(origin.name);
    if (known && (known.role === "statistic") !== (role === "statistic"))
      throw userError({
        where: `${where}: tensor ${origin.name}`,
        required: "one purpose",
        got: "a running statistic that is a learned parameter too, since the exporter has merged equal tensors",
        advice: `In PyTorch, export with ${plainExport}, or with ${plainTorchScriptExport}.`,
      });
    if (known) return;
    const carried = layout && layoutOf(origin, tensor, layout);
    found.set(origin.name, {
      name: origin.name,
      shape: tensor.shape,
      role,
      ...(carried ? { layout: carried } : {}),
      ...(fanIn === undefined ? {} : { fanIn }),
    });
  };
  for (const node of graph.nodes) {
    // A shape depends on the sample's shape only, which is known.
    if (node.op === "Constant" || node.op === "Shape" || node.op === "Size") continue;
    const slots = node.inputs.map((name) => (fromSample.has(name) ? undefined : origins.get(name)));
    const touchesSample = node.inputs.some((name) => fromSample.has(name));
    if (!touchesSample) {
      const origin = slots[0];
      // One number expanded to many is no parameter: exporters write a missing bias as zero, expanded.
      const isFilling = node.op === "Expand" && sizeOf(tensors.get(origin?.name ?? "")?.shape ?? []) === 1;
      if (origin && views.has(node.op) && !isFilling)
        for (const output of node.outputs) origins.set(output, viewed(origin, node, tensors));
      if (!origin?.repeated || !queryLayers.has(node.op)) continue;
      // From here on, a learned query is what a sample is to other layers.
      add(origin, "table");
      slots[0] = undefined;
    }
    const behind = node.inputs.some((name) => behindWeight.has(name));
    let weighted = false;
    let fanIn = Math.max(0, ...node.inputs.map((name) => fanIns.get(name) ?? 0)) || undefined;
    const weight = (origin: Origin | undefined, layout: WeightLayout | undefined): void => {
      const tensor = origin && tensors.get(origin.name);
      if (!origin || !tensor || sizeOf(tensor.shape) < 2) return;
      weighted = true;
      const shape = origin.flipped ? [...tensor.shape].reverse() : tensor.shape;
      if (layout) fanIn = fanInOf(shape, layout);
      add(origin, "weight", layout, fanIn);
    };
    const other = (origin: Origin | undefined, role: ParameterRole): void => {
      if (origin) add(origin, role, undefined, role === "bias" ? fanIn : undefined);
    };
    const many = (origin: Origin | undefined): boolean => {
      const tensor = origin && tensors.get(origin.name);
      return tensor !== undefined && sizeOf(tensor.shape) > 1;
    };
    switch (node.op) {
      case "Conv":
      case "ConvTranspose": {
        const group = node.attributes.group;
        const layout = {
          kind: "convolution",
          groups: group?.kind === "int" ? group.value : 1,
          transposed: node.op === "ConvTranspose",
        } as const;
        weight(slots[1], layout);
        other(slots[2], "bias");
        break;
      }
      case "Gemm": {
        const flag = (name: string): boolean =>
          node.attributes[name]?.kind === "int" && node.attributes[name].value === 1;
        weight(slots[1], { kind: "matrix", inputAxis: flag("transB") ? 1 : 0 });
        weight(slots[0], { kind: "matrix", inputAxis: flag("transA") ? 0 : 1 });
        other(slots[2], "bias");
        break;
      }
      case "MatMul": {
        weight(slots[1], slots[1]?.rank === 2 ? { kind: "matrix", inputAxis: 0 } : undefined);
        weight(slots[0], slots[0]?.rank === 2 ? { kind: "matrix", inputAxis: 1 } : undefined);
        break;
      }
      case "InstanceNormalization":
        weighted = true;
        // Exporters write group normalisation as Reshape, InstanceNormalization by ones and zeros, Reshape.
        if (reshaped.has(node.inputs[0]) && isFilled(slots[1], 1) && isFilled(slots[2], 0)) break;
        other(slots[1], "scale");
        other(slots[2], "shift");
        break;
      case "BatchNormalization":
      case "LayerNormalization":
      case "GroupNormalization":
        weighted = true;
        other(slots[1], "scale");
        other(slots[2], "shift");
        other(slots[3], "statistic");
        other(slots[4], "statistic");
        break;
      case "PRelu":
        other(slots[1], "slope");
        break;
      case "Add":
      case "Sub":
        for (const slot of slots) if (behind && many(slot) && !isMask(slot, tensors)) other(slot, "bias");
        break;
      case "Mul":
      case "Div":
        for (const slot of slots) if (behind && many(slot)) other(slot, "factor");
        break;
      case "Concat":
        for (const slot of slots) if (behind && many(slot)) other(slot, "table");
        break;
    }
    for (const output of node.outputs) {
      if (node.op === "Reshape") reshaped.add(output);
      fromSample.add(output);
      if (behind || weighted) behindWeight.add(output);
      if (fanIn !== undefined) fanIns.set(output, fanIn);
    }
  }
  return found;
}

/** A tensor that is added to scores to leave some out: its −∞ would make training's numbers undefined. */
function isMask(origin: Origin | undefined, tensors: ReadonlyMap<string, Tensor>): boolean {
  const tensor = origin && tensors.get(origin.name);
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

function findLayers(
  graph: Graph,
  parameters: ReadonlyMap<string, ParameterSpec>,
  tensors: ReadonlyMap<string, Tensor>,
  consumers: ReadonlyMap<string, readonly Node[]>,
): Layer[] {
  const aliases = new Map<string, string>([...parameters.keys()].map((name) => [name, name]));
  const parts = new Map([...parameters.values()].map((spec) => [spec.name, allRows(spec)]));
  const layers: Layer[] = [];
  const repeated = new RepeatedUses();
  for (const node of graph.nodes) {
    const first = aliases.get(node.inputs[0]);
    if (first !== undefined && views.has(node.op)) {
      for (const output of node.outputs) aliases.set(output, first);
      takeRows(node, parts, tensors);
    }
    repeated.pass(node);
    if (node.op !== "Conv" && node.op !== "ConvTranspose" && node.op !== "Gemm" && node.op !== "MatMul") continue;
    const operand = node.inputs
      .slice(0, 2)
      .findIndex((name) => parameters.get(aliases.get(name) ?? "")?.role === "weight");
    const matrix = node.inputs[operand];
    const weight = parameters.get(aliases.get(matrix) ?? "");
    if (!weight) continue;
    const rows = someRows(weight, parts.get(matrix));
    repeated.use(node, weight.name, directionOf(node, operand, parts.get(matrix)?.isTurned ?? false));
    let bias = node.inputs[2] ? parameters.get(aliases.get(node.inputs[2]) ?? "") : undefined;
    let preActivation = node.outputs[0];
    const followers = consumers.get(preActivation) ?? [];
    if (!bias && followers.length === 1 && followers[0].op === "Add") {
      const added = followers[0].inputs
        .filter((name) => name !== preActivation)
        .find((name) => parameters.get(aliases.get(name) ?? "")?.role === "bias");
      const spec = parameters.get(aliases.get(added ?? "") ?? "");
      if (added !== undefined && spec && isBiasOf(rows, unitsOf(weight), spec, parts.get(added))) {
        bias = spec;
        preActivation = followers[0].outputs[0];
      }
    }
    const readers = consumers.get(preActivation) ?? [];
    layers.push({
      weight,
      ...(bias ? { bias } : {}),
      ...(rows ? { rows } : {}),
      preActivation,
      node,
      followedByNormalization: readers.some((reader) => normalizations.has(reader.op)),
      isRecurrent: false,
    });
  }
  const seen = new Set<string>();
  return layers.flatMap((layer) => {
    const { name } = layer.weight;
    if (!repeated.weights.has(name)) return [layer];
    if (seen.has(name)) return [];
    seen.add(name);
    return [{ ...layer, isRecurrent: true }];
  });
}

/** Which way round a layer applies its weight: a decoder that is tied to its encoder applies the encoder's turned. */
function directionOf({ op, attributes }: Node, operand: number, isTurned: boolean): string {
  if (op === "Conv" || op === "ConvTranspose") return op;
  const flag = attributes[operand === 0 ? "transA" : "transB"];
  const isTransposed = op === "Gemm" && flag?.kind === "int" && flag.value !== 0;
  return (operand === 0) === (isTransposed === isTurned) ? "inputs on axis 1" : "inputs on axis 0";
}

/** Finds the weights that are applied, the same way round, to what has come of them, walking a graph in its order. */
class RepeatedUses {
  readonly weights = new Set<string>();
  /** The weights on which a value depends, each with a direction. */
  readonly #behind = new Map<string, ReadonlySet<string>>();

  /** Takes note of what a node's outputs depend on. */
  pass({ inputs, outputs }: Node): void {
    let all: ReadonlySet<string> | undefined;
    for (const name of inputs) {
      const some = this.#behind.get(name);
      if (!some || some === all) continue;
      all = all && [...some].some((each) => !all?.has(each)) ? new Set([...all, ...some]) : (all ?? some);
    }
    if (all) for (const name of outputs) this.#behind.set(name, all);
  }

  /** Takes note of a layer, after its node. */
  use({ outputs }: Node, weight: string, direction: string): void {
    const before = this.#behind.get(outputs[0]);
    const use = JSON.stringify([weight, direction]);
    if (before?.has(use)) this.weights.add(weight);
    else for (const name of outputs) this.#behind.set(name, new Set([...(before ?? []), use]));
  }
}

/** Number of a weight's outputs; undefined where its layout is not known. */
export function unitsOf(weight: ParameterSpec): number | undefined {
  const { layout, shape } = weight;
  if (!layout) return undefined;
  if (layout.kind === "matrix") return shape[1 - layout.inputAxis];
  if (layout.kind === "matrices") return shape[0] * shape[1];
  return layout.transposed ? shape[1] * layout.groups : shape[0];
}

/** The nodes on which a value depends, in the graph's order. */
export function ancestors(network: Network, targets: readonly string[]): Node[] {
  const needed = new Set(targets);
  const nodes: Node[] = [];
  for (let index = network.graph.nodes.length - 1; index >= 0; index--) {
    const node = network.graph.nodes[index];
    if (!node.outputs.some((output) => needed.has(output))) continue;
    nodes.push(node);
    for (const name of node.inputs) needed.add(name);
  }
  return nodes.reverse();
}
