/** Orders in which nodes can be computed. */
import type { Node } from "./graph.js";

/**
 * Nodes so that each comes after those that make what it reads, in their own order as far as that allows: a node is moved
 * forward only where another before it needs it. All nodes of a cycle stay.
 *
 * @param isGiven whether a name is known before any node: that of an input or initializer
 */
export function inComputationOrder(nodes: readonly Node[], isGiven: (name: string) => boolean): readonly Node[] {
  const producers = new Map<string, Node>();
  for (const node of nodes)
    for (const output of node.outputs) if (output !== "" && !isGiven(output)) producers.set(output, node);
  const ordered = new Set<Node>();
  const begun = new Set<Node>();
  for (const node of nodes) {
    // Depth first with a stack of its own: a chain of nodes may be longer than calls can be deep.
    const stack = [node];
    while (stack.length > 0) {
      const next = stack[stack.length - 1];
      begun.add(next);
      const missing = next.inputs
        .map((name) => producers.get(name))
        .find((producer) => producer && !ordered.has(producer) && !begun.has(producer));
      if (missing) {
        stack.push(missing);
        continue;
      }
      ordered.add(next);
      stack.pop();
    }
  }
  return [...ordered];
}
