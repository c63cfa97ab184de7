/** Parameters of which PyTorch's exporter has left another form only, having folded what turns the one into the other. */
import type { PytorchOrigin } from "../formats/pytorch-origin.js";
import type { Node } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import type { GraphRestorer, View } from "./graph-restorer.js";

/** A parameter, and how a tensor of the file is it. */
interface FoldedView {
  readonly parameter: string;
  readonly view: View;
}

/** What the file notes of parameters and of what was computed from them. */
export interface ExporterNotes {
  readonly origins: ReadonlyMap<string, PytorchOrigin>;
  /** What tensors were computed from, results on the way included. */
  readonly foldedFrom: ReadonlyMap<string, readonly string[]>;
  /** The names of all parameters. */
  readonly trained: ReadonlySet<string>;
}

/** Names that the exporter gives to results of these operations: the operation, and a number from the second on. */
const reshaped = /^(view|_unsafe_view|reshape|unsqueeze|squeeze|flatten)(_\d+)?$/;
const turned = /^(t|transpose|permute|numpy_t)(_\d+)?$/;
/** Results within an operation, such as the shape for a Reshape. */
const within = /^val_\d+$/;
/** Those of addcmul, which multiplies by a number that is one unless it is given. */
const timesOne = /^(tmp|value|value_cast)(_\d+)?$/;

/**
 * The parameter that a node reads in another shape, as after `gamma.view(1, -1, 1, 1)`, or turned round, as after
 * `weight.t()`. What shape the parameter has is not noted: one axis, where no more than one is longer than 1. A file that
 * headstart has written may have such a tensor under a name of its own, see {@link GraphRestorer.separate}.
 *
 * Of equal parameters the exporter leaves one. Where blocks of the same class read it, each at one place of the same kind, each
 * has its own, under the name that the parameter left has in its block.
 *
 * @param slot which input of the node
 * @returns undefined where that is not certain
 */
export function foldedView(
  restorer: GraphRestorer,
  node: Node,
  slot: number,
  notes: ExporterNotes,
): FoldedView | undefined {
  const input = node.inputs[slot];
  const [, separated = "", view] = /^(.*)\/(flat|transposed)$/.exec(input) ?? [];
  if (notes.trained.has(separated)) return { parameter: separated, view: view as View };
  const sources = notes.foldedFrom.get(input) ?? [];
  const origin = notes.origins.get(node.outputs[0]);
  const text = origin && argumentOf(node, slot, origin);
  const found = origin && viewOf(input, restorer.parameter(input)?.shape ?? [], sources, origin, notes.trained);
  if (!found || text === undefined) return undefined;
  const isNamed = (argument: string | undefined): boolean =>
    argument !== undefined && [input, ...sources].includes(argument.slice(1));
  const readers = restorer.nodes.flatMap((reader) => {
    const call = notes.origins.get(reader.outputs[0]);
    return call ? reader.inputs.flatMap((name, place) => (name === input ? [{ reader, place, call }] : [])) : [];
  });
  const path = origin.modules.at(-1);
  if (readers.filter(({ call }) => call.modules.at(-1) === path).length !== 1) return undefined;
  if (isNamed(text)) return found;
  if (!reshaped.test(text.slice(1)) && !turned.test(text.slice(1))) return undefined;
  const first = readers.find(({ reader, place, call }) => isNamed(argumentOf(reader, place, call)));
  if (!first || first.place !== slot || first.reader.op !== node.op || first.call.operation !== origin.operation)
    return undefined;
  const parameter = counterpart(found.parameter, first.call, origin);
  return parameter !== undefined && notes.trained.has(parameter) ? { parameter, view: found.view } : undefined;
}

/** The one parameter that a tensor of this name was computed from, by nothing but changes of its form. */
function viewOf(
  name: string,
  shape: readonly number[],
  sources: readonly string[],
  origin: PytorchOrigin,
  trained: ReadonlySet<string>,
): FoldedView | undefined {
  const isProduct = origin.operation.startsWith("aten.addcmul.") && !origin.hasKeywords;
  const parameters = sources.filter((source) => trained.has(source));
  const steps = [name, ...sources].filter(
    (step) => !trained.has(step) && !within.test(step) && !(isProduct && timesOne.test(step)),
  );
  if (parameters.length !== 1 || trained.has(name)) return undefined;
  const [parameter] = parameters;
  if (steps.length === 0) return { parameter, view: "same" };
  const isVector = shape.filter((size) => size !== 1).length <= 1 && sizeOf(shape) > 1;
  // Each unsqueeze adds one axis.
  const rank = steps.every((step) => step.startsWith("unsqueeze")) ? shape.length - steps.length : 1;
  if (isVector && rank === 1 && steps.every((step) => reshaped.test(step))) return { parameter, view: "flat" };
  const isTurned = shape.length === 2 && !isVector && steps.length === 1 && turned.test(steps[0]);
  return isTurned ? { parameter, view: "transposed" } : undefined;
}

/** The argument of its call that a node reads there; undefined where the two do not correspond. */
function argumentOf({ op }: Node, slot: number, origin: PytorchOrigin): string | undefined {
  const [, operation = ""] = origin.operation.split(".");
  const own: Readonly<Record<string, string>> = {
    add: "Add",
    sub: "Sub",
    mul: "Mul",
    div: "Div",
    matmul: "MatMul",
    mm: "MatMul",
  };
  if (own[operation] === op) return origin.arguments[slot];
  return operation === "addcmul" ? addcmulArgument(op, slot, origin) : undefined;
}

/** The argument that a node of an addcmul reads there: that is the first one, plus the product of the others. */
export function addcmulArgument(op: string, slot: number, { arguments: all }: PytorchOrigin): string | undefined {
  return op === "Mul" ? all[1 + slot] : op === "Add" && slot === 0 ? all[0] : undefined;
}

/** The parameter of one module that has the place which another one has in a module of the same class. */
function counterpart(parameter: string, from: PytorchOrigin, to: PytorchOrigin): string | undefined {
  if (from.moduleClass !== to.moduleClass) return undefined;
  const [path, other] = [from, to].map(({ modules }) => modules.at(-1) ?? "");
  return path !== "" && other !== "" && parameter.startsWith(`${path}.`)
    ? `${other}${parameter.slice(path.length)}`
    : undefined;
}
