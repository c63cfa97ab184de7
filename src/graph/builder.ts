/**
 * Builds a graph with static shapes, node by node, in topological order. Equal nodes (same operator, inputs and
 * attributes) become one node, so gradient rules may write what they need without minding who wrote it before.
 */
import type { Attributes, Graph, Node, ValueInfo } from "./graph.js";
import { peakBytes } from "./peak-memory.js";
import { type DataType, sizeOf, type Tensor } from "./tensor.js";

/** Element type and static shape. */
export interface ValueType {
  readonly type: DataType;
  readonly shape: readonly number[];
}

/** A value of the graph under construction. `constant` is there where its elements are known while building. */
export interface Value extends ValueType {
  readonly name: string;
  readonly constant?: Tensor;
}

/** A node with its values, as the builder records it. undefined stands for an omitted optional input. */
export interface BuiltNode {
  readonly op: string;
  /** "" is the standard domain. */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
}

const largestKeyedConstant = 64;

/** What the outputs of a graph need. */
interface Needs {
  /** Nodes, in order. */
  readonly kept: readonly BuiltNode[];
  /** The names of all values that these read or the outputs are. */
  readonly needed: ReadonlySet<string>;
}

/** Collects inputs, constants, nodes and outputs, and gives a {@link Graph} of what the outputs need. */
export class GraphBuilder {
  readonly #inputs = new Map<string, Value>();
  readonly #constants = new Map<string, Value>();
  readonly #constantKeys = new Map<string, Value>();
  readonly #nodes: BuiltNode[] = [];
  readonly #nodeKeys = new Map<string, BuiltNode>();
  readonly #producers = new Map<string, BuiltNode>();
  readonly #outputs: { name: string; value: Value }[] = [];
  readonly #names = new Set<string>();
  readonly #reserved = new Set<string>();
  readonly #counters = new Map<string, number>();
  /** Until there is another output: a node that comes later makes nothing that the outputs so far need. */
  #knownNeeds: Needs | undefined;
  /** Made names begin with this, so that they hardly meet those of a model's tensors, which come as inputs. */
  #scope = "headstart/";

  /** All nodes so far, in the order in which they were added, which is topological. */
  get nodes(): readonly BuiltNode[] {
    return this.#nodes;
  }

  /** The node that makes a value; undefined for inputs and constants. */
  producerOf(value: Value): BuiltNode | undefined {
    return this.#producers.get(value.name);
  }

  /** Names made inside `body` begin with `name/`. Scopes nest. */
  scope<Result>(name: string, body: () => Result): Result {
    const outer = this.#scope;
    this.#scope = `${outer}${name}/`;
    try {
      return body();
    } finally {
      this.#scope = outer;
    }
  }

  /** Keeps names for inputs to come: in a model that was made here, tensors are called as what is made is. */
  reserve(names: Iterable<string>): void {
    for (const name of names) this.#reserved.add(name);
  }

