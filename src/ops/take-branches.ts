/** Writes an If whose condition does not hang on the samples' values as the branch that it takes. */
import { checkGraph } from "../graph/check.js";
import type { Graph, Node } from "../graph/graph.js";
import { knownConstant } from "./known-constant.js";
import type { NetworkOptions } from "./network.js";
import { upgradeGraph } from "./upgrade.js";

/** A graph and what its branches brought into it. */
export interface TakenBranches {
  readonly graph: Graph;
  /** Tensors that are stored inside branches: they cannot be written back, and stay as they are. */
  readonly constants: ReadonlySet<string>;
}

/**
 * Decides each If by its condition, as far as that follows from the sample's shape and constants, one after another: what
 * a branch gives may decide the next one. An If that cannot be decided stays.
 *
 * PyTorch's TorchScript exporter writes such an If wherever it does not know a shape, as for `squeeze`.
 *
 * @param graph of its model's own operator set
 */
export function takeBranches(graph: Graph, opset: number, options: NetworkOptions): TakenBranches {
  const constants = new Set<string>();
  const undecided = new Set<string>();
  let current = graph;
  for (;;) {
    const node = current.nodes.find(({ op, domain, outputs }) => isIf(op, domain) && !undecided.has(outputs[0]));
    if (!node) return { graph: current, constants };
    const taken = takeBranch(current, node, decide(upgradeGraph(current, opset), node, options));
    if (!taken) {
      undecided.add(node.outputs[0]);
      continue;
    }
    for (const name of taken.initializers.keys()) if (!current.initializers.has(name)) constants.add(name);
    const known = new Set(current.nodes);
    for (const each of taken.nodes) if (each.op === "Constant" && !known.has(each)) constants.add(each.outputs[0]);
    current = taken;
  }
}

function isIf(op: string, domain: string): boolean {
  return op === "If" && domain === "";
}

/** What an If's condition is for all batches; undefined where that is not known. */
function decide(graph: Graph, { inputs: [condition] }: Node, options: NetworkOptions): boolean | undefined {
  const constant = knownConstant(graph, condition, options);
  return constant?.data.length === 1 ? Boolean(Number(constant.data[0])) : undefined;
}

/** The graph with the branch in place of the If; undefined where that is not known or does not fit. */
function takeBranch(graph: Graph, node: Node, condition: boolean | undefined): Graph | undefined {
  if (condition === undefined) return undefined;
  const branch = node.attributes[condition ? "then_branch" : "else_branch"];
  if (branch?.kind !== "graph" || branch.value.outputs.length !== node.outputs.length) return undefined;
  const { nodes, initializers, outputs } = branch.value;
  const handedOn = node.outputs.flatMap((name, index): Node[] =>
    name === ""
      ? []
      : [{ op: "Identity", domain: "", name, inputs: [outputs[index].name], outputs: [name], attributes: {} }],
  );
  const taken = {
    ...graph,
    initializers: new Map([...graph.initializers, ...initializers]),
    nodes: graph.nodes.flatMap((each) => (each === node ? [...nodes, ...handedOn] : [each])),
  };
  const isOwn = [...initializers.keys()].every((name) => !graph.initializers.has(name));
  return isOwn && checkGraph(taken).length === 0 ? taken : undefined;
}
