/** Writes a Keras model as an ONNX graph, layer by layer. */
import { type UserError, userError } from "../errors.js";
import { type Attributes, attribute, type Dimension, type Graph, type Node } from "../graph/graph.js";
import { floatTensor, intTensor, type Tensor } from "../graph/tensor.js";
import { describe } from "./keras-calls.js";
import type { LayerConfig } from "./keras-config.js";
import { type Conversion, type LayerPlace, nameOf, toGraph, type VariableStore } from "./keras-variables.js";

/**
 * A value as Keras sees it: its shape without the batch, channels last. The graph may have it in that order, in ONNX's
 * (channels first), or in both; with one axis or none they are the same.
 */
export interface KerasValue {
  readonly shape: readonly number[];
  last?: string;
  first?: string;
  /** Of a sequence: [batch, length, 1], 0 at positions that Masking or mask_zero has left out, 1 at others. */
  readonly mask?: string;
}

/** An order of axes. */
export type Order = "first" | "last";

/** The graph under construction. Names of weights are Keras' own: the layer's, a slash, the weight's. */
export class KerasGraph {
  readonly nodes: Node[] = [];
  readonly initializers = new Map<string, Tensor>();
  readonly inputs: { name: string; type: "float32" | "int32"; shape: Dimension[] }[] = [];
  readonly conversions = new Map<string, Conversion>();
  /** Tensors that are not trained: those that are no weights, and weights of layers that are not trainable. */
  readonly constants = new Set<string>();
  /** Layers that are called as in training whatever the model does, and that compute something else then. */
  readonly inTraining = new Set<string>();
  /** Layers that leave positions out. */
  readonly masking = new Set<string>();
  /** Layers that would leave positions out by integers that samples do not have. */
  readonly unmasked = new Set<string>();
  /** By inputs: their integers as floating-point numbers, and where these are not 0, as {@link KerasValue} has it. */
  readonly tokenMasks = new Map<string, { readonly numbers: string; readonly mask: string }>();
  readonly #names = new Set<string>();

  constructor(
    /** The file, for messages. */
    readonly where: string,
    readonly store: VariableStore,
    /** Keras' major version: 2 (and TensorFlow.js) or 3. */
    readonly version: 2 | 3,
    /** What to do with a model that is not read, as a sentence. */
    readonly alternative: string,
    /** Whether layers do what TensorFlow.js does where that differs from Keras. */
    readonly isTensorflowJs: boolean,
    /** Whether the model's inputs are there; not, where samples come as a tensor that the model computes. */
    readonly knowsTokens: boolean,
  ) {}

  /** A name that nothing has yet: `stem`, or with a number behind it. */
  fresh(stem: string): string {
    let name = stem;
    for (let count = 1; this.#names.has(name); count++) name = `${stem}_${count}`;
    this.#names.add(name);
    return name;
  }

  build(name: string, outputs: readonly { readonly name: string; readonly shape: readonly Dimension[] }[]): Graph {
    return {
      name,
      inputs: this.inputs,
      outputs: outputs.map((output) => ({ ...output, type: "float32" })),
      initializers: this.initializers,
      nodes: this.nodes,
    };
  }
}

/** One call of a layer, with what a converter of layers needs: settings, weights, nodes. */
export class LayerContext {
  readonly where: string;
  readonly scope: string;
  /** How many weights of its own the call has asked for. */
  weights = 0;

  constructor(
    readonly graph: KerasGraph,
    readonly layer: LayerConfig,
    readonly place: LayerPlace,
  ) {
    this.scope = nameOf(place);
    this.where = `${graph.where}: layer ${this.scope} (${layer.className})`;
  }

  /**
   * The context of a layer inside this one, or of its cell. It is not trainable where this one is not.
   *
   * @param group in which Keras 3 stores it, within this one's
   * @param first how many of this one's weights come before its own
   */
  inside(layer: LayerConfig, group: string, first = 0): LayerContext {
    const { part } = this.place;
    const trainable = this.flag("trainable", true) && (layer.settings.trainable ?? true);
    const { training } = this.layer.settings;
    return new LayerContext(
      this.graph,
      { ...layer, settings: { ...layer.settings, trainable, training } },
      {
        names: this.place.names,
        group: `${this.place.group}/${group}`,
        part: { names: [...(part?.names ?? []), layer.name], first: (part?.first ?? 0) + first },
      },
    );
  }

  refuse(required: string, got: string): UserError {
    return userError({
      where: this.where,
      required,
      got,
      advice: `headstart does not read this from the model's own file. ${this.graph.alternative}`,
    });
  }

  // --- settings

  /** A setting, or `initial` where the file lacks it. What is null in the file means something of its own. */
  #setting(key: string, initial: unknown): unknown {
    const given = this.layer.settings[key];
    return given === undefined ? initial : given;
  }

  number(key: string, initial?: number): number {
    const value = this.#setting(key, initial);
    if (typeof value !== "number" || !Number.isFinite(value)) throw this.refuse(`a number for ${key}`, describe(value));
    return value;
  }

  /** A positive whole number. */
  count(key: string, initial?: number): number {
    const value = this.number(key, initial);
    if (!Number.isSafeInteger(value) || value < 1) throw this.refuse(`a count for ${key}`, String(value));
    return value;
  }

