/** The in-memory ONNX graph: facts only, no operator's meaning. */
import type { DataType, Tensor } from "./tensor.js";

/** An attribute of a node, tagged with its ONNX kind. Kinds that headstart never looks into are kept opaque. */
export type Attribute =
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "tensor"; readonly value: Tensor }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  /** A branch of an If or the body of a Loop, with what it was read from. */
  | { readonly kind: "graph"; readonly value: Graph; readonly source: unknown }
  | { readonly kind: "opaque"; readonly value: unknown };

export type Attributes = Readonly<Record<string, Attribute>>;

/** One operation. An empty string in inputs or outputs stands for an omitted optional one, as in ONNX. */
export interface Node {
  readonly op: string;
  /** "" is the standard domain (also spelt "ai.onnx"). */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

/** The first output that is not omitted, by which a node goes where it is looked up; "" for none. */
export function firstOutput({ outputs }: Node): string {
  return outputs.find((name) => name !== "") ?? "";
}

/** A dimension: a number, a symbol such as "batch", or null where nothing is known. */
export type Dimension = number | string | null;

/** A graph's input or output as declared; shape null means unknown rank. */
export interface ValueInfo {
  readonly name: string;
  readonly type: DataType;
  readonly shape: readonly Dimension[] | null;
}

/** A graph. Nodes stand in topological order (ONNX demands it). */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly nodes: readonly Node[];
}

/** Shorthands for attributes. */
export const attribute = {
  float: (value: number): Attribute => ({ kind: "float", value }),
  int: (value: number): Attribute => ({ kind: "int", value }),
  string: (value: string): Attribute => ({ kind: "string", value }),
  tensor: (value: Tensor): Attribute => ({ kind: "tensor", value }),
  floats: (value: readonly number[]): Attribute => ({ kind: "floats", value }),
  ints: (value: readonly number[]): Attribute => ({ kind: "ints", value }),
  strings: (value: readonly string[]): Attribute => ({ kind: "strings", value }),
};

/** Whether a node asks how many values there are, and nothing of them. */
export function isOfShapes({ op }: Node): boolean {
  return op === "Shape" || op === "Size";
}

/**
 * Names of all values that depend on some values, those included.
 *
 * @param passes whether what a node gives depends on what it reads
 */
export function dependents(
  { nodes }: Pick<Graph, "nodes">,
  names: ReadonlySet<string>,
  passes: (node: Node) => boolean = () => true,
): Set<string> {
  const found = new Set(names);
  for (const node of nodes)
    if (passes(node) && node.inputs.some((name) => found.has(name)))
      for (const name of node.outputs) if (name !== "") found.add(name);
  return found;
}
