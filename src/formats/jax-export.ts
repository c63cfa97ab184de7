/**
 * What jax2onnx writes of JAX's networks. Weights that are the exported function's inputs have their names in the tree, lie as
 * JAX has them, and are initializers too; whatever else is stored, the exporter has made, or JAX takes for a constant.
 * Weights that the function holds itself have lost their names.
 */
import type { Graph, Node } from "../graph/graph.js";
import { isFloating, numbersOf, sizeOf, type Tensor } from "../graph/tensor.js";
import type { ModelFile } from "./model-file.js";
import { inverseOf, transposed } from "./transposed.js";

/** Does this producer write JAX's networks? */
export function isJaxExporter(producer: string): boolean {
  return /^jax2onnx\b/i.test(producer);
}

/** One step from the tree's layout to the one that a layer reads. */
interface Step {
  /** The shape before it. */
  readonly shape: readonly number[];
  /** Of a transposition; without it, the same elements get the next shape. */
  readonly permutation?: readonly number[];
}

/** How layers read a weight that the file has in another layout. */
interface Layout {
  readonly steps: readonly Step[];
  /** The shape behind all steps. */
  readonly shape: readonly number[];
}

const layers: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);

/**
 * The model of a file of jax2onnx with what JAX trains told from constants, and with the weights of layers in the layout in
 * which the layers read them, in place of the nodes that bring them there: JAX keeps kernels of convolutions as [...kernel,
 * inputs, outputs], and those of attention's heads in three axes.
 *
 * @param model as the file has it
 */
export function jaxModel(model: ModelFile): ModelFile {
  const { graph } = model;
  const jaxWeights = new Set(graph.inputs.map(({ name }) => name).filter((name) => graph.initializers.has(name)));
  if (jaxWeights.size === 0) return { ...model, jaxWeights };
  const constants = new Set([...graph.initializers.keys()].filter((name) => !jaxWeights.has(name)));
  const layouts = new Map<string, Layout>();
  const initializers = new Map(graph.initializers);
  let { nodes } = graph;
  for (const name of jaxWeights) {
    const tensor = graph.initializers.get(name);
    const found = tensor && isFloating(tensor.type) ? readLayout({ ...graph, nodes }, name, tensor) : undefined;
    if (!tensor || !found) continue;
    layouts.set(name, found.layout);
    initializers.set(name, asRead(tensor, found.layout));
    ({ nodes } = found);
  }
  const asStored = (name: string, tensor: Tensor): Tensor => {
    const layout = layouts.get(name);
    return layout ? asInTree(tensor, layout) : tensor;
  };
  const { writeEdited: _, ...rest } = model;
  return {
    ...rest,
    graph: { ...graph, inputs: graph.inputs.filter(({ name }) => !jaxWeights.has(name)), initializers, nodes },
    jaxWeights,
    constants,
    asStored,
    write: (replacements) =>
      model.write(new Map([...replacements].map(([name, tensor]) => [name, asStored(name, tensor)]))),
  };
}

/** Follows a weight to the layers that read it; undefined where none does, or where they read it as it is stored. */
function readLayout(
  { nodes, initializers, outputs }: Graph,
  weight: string,
  tensor: Tensor,
): { readonly layout: Layout; readonly nodes: readonly Node[] } | undefined {
  const given = new Set(outputs.map(({ name }) => name));
  const steps: Step[] = [];
  const passed = new Set<Node>();
  let { shape } = tensor;
  let names: ReadonlySet<string> = new Set([weight]);
  for (;;) {
    const readers = nodes.filter(({ inputs }) => inputs.some((name) => names.has(name)));
    if (readers.length === 0 || [...names].some((name) => given.has(name))) return undefined;
    if (readers.every(({ op, domain }) => layers.has(op) && domain === "")) break;
    const results = readers.map((node) => resultOf(node, shape, initializers));
    const [first] = results;
    // All its readers see it in one layout, or it stays as it is.
    if (!first || results.some((result) => JSON.stringify(result) !== JSON.stringify(first))) return undefined;
    steps.push({ shape, ...(first.permutation ? { permutation: first.permutation } : {}) });
    for (const node of readers) passed.add(node);
    shape = first.shape;
    names = new Set(readers.map(({ outputs: [output] }) => output));
  }
  if (steps.length === 0) return undefined;
  const left = nodes.filter((node) => !passed.has(node));
  return {
    layout: { steps, shape },
    nodes: left.map((node) => ({
      ...node,
      inputs: node.inputs.map((name) => (names.has(name) ? weight : name)),
    })),
  };
}

/** What a node makes of a tensor of this shape where it only lays it out anew; else undefined. */
function resultOf(
  { op, domain, inputs, attributes }: Node,
  shape: readonly number[],
  initializers: ReadonlyMap<string, Tensor>,
): { readonly shape: readonly number[]; readonly permutation?: readonly number[] } | undefined {
  if (domain !== "") return undefined;
  if (op === "Transpose") {
    const { perm } = attributes;
    const permutation = perm?.kind === "ints" ? perm.value : shape.map((_, axis) => shape.length - 1 - axis);
    if ([...permutation].sort((a, b) => a - b).join() !== [...shape.keys()].join()) return undefined;
    return { shape: permutation.map((axis) => shape[axis]), permutation };
  }
  const setting = initializers.get(inputs[1] ?? "");
  if (setting?.type !== "int64") return undefined;
  const numbers = numbersOf(setting);
  if (op === "Reshape") {
    const sizes = numbers.map((size, axis) => (size === 0 ? shape[axis] : size));
    const known = sizeOf(sizes.filter((size) => size !== -1));
    const whole = sizes.map((size) => (size === -1 ? sizeOf(shape) / known : size));
    return sizeOf(whole) === sizeOf(shape) ? { shape: whole } : undefined;
  }
  if (op !== "Squeeze") return undefined;
  const axes = new Set(numbers.map((axis) => (axis < 0 ? axis + shape.length : axis)));
  const left = shape.filter((_, axis) => !axes.has(axis));
  return sizeOf(left) === sizeOf(shape) ? { shape: left } : undefined;
}

/** From the tree's layout to the layers'. */
function asRead({ type, data }: Tensor, { steps, shape }: Layout): Tensor {
  let elements = data;
  for (const step of steps) if (step.permutation) elements = transposed(elements, step.shape, step.permutation);
  return { type, shape, data: elements };
}

/** From the layers' layout to the tree's. */
function asInTree({ type, data }: Tensor, { steps }: Layout): Tensor {
  let elements = data;
  for (const { shape, permutation } of [...steps].reverse()) {
    if (!permutation) continue;
    const behind = permutation.map((axis) => shape[axis]);
    elements = transposed(elements, behind, inverseOf(permutation));
  }
  return { type, shape: steps[0].shape, data: elements };
}
