/** Inputs as one input: what a device is given one by one, each costs a transfer, however small it is. */
import { attribute, type Graph, type Node } from "../graph/graph.js";
import { intTensor, sizeOf } from "../graph/tensor.js";

/**
 * @param names of float32 inputs
 * @param as name of the input that has their elements, in this order, in their place: [sum of their sizes]
 */
export function joinInputs(graph: Graph, names: readonly string[], as: string): Graph {
  if (names.length < 2) return graph;
  const inputs = new Map(graph.inputs.map((input) => [input.name, input]));
  const shapes = names.map((name) => {
    const input = inputs.get(name);
    if (input?.type !== "float32" || !input.shape) throw new Error(`join inputs: ${name} is no input of float32`);
    return input.shape.map(Number);
  });
  const sizes = shapes.map(sizeOf);
  const part = (name: string): string => `${as}/${name}`;
  const node = (op: string, input: readonly string[], outputs: readonly string[], attributes: Node["attributes"]) =>
    ({ op, domain: "", name: outputs[0], inputs: input, outputs, attributes }) satisfies Node;
  const split = node("Split", [as, `${as}/sizes`], names.map(part), { axis: attribute.int(0) });
  const shaped = names.map((name) =>
    node("Reshape", [part(name), `${part(name)}/shape`], [name], { allowzero: attribute.int(1) }),
  );
  return {
    ...graph,
    nodes: [split, ...shaped, ...graph.nodes],
    initializers: new Map([
      ...graph.initializers,
      [`${as}/sizes`, intTensor(sizes)] as const,
      ...names.map((name, index) => [`${part(name)}/shape`, intTensor(shapes[index])] as const),
    ]),
    inputs: [
      ...graph.inputs.filter(({ name }) => !names.includes(name)),
      { name: as, type: "float32", shape: [sizes.reduce((sum, size) => sum + size, 0)] },
    ],
  };
}
