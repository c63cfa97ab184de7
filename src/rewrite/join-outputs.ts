/** Outputs of one number each as one output: what a device gives back one by one, it is waited for one by one. */
import { attribute, type Graph, type Node } from "../graph/graph.js";
import { sizeOf, type Tensor } from "../graph/tensor.js";

/**
 * @param names of outputs of one float32 each
 * @param as name of the output that has them, in this order, in their place: [names]
 */
export function joinOutputs(graph: Graph, names: readonly string[], as: string): Graph {
  if (names.length === 0) return graph;
  const outputs = new Map(graph.outputs.map((output) => [output.name, output]));
  for (const name of names) {
    const output = outputs.get(name);
    if (output?.type !== "float32" || sizeOf((output.shape ?? []).map(Number)) !== 1)
      throw new Error(`join outputs: ${name} is no output of one float32`);
  }
  const shape: Tensor = { type: "int64", shape: [1], data: BigInt64Array.of(1n) };
  const node = (op: string, inputs: readonly string[], output: string, attributes: Node["attributes"] = {}): Node => ({
    op,
    domain: "",
    name: output,
    inputs,
    outputs: [output],
    attributes,
  });
  const flat = names.map((name) => node("Reshape", [name, `${as}/shape`], `${as}/${name}`));
  const joined = node(
    "Concat",
    flat.map(({ name }) => name),
    as,
    { axis: attribute.int(0) },
  );
  return {
    ...graph,
    nodes: [...graph.nodes, ...flat, joined],
    initializers: new Map([...graph.initializers, [`${as}/shape`, shape]]),
    outputs: [
      ...graph.outputs.filter(({ name }) => !names.includes(name)),
      { name: as, type: "float32", shape: [names.length] },
    ],
  };
}
