/** Where a graph can be left and entered again: which nodes belong to which part. */
import { dependents, type Graph, type Node } from "../graph/graph.js";

/** A place where a step leaves the graph, and what is made outside of it meanwhile. */
export interface Cut {
  /** Values of the graph that go out of the part before, by the name under which they do. */
  readonly out: ReadonlyMap<string, string>;
  /** Outputs of the graph that are made outside, and that later parts are fed where they need them. */
  readonly back: readonly string[];
}

/** A part of a graph. */
export interface GraphPart {
  readonly nodes: readonly Node[];
  /** Values by the name under which they go out. */
  readonly outputs: ReadonlyMap<string, string>;
}

/**
 * Cuts a graph into parts, one more than there are cuts, to be run one after another. Outputs come as early as they can,
 * all else as late as it can. What a later part needs of an earlier one goes out of that one, as
 * `headstart/cut/` and the value's name where it does not go out anyway.
 */
export function cutGraph(graph: Graph, cuts: readonly Cut[]): GraphPart[] {
  const outside = new Set(cuts.flatMap(({ back }) => back));
  let left = graph.outputs.flatMap(({ name }) => (outside.has(name) ? [] : [name]));
  const made = new Set<string>();
  const parts = Array.from({ length: cuts.length + 1 }, (_, part) => {
    const later = dependents(graph, new Set(cuts.slice(part).flatMap(({ back }) => back)));
    const outputs = new Map(cuts[part]?.out);
    for (const name of left) if (!later.has(name)) outputs.set(name, name);
    left = left.filter((name) => later.has(name));
    const needed = new Set(outputs.values());
    const nodes: Node[] = [];
    for (const node of graph.nodes.toReversed()) {
      if (!node.outputs.some((name) => needed.has(name) && !made.has(name) && !outside.has(name))) continue;
      nodes.unshift(node);
      for (const name of node.inputs) needed.add(name);
    }
    for (const node of nodes) for (const name of node.outputs) made.add(name);
    return { nodes, outputs, needed };
  });
  parts.forEach(({ nodes, outputs }, part) => {
    const sources = new Set(outputs.values());
    const later = parts.slice(part + 1);
    for (const name of nodes.flatMap((node) => node.outputs))
      if (name !== "" && !sources.has(name) && later.some(({ needed }) => needed.has(name)))
        outputs.set(`headstart/cut/${name}`, name);
  });
  return parts;
}
