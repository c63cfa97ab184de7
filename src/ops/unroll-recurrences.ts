/** Writes LSTM, GRU and RNN as what they compute at each position of the sequence, whose length the sample's shape says. */
import { UserError } from "../errors.js";
import { type Attributes, attribute, firstOutput, type Graph, type Node } from "../graph/graph.js";
import { directionTensors, type Gate, maskOf, recurrentDomain, stackedGates } from "../graph/recurrent-node.js";
import { intTensor, type Tensor } from "../graph/tensor.js";
import { Emitter } from "./emitter.js";
import { instantiate, parameterInputs } from "./instantiate.js";
import { analyzeNetwork, type NetworkOptions } from "./network.js";
import { intAttribute } from "./operator.js";
import {
  type NodeWriter,
  type RecurrentDirection,
  type RecurrentSettings,
  type RecurrentStates,
  writeProduct,
  writeRecurrence,
} from "./recurrent-layer.js";
import { upgradeGraph } from "./upgrade.js";

/** A graph without the recurrent layers that could be unrolled. */
export interface UnrolledGraph {
  readonly graph: Graph;
  /** The layer that a node is a part of, by the node's first output. */
  readonly layers: ReadonlyMap<string, Node>;
  /** Why a layer could not be unrolled, by its first output. */
  readonly obstacles: ReadonlyMap<string, string>;
}

/** Graphs grow with the sequence: at this length an LSTM takes about a minute to start and 2 GB. */
export const longestSequence = 512;
/** The same for the positions of all layers and directions together. */
export const mostPositions = 2048;

const usualActivations: Readonly<Record<RecurrentSettings["kind"], readonly string[]>> = {
  LSTM: ["Sigmoid", "Tanh", "Tanh"],
  GRU: ["Sigmoid", "Tanh"],
  RNN: ["Tanh"],
};
/** Activations of ONNX's recurrent layers that are operators of the same name, with the same settings by default. */
export const knownActivations = ["Sigmoid", "Tanh", "Relu", "Softsign", "Softplus", "HardSigmoid"];

/** Says why a layer, or a loop, stays as it is. */
export class Obstacle extends Error {}

/**
 * Unrolls every recurrent layer of a graph, in order: how long the next one's sequence is may depend on the one before.
 *
 * @param graph of its model's own operator set
 */
export function unrollRecurrences(graph: Graph, opset: number, options: NetworkOptions): UnrolledGraph {
  const layers = new Map<string, Node>();
  const obstacles = new Map<string, string>();
  let current = graph;
  let positions = 0;
  for (;;) {
    const node = current.nodes.find((each) => isRecurrent(each) && !obstacles.has(firstOutput(each)));
    if (!node) return { graph: current, layers, obstacles };
    try {
      const unrolling = new Unrolling(current, opset, options, node);
      positions += unrolling.positions;
      if (positions > mostPositions)
        throw new Obstacle(`with it recurrent layers have more than ${mostPositions} positions in all`);
      const { nodes, initializers } = unrolling.write();
      for (const each of nodes) layers.set(each.outputs[0], node);
      current = {
        ...current,
        initializers: new Map([...current.initializers, ...initializers]),
        nodes: current.nodes.flatMap((each) => (each === node ? nodes : [each])),
      };
    } catch (error) {
      if (!(error instanceof Obstacle)) throw error;
      obstacles.set(firstOutput(node), error.message);
    }
  }
}

function isRecurrent({ op, domain }: Node): boolean {
  return Object.hasOwn(stackedGates, op) && (domain === "" || domain === recurrentDomain);
}

class Unrolling {
  readonly #node: Node;
  readonly #kind: RecurrentSettings["kind"];
  /** The node that makes the sequence; undefined where samples come as the sequence. */
  readonly #producer: Node | undefined;
  readonly #names: Set<string>;
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, Tensor>();
  /** Shapes by name for a batch of two, and the values that are zero whatever the batch is. */
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #zeros: ReadonlySet<string>;
  readonly #length: number;