  /** Null counts as false. */
  flag(key: string, initial: boolean): boolean {
    const value = this.#setting(key, initial) ?? false;
    if (typeof value !== "boolean") throw this.refuse(`true or false for ${key}`, describe(value));
    return value;
  }

  text(key: string, initial: string): string {
    const value = this.#setting(key, initial);
    if (typeof value !== "string") throw this.refuse(`a name for ${key}`, describe(value));
    return value;
  }

  /** As many positive whole numbers; one number counts for all. */
  counts(key: string, length: number, initial?: number): number[] {
    const value = this.#setting(key, initial);
    const list = typeof value === "number" ? new Array<number>(length).fill(value) : value;
    if (
      !Array.isArray(list) ||
      list.length !== length ||
      !list.every((size) => Number.isSafeInteger(size) && size >= 1)
    )
      throw this.refuse(`${length} counts for ${key}`, describe(value));
    return list;
  }

  requireChannelsLast(): void {
    const format = this.layer.settings.data_format ?? "channels_last";
    if (format !== "channels_last") throw this.refuse("data_format channels_last", describe(format));
  }

  requireRank(value: KerasValue, rank: number): void {
    if (value.shape.length !== rank)
      throw this.refuse(`an input of ${rank} axes beside the batch`, `the shape [${value.shape.join(", ")}]`);
  }

  /** The size of an output's axis, which must not vanish. */
  requirePositive(shape: readonly number[]): readonly number[] {
    if (!shape.every((size) => size >= 1 && size < 2 ** 31))
      throw this.refuse("an output that is not empty", `the shape [${shape.join(", ")}]`);
    return shape;
  }

  // --- weights and constants

  /**
   * A weight as an initializer.
   *
   * @param permutation how ONNX orders the axes of Keras' shape
   * @param graphShape ONNX's shape, where it is not just permuted
   */
  variable(
    name: string,
    index: number,
    shape: readonly number[],
    permutation?: readonly number[],
    graphShape?: readonly number[],
  ): string {
    const full = `${this.scope}/${name}`;
    this.weights = Math.max(this.weights, index + 1);
    const permuted = permutation ? permutation.map((axis) => shape[axis]) : shape;
    const known = this.graph.conversions.get(full);
    const wanted = { stored: shape, permutation, shape: graphShape ?? permuted };
    if (known) {
      if (known.shape.join() !== wanted.shape.join() || known.permutation?.join() !== permutation?.join())
        throw this.refuse("one layout of its weights", "calls that need two");
      return full;
    }
    const { key, data } = this.graph.store.read(this.place, { name, index, shape });
    const conversion = { key, ...wanted };
    this.graph.conversions.set(full, conversion);
    if (!this.flag("trainable", true)) this.graph.constants.add(full);
    this.graph.fresh(full);
    this.graph.initializers.set(full, toGraph(data, conversion));
    return full;
  }

  /** A tensor that is no weight. */
  constant(tensor: Tensor, stem: string): string {
    const name = this.graph.fresh(`${this.scope}/${stem}`);
    this.graph.constants.add(name);
    this.graph.initializers.set(name, tensor);
    return name;
  }

  /** One number many times over, which is no weight. */
  filled(value: number, shape: readonly number[], stem: string): string {
    const number = this.constant(floatTensor([value], [1]), stem);
    return this.node("Expand", [number, this.constant(intTensor(shape), `${stem}-shape`)]);
  }

  // --- nodes

  /** Adds a node. @returns the name of its output */
  node(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const name = this.graph.fresh(`${this.scope}/${op}`);
    this.graph.nodes.push({ op, domain: "", name, inputs, outputs: [name], attributes });
    return name;
  }

  /** The value's name in this order of axes, transposed where the graph has it in the other only. */
  in(value: KerasValue, order: Order): string {
    const known = value[order];
    if (known !== undefined) return known;
    const other = order === "first" ? value.last : value.first;
    if (other === undefined) throw new Error("a value without a name");
    const rank = value.shape.length;
    if (rank < 2) return other;
    const axes = Array.from({ length: rank - 1 }, (_, axis) => axis + 1);
    const permutation = order === "first" ? [0, rank, ...axes] : [0, ...axes.map((axis) => axis + 1), 1];
    const name = this.node("Transpose", [other], { perm: attribute.ints(permutation) });
    value[order] = name;
    return name;
  }

  first(value: KerasValue): string {
    return this.in(value, "first");
  }

  last(value: KerasValue): string {
    return this.in(value, "last");
  }

  /** The order in which the value is there already; channels first, where both are. */
  orderOf(value: KerasValue): Order {
    return value.first === undefined ? "last" : "first";
  }

  /** Something done to each element: the order of axes does not matter, and stays. */
  map(value: KerasValue, body: (name: string) => string): KerasValue {
    const order = this.orderOf(value);
    return { shape: value.shape, [order]: body(this.in(value, order)) };
  }

  /** An axis of Keras' shape with the batch (0 is the batch, −1 the last) as an axis of the value in this order. */
  axis(axis: number, value: KerasValue, order: Order): number {
    const rank = value.shape.length + 1;
    const counted = axis < 0 ? axis + rank : axis;
    if (!Number.isSafeInteger(axis) || counted < 1 || counted >= rank)
      throw this.refuse(`an axis from 1 to ${rank - 1}`, String(axis));
    if (order === "last" || rank < 3) return counted;
    return counted === rank - 1 ? 1 : counted + 1;
  }
}
