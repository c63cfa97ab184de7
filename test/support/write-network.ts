/** Writes small networks for tests, node by node. */
import { type Attribute, attribute, type Graph, type Node } from "../../src/graph/graph.js";
import { floatTensor, intTensor, type Tensor } from "../../src/graph/tensor.js";
import { analyzeNetwork, type Network } from "../../src/ops/network.js";
import { normalTensor } from "./run-graph.js";

/** Attributes by plain values: whole numbers are ints, lists ints, strings strings; floats are given as attributes. */
export type PlainAttributes = Readonly<Record<string, number | string | readonly number[] | Attribute>>;

export class TestNetwork {
  readonly #nodes: Node[] = [];
  readonly #tensors = new Map<string, Tensor>();

  /** A node; gives the name of its first output. Its others are called `<name>:1` and so on. */
  node(op: string, inputs: readonly string[], attributes: PlainAttributes = {}, outputs = 1): string {
    const name = `${op.toLowerCase()}${this.#nodes.length}`;
    this.#nodes.push({
      op,
      domain: "",
      name: `node_${name}`,
      inputs,
      outputs: Array.from({ length: outputs }, (_, index) => (index === 0 ? name : `${name}:${index}`)),
      attributes: Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, tagged(value)])),
    });
    return name;
  }

  /** Random numbers of a size that keeps the values of a layer near one. */
  weight(name: string, shape: readonly number[], scale = 0.3): string {
    this.#tensors.set(name, normalTensor(name, shape, scale));
    return name;
  }

  filled(name: string, shape: readonly number[], value: number): string {
    this.#tensors.set(name, floatTensor(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value), shape));
    return name;
  }

  ints(values: readonly number[]): string {
    const name = `ints_${values.join("_")}`;
    this.#tensors.set(name, intTensor(values));
    return name;
  }

  number(value: number): string {
    const name = `number_${value}`;
    this.#tensors.set(name, floatTensor([value], []));
    return name;
  }

  /** The graph from the input `x` of [batch, ...sampleShape] to these outputs. */
  graph(sampleShape: readonly number[], outputs: readonly string[], batch: number | string = "batch"): Graph {
    return {
      name: "test",
      inputs: [{ name: "x", type: "float32", shape: [batch, ...sampleShape] }],
      outputs: outputs.map((name) => ({ name, type: "float32", shape: null })),
      initializers: this.#tensors,
      nodes: this.#nodes,
    };
  }

  build(sampleShape: readonly number[], output: string): Network {
    return analyzeNetwork(this.graph(sampleShape, [output]), { where: "model.onnx" });
  }
}

function tagged(value: number | string | readonly number[] | Attribute): Attribute {
  if (typeof value === "number") return attribute.int(value);
  if (typeof value === "string") return attribute.string(value);
  return Array.isArray(value) ? attribute.ints(value) : (value as Attribute);
}