  /** A graph input under exactly this name; throws if the name is taken. */
  input(name: string, type: DataType, shape: readonly number[]): Value {
    if (this.#names.has(name)) throw new Error(`graph builder: the name ${name} is taken`);
    this.#names.add(name);
    const value: Value = { name, type, shape };
    this.#inputs.set(name, value);
    return value;
  }

  /** A constant. Small equal constants are shared. */
  constant(tensor: Tensor): Value {
    const size = sizeOf(tensor.shape);
    const key =
      size <= largestKeyedConstant
        ? `${tensor.type}[${tensor.shape.join()}]${Array.from(tensor.data as ArrayLike<unknown>, keyOfElement).join()}`
        : undefined;
    const known = key === undefined ? undefined : this.#constantKeys.get(key);
    if (known) return known;
    const value: Value = { name: this.#fresh("constant"), type: tensor.type, shape: tensor.shape, constant: tensor };
    this.#constants.set(value.name, value);
    if (key !== undefined) this.#constantKeys.set(key, value);
    return value;
  }

  /**
   * Adds a node whose output types are known, or gives the outputs of an equal node that is there already.
   *
   * @param domain of the operator; default: ONNX's own
   */
  append(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes,
    types: readonly ValueType[],
    domain = "",
  ): readonly Value[] {
    const key = `${domain}.${op}(${JSON.stringify(inputs.map((input) => input?.name ?? ""))})${keyOfAttributes(attributes)}:${types.length}`;
    const known = this.#nodeKeys.get(key);
    if (known) return known.outputs;
    const name = this.#fresh(op);
    const outputs = types.map(({ type, shape }, index): Value => {
      const outputName = index === 0 ? name : `${name}:${index}`;
      this.#names.add(outputName);
      return { name: outputName, type, shape };
    });
    const node: BuiltNode = { op, domain, name, inputs, outputs, attributes };
    this.#nodes.push(node);
    for (const output of outputs) this.#producers.set(output.name, node);
    this.#nodeKeys.set(key, node);
    return outputs;
  }

  /** Names of the outputs so far. */
  get outputNames(): string[] {
    return this.#outputs.map(({ name }) => name);
  }

  /** Makes a value an output of the graph under this name. */
  output(name: string, value: Value): void {
    if (this.#outputs.some((output) => output.name === name))
      throw new Error(`graph builder: the output ${name} is taken`);
    this.#outputs.push({ name, value });
    this.#knownNeeds = undefined;
  }

  /** The name that {@link build} will give a value: that of the first output it goes out as, where a node makes it. */
  nameInGraph(value: Value): string {
    if (!this.#producers.has(value.name)) return value.name;
    return this.#outputs.find((output) => output.value.name === value.name)?.name ?? value.name;
  }

  /** What the outputs need. */
  #needs(): Needs {
    if (this.#knownNeeds) return this.#knownNeeds;
    const needed = new Set(this.#outputs.map(({ value }) => value.name));
    const kept: BuiltNode[] = [];
    for (let index = this.#nodes.length - 1; index >= 0; index--) {
      const node = this.#nodes[index];
      if (!node.outputs.some((output) => needed.has(output.name))) continue;
      kept.push(node);
      for (const input of node.inputs) if (input) needed.add(input.name);
    }
    this.#knownNeeds = { kept: kept.reverse(), needed };
    return this.#knownNeeds;
  }

  /** About the most bytes that the graph's values take at a time: see {@link peakBytes}. */
  get peakBytes(): number {
    return peakBytes(this.#needs().kept, new Set(this.#outputs.map(({ value }) => value.name)));
  }

  /** The graph of all inputs, the outputs, and only those nodes and constants which the outputs need. */
  build(name: string): Graph {
    const { kept, needed } = this.#needs();
    // A value that a node makes takes the output's name, where it goes out once: a copy by Identity costs a pass over it.
    const made = new Set(kept.flatMap((node) => node.outputs.map((output) => output.name)));
    const renamed = new Map<string, string>();
    for (const { name: outputName, value } of this.#outputs)
      if (made.has(value.name) && !renamed.has(value.name)) renamed.set(value.name, outputName);
    const nameOf = (value: Value): string => renamed.get(value.name) ?? value.name;
    const nodes: Node[] = kept.map((node) => ({
      op: node.op,
      domain: node.domain,
      name: node.name,
      inputs: withoutTrailingBlanks(node.inputs.map((input) => (input ? nameOf(input) : ""))),
      outputs: node.outputs.map(nameOf),
      attributes: node.attributes,
    }));
    const outputs: ValueInfo[] = [];
    for (const { name: outputName, value } of this.#outputs) {
      if (this.#names.has(outputName))
        throw new Error(`graph builder: the output ${outputName} is called as another value`);
      outputs.push({ name: outputName, type: value.type, shape: value.shape });
      if (nameOf(value) === outputName) continue;
      nodes.push({
        op: "Identity",
        domain: "",
        name: `output/${outputName}`,
        inputs: [nameOf(value)],
        outputs: [outputName],
        attributes: {},
      });
    }
    const initializers = new Map<string, Tensor>();
    for (const [constantName, value] of this.#constants)
      if (needed.has(constantName) && value.constant) initializers.set(constantName, value.constant);
    return { name, inputs: [...this.#inputs.values()], outputs, initializers, nodes };
  }

  #fresh(stem: string): string {
    const base = `${this.#scope}${stem}`;
    for (;;) {
      const count = (this.#counters.get(base) ?? 0) + 1;
      this.#counters.set(base, count);
      const name = `${base}_${count}`;
      if (this.#names.has(name) || this.#reserved.has(name)) continue;
      this.#names.add(name);
      return name;
    }
  }
}

function withoutTrailingBlanks(names: string[]): string[] {
  let end = names.length;
  while (end > 0 && names[end - 1] === "") end--;
  return names.slice(0, end);
}

/** A text that only the same element has: JSON has neither -0 nor NaN nor infinities nor bigints. */
function keyOfElement(element: unknown): string {
  if (typeof element === "string") return JSON.stringify(element);
  return Object.is(element, -0) ? "-0" : String(element);
}

function keyOfAttributes(attributes: Attributes): string {
  return JSON.stringify(
    Object.keys(attributes)
      .sort()
      .map((name) => [name, attributes[name]]),
    (_, value) => {
      if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, keyOfElement);
      return typeof value === "number" || typeof value === "bigint" ? keyOfElement(value) : value;
    },
  );
}