  constructor(graph: Graph, opset: number, options: NetworkOptions, node: Node) {
    this.#node = node;
    this.#kind = node.op as RecurrentSettings["kind"];
    const [sequence] = node.inputs;
    this.#producer = graph.nodes.find(({ outputs }) => sequence !== options.input && outputs.includes(sequence));
    this.#names = new Set(graph.initializers.keys());
    for (const { name } of graph.inputs) this.#names.add(name);
    for (const { inputs, outputs } of graph.nodes) for (const name of [...inputs, ...outputs]) this.#names.add(name);
    const known = inputsOf(upgradeGraph(graph, opset), node, options, [2, 3]);
    this.#shapes = known[0].shapes;
    this.#zeros = new Set([...known[0].zeros].filter((name) => known[1].zeros.has(name)));
    const [first, second] = known.map(({ shapes }) => shapes.get(node.inputs[0])?.[this.#batchFirst ? 1 : 0] ?? 0);
    if (first !== second)
      throw new Obstacle(
        "its sequences run along the first axis of the samples' input, which is taken for the batch; export the network with batch_first=True",
      );
    if (first < 1 || first > longestSequence)
      throw new Obstacle(`sequences of 1 to ${longestSequence} positions can be trained, not of ${first}`);
    this.#length = first;
  }

  /** How many positions are computed, over all directions. */
  get positions(): number {
    return this.#directions().length * this.#length;
  }

  write(): { readonly nodes: readonly Node[]; readonly initializers: ReadonlyMap<string, Tensor> } {
    const settings = this.#settings();
    const backwards = this.#directions();
    const sequence = this.#sequence();
    const directions =
      this.#node.domain === recurrentDomain
        ? this.#ownMatrices(settings, sequence, backwards.length)
        : this.#stackedMatrices(settings, sequence, backwards.length);
    const writer = this.#writer;
    const results = directions.map((direction, index) =>
      writeRecurrence(
        {
          ...writer,
          nodes: (part, ...rest) => writer.nodes(directions.length > 1 ? `${index}/${part}` : part, ...rest),
        },
        settings,
        { ...direction, reversed: backwards[index] },
        this.#length,
      ),
    );
    this.#outputs(results);
    return { nodes: this.#nodes, initializers: this.#initializers };
  }

  /** Size of what the layer reads at each position. */
  get #width(): number {
    return this.#shapes.get(this.#node.inputs[0])?.[2] ?? 0;
  }

  /** What the layer reads, batch first; where a transposition alone has made it, that is undone. */
  #sequence(): string {
    const [name] = this.#node.inputs;
    if (this.#batchFirst) return name;
    const { op, domain, inputs, attributes } = this.#producer ?? {};
    const order = attributes?.perm?.kind === "ints" ? attributes.perm.value.join() : "";
    if (op === "Transpose" && domain === "" && inputs && order === "1,0,2") return inputs[0];
    return this.#one("sequence", "Transpose", [name], exchanged);
  }

  get #batchFirst(): boolean {
    return intAttribute(this.#node, "layout", 0) === 1;
  }

  #settings(): RecurrentSettings {
    const { attributes } = this.#node;
    const hidden = intAttribute(this.#node, "hidden_size", 0);
    if (hidden < 1) throw new Obstacle("it has no hidden_size");
    if (attributes.clip !== undefined) throw new Obstacle("it clips what the activations read");
    if (attributes.activation_alpha !== undefined || attributes.activation_beta !== undefined)
      throw new Obstacle("its activations have settings (activation_alpha, activation_beta)");
    if (intAttribute(this.#node, "input_forget", 0) !== 0) throw new Obstacle("its input and forget gates are coupled");
    if (this.#node.domain === "" && this.#node.inputs[4])
      throw new Obstacle("its sequences have lengths of their own (sequence_lens)");
    const usual = usualActivations[this.#kind];
    const given = attributes.activations?.kind === "strings" ? attributes.activations.value : [];
    const names = given.map((name) => knownActivations.find((known) => known.toLowerCase() === name.toLowerCase()));
    const activations = given.length === 0 ? usual : names.slice(0, usual.length);
    const agree = names.every((name, index) => name === activations[index % usual.length]);
    const isKnown = (list: readonly (string | undefined)[]): list is readonly string[] => !list.includes(undefined);
    if (!isKnown(activations) || activations.length !== usual.length || !agree)
      throw new Obstacle(
        `its activations are ${given.join(", ")}; ${knownActivations.join(", ")} are known, the same for both directions`,
      );
    const order = attributes.gates?.kind === "strings" ? attributes.gates.value : stackedGates[this.#kind];
    if ([...order].sort().join() !== [...stackedGates[this.#kind]].sort().join())
      throw new Obstacle(`its gates are ${order.join(", ")}, not ${stackedGates[this.#kind].join(", ")}`);
    const resetsAfterProduct = intAttribute(this.#node, "linear_before_reset", 0) !== 0;
    return { kind: this.#kind, gates: order as Gate[], hidden, activations, resetsAfterProduct };
  }

  /** Whether each direction reads backwards. */
  #directions(): readonly boolean[] {
    const { direction } = this.#node.attributes;
    const name = direction?.kind === "string" ? direction.value : "forward";
    if (name === "bidirectional") return [false, true];
    if (name === "forward" || name === "reverse") return [name === "reverse"];
    throw new Obstacle(`its direction is "${name}"`);
  }

  #ownMatrices(settings: RecurrentSettings, sequence: string, count: number) {
    const [, state, cell] = this.#node.inputs;
    const rows = settings.gates.length * settings.hidden;
    const isInside = settings.kind === "GRU" && settings.resetsAfterProduct;
    return Array.from({ length: count }, (_, index) => {
      const { inputWeight, stateWeight, inputBias, stateBias } = directionTensors(this.#node, index);
      this.#expect(inputWeight, [rows, this.#width]);
      this.#expect(stateWeight, [rows, settings.hidden]);
      for (const bias of [inputBias, stateBias]) if (bias !== "") this.#expect(bias, [rows]);
      const biases = [inputBias, isInside ? "" : stateBias].filter((name) => name !== "");
      return {
        projected: writeProduct(this.#writer, sequence, inputWeight, biases),
        weight: stateWeight,
        ...this.#mask(),
        ...(isInside && stateBias !== "" ? { bias: stateBias } : {}),
        ...this.#first(state, cell, index, count),
      };
    });
  }

  #stackedMatrices(settings: RecurrentSettings, sequence: string, count: number) {
    const [, w = "", r = "", b = "", , state = "", cell = "", p = ""] = this.#node.inputs;
    const rows = settings.gates.length * settings.hidden;
    const width = this.#width;
    this.#expect(w, [count, rows, width]);
    this.#expect(r, [count, rows, settings.hidden]);
    if (b) this.#expect(b, [count, 2 * rows]);
    if (p) this.#expect(p, [count, 3 * settings.hidden]);
    const reshaped = (part: string, name: string, shape: readonly number[]): string =>
      this.#one(part, "Reshape", [name, this.#constant("shape", intTensor(shape))]);
    const taken = (part: string, name: string, index: number, axis: number): string =>
      this.#one(part, "Gather", [name, this.#constant("index", intTensor([index], []))], { axis: attribute.int(axis) });
    const both = b === "" ? "" : reshaped("biases", b, [count, 2, rows]);
    const biasOf = (which: number): string => reshaped("bias", taken("bias_rows", both, which, 1), [count * rows]);
    const isInside = settings.kind === "GRU" && settings.resetsAfterProduct;
    const biases = both === "" ? [] : isInside ? [biasOf(0)] : [biasOf(0), biasOf(1)];
    // One product for all directions.
    const projected = writeProduct(this.#writer, sequence, reshaped("input_rows", w, [count * rows, width]), biases);
    const sizes = new Array<number>(count).fill(rows);
    const parts = count === 1 ? [projected] : this.#split("direction", projected, sizes, 2);
    const looks = p === "" ? "" : reshaped("peepholes", p, [count, 3, settings.hidden]);
    const lookOf = (which: number, index: number): string =>
      taken("peephole", taken("peephole_rows", looks, which, 1), index, 0);
    return parts.map((part, index) => ({
      projected: part,
      weight: taken("state_weight", r, index, 0),
      ...(isInside && both !== "" ? { bias: taken("state_bias", taken("state_biases", both, 1, 1), index, 0) } : {}),
      ...(looks === ""
        ? {}
        : { peepholes: { input: lookOf(0, index), output: lookOf(1, index), forget: lookOf(2, index) } }),
      ...this.#first(state, cell, index, count),
    }));
  }

  #mask(): Pick<RecurrentDirection, "mask" | "hidesMasked"> {
    const mask = maskOf(this.#node);
    return mask === undefined ? {} : { mask, hidesMasked: intAttribute(this.#node, "zero_output_for_mask", 0) === 1 };
  }

  #expect(name: string, shape: readonly number[]): void {
    if (name === "") throw new Obstacle(`it lacks a tensor of the shape [${shape.join(", ")}]`);
    const found = this.#shapes.get(name) ?? [];
    if (found.join() !== shape.join())
      throw new Obstacle(`its tensor ${name} has the shape [${found.join(", ")}], not [${shape.join(", ")}]`);
  }

  /** State and cells that a direction starts from; zeros are left out. */
  #first(state = "", cell = "", index = 0, count = 1): { readonly state?: string; readonly cell?: string } {
    const of = (part: string, name: string): string | undefined => {
      if (name === "" || this.#zeros.has(name)) return undefined;
      const [batch, directions] = this.#batchFirst ? [0, 1] : [1, 0];
      const found = this.#shapes.get(name) ?? [];
      if (found.length !== 3 || found[directions] !== count || found[2] !== intAttribute(this.#node, "hidden_size", 0))
        this.#expect(name, [count, found[batch] ?? 1, intAttribute(this.#node, "hidden_size", 0)]);
      const ordered = this.#batchFirst ? name : this.#one(part, "Transpose", [name], exchanged);
      return count === 1 ? ordered : this.#split(part, ordered, new Array<number>(count).fill(1), 1)[index];
    };
    const [h, c] = [of("first_state", state), of("first_cell", cell)];
    return { ...(h === undefined ? {} : { state: h }), ...(c === undefined ? {} : { cell: c }) };
  }

  /** The node's own outputs: all states, the last ones, the last cells. */
  #outputs(results: readonly RecurrentStates[]): void {
    const [all = "", last = "", cells = ""] = this.#node.outputs;
    if (all !== "") {
      const directions = results.map(({ states }) => {
        const joined =
          states.length === 1 ? states[0] : this.#one("states", "Concat", states, { axis: attribute.int(1) });
        return this.#one("states_apart", "Unsqueeze", [joined, this.#constant("axes", intTensor([2]))]);
      });
      this.#finish(all, directions, 2, [1, 2, 0, 3]);
    }
    const ends = [
      [last, results.map(({ state }) => state)],
      [cells, results.map(({ cell }) => cell ?? "")],
    ] as const;
    for (const [output, directions] of ends) if (output !== "") this.#finish(output, directions, 1, [1, 0, 2]);
  }

  /** Joins what the directions give, batch first, and orders it as the node does. */
  #finish(output: string, directions: readonly string[], axis: number, order: readonly number[]): void {
    const put = (op: string, inputs: readonly string[], attributes: Attributes): void => {
      const { name } = this.#node;
      this.#nodes.push({ op, domain: "", name: `${name}/${output}`, inputs, outputs: [output], attributes });
    };
    const join = { axis: attribute.int(axis) };
    if (!this.#batchFirst) {
      const joined = directions.length > 1 ? this.#one("directions", "Concat", directions, join) : directions[0];
      put("Transpose", [joined], { perm: attribute.ints(order) });
    } else if (directions.length > 1) put("Concat", directions, join);
    else put("Identity", directions, {});
  }

  // --- writing

  readonly #writer: NodeWriter = {
    nodes: (part, op, inputs, attributes, outputs) => {
      const names = Array.from({ length: outputs }, () => this.#fresh(part));
      this.#nodes.push({ op, domain: "", name: names[0], inputs, outputs: names, attributes });
      return names;
    },
    constant: (part, tensor) => this.#constant(part, tensor),
  };

  #constant(part: string, tensor: Tensor): string {
    const name = this.#fresh(part);
    this.#initializers.set(name, tensor);
    return name;
  }

  #one(part: string, op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.#writer.nodes(part, op, inputs, attributes, 1)[0];
  }

  #split(part: string, value: string, sizes: readonly number[], axis: number): string[] {
    const lengths = this.#constant("sizes", intTensor(sizes));
    return this.#writer.nodes(part, "Split", [value, lengths], { axis: attribute.int(axis) }, sizes.length);
  }

  #fresh(part: string): string {
    const stem = `${firstOutput(this.#node)}/${part}`;
    let name = stem;
    for (let count = 2; this.#names.has(name); count++) name = `${stem}_${count}`;
    this.#names.add(name);
    return name;
  }
}

const exchanged: Attributes = { perm: attribute.ints([1, 0, 2]) };

interface KnownInputs {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Those that are all zero. */
  readonly zeros: ReadonlySet<string>;
}

/** What is known of a node's inputs, for batches of these sizes. @throws Obstacle */
function inputsOf(graph: Graph, node: Node, options: NetworkOptions, batchSizes: readonly number[]): KnownInputs[] {
  const names = [...new Set(node.inputs)].filter((name) => name !== "");
  try {
    const network = analyzeNetwork(graph, options);
    return batchSizes.map((batchSize) => {
      const emit = new Emitter();
      const { targets } = instantiate({
        emit,
        network,
        input: emit.input("headstart/samples", "float32", [batchSize, ...network.sampleShape]),
        targets: names,
        parameter: parameterInputs(emit, network),
        normalization: "running",
      });
      const shapes = new Map(names.map((name, index) => [name, targets[index].shape]));
      if ((shapes.get(node.inputs[0]) ?? []).length !== 3) throw new Obstacle("its sequences have not three axes");
      const zeros = names.filter((_, index) => targets[index].constant?.data.every((element) => Number(element) === 0));
      return { shapes, zeros: new Set(zeros) };
    });
  } catch (error) {
    if (error instanceof UserError) throw new Obstacle(`what it reads is not known: ${error.message}`);
    throw error;
  }
}
