/** Models of other operator sets in the words of the pinned one. */
import type { Graph, Node } from "../graph/graph.js";
import type { DataType, Tensor } from "../graph/tensor.js";
import { upgradeRules } from "./upgrade-rules.js";
import { elementTypeOf, rankOf } from "./upgrade-types.js";

/** What a rule may ask and make. */
export interface UpgradeContext {
  /** The model's own operator set. */
  readonly opset: number;
  /** A new initializer; gives its name, which is made of this one. */
  constant(name: string, tensor: Tensor): string;
  /** A name that nothing has, made of this one. */
  fresh(name: string): string;
  /** The tensor of this name where it is an initializer or a Constant. */
  tensor(name: string): Tensor | undefined;
  /** Element type of a value, as far as the graph tells; float32 where it does not. */
  elementType(name: string): DataType;
  /** Number of axes of a value, where the graph tells. */
  rank(name: string): number | undefined;
  /** Is this value read by a node or an output of the graph? */
  isRead(name: string): boolean;
}

/** Rewrites a node into nodes of a later operator set that make the same outputs. */
export type UpgradeRule = (node: Node, context: UpgradeContext) => readonly Node[];

/**
 * Rewrites a graph into the pinned operator set: attributes that became inputs, defaults that changed, operators that
 * were replaced. Names of values, initializers and nodes stay; new ones are made of the names of the values they are for.
 * Nodes of other domains, and of operators that headstart does not know, stay as they are.
 *
 * Source: the "Version" sections of ONNX's Operators.md and Changelog.md. Where they leave the meaning open (Resize of
 * opset 10), what ONNX Runtime computes.
 *
 * @param opset the operator set that the graph was written in, from 7 on
 */
export function upgradeGraph(graph: Graph, opset: number): Graph {
  const initializers = new Map(graph.initializers);
  const names = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...initializers.keys(),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const read = new Set([...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  const producers = new Map<string, Node>();
  const fresh = (name: string): string => {
    let candidate = name;
    for (let count = 2; names.has(candidate); count++) candidate = `${name}_${count}`;
    names.add(candidate);
    return candidate;
  };
  const tensor = (name: string): Tensor | undefined => {
    const known = initializers.get(name);
    if (known) return known;
    const producer = producers.get(name);
    const value = producer?.op === "Constant" ? producer.attributes.value : undefined;
    return value?.kind === "tensor" ? value.value : undefined;
  };
  const facts = { graph, producers, tensor };
  const context: UpgradeContext = {
    opset,
    constant(name, constant) {
      const chosen = fresh(name);
      initializers.set(chosen, constant);
      return chosen;
    },
    fresh,
    tensor,
    elementType: elementTypeOf(facts),
    rank: rankOf(facts),
    isRead: (name) => read.has(name),
  };

  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const upgraded = upgradeNode(node, context);
    for (const made of upgraded) for (const output of made.outputs) if (output !== "") producers.set(output, made);
    nodes.push(...upgraded);
  }
  return { ...graph, initializers, nodes };
}

/** Applies the rules of an operator, oldest first. A rule that gives another operator hands it on to that one's rules. */
function upgradeNode(node: Node, context: UpgradeContext): readonly Node[] {
  let current = node;
  for (;;) {
    const rules = current.domain === "" && Object.hasOwn(upgradeRules, current.op) ? upgradeRules[current.op] : [];
    const { op } = current;
    for (const { before, rule } of rules) {
      if (context.opset >= before) continue;
      const made = rule(current, context);
      if (made.length !== 1) return made;
      current = made[0];
    }
    if (current.op === op) return [current];
  }
}
