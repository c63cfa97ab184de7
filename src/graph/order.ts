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
  const ordered: Node[] = [];
  const begun = new Set<Node>();
  for (const first of nodes) {
    if (begun.has(first)) continue;
    begun.add(first);
    // Depth first with a stack of its own: a chain of nodes may be longer than calls can be deep.
    const stack = [{ node: first, looked: 0 }];
    while (stack.length > 0) {
      const place = stack[stack.length - 1];
      const { inputs } = place.node;
      if (place.looked === inputs.length) {
        ordered.push(place.node);
        stack.pop();
        continue;
      }
      const producer = producers.get(inputs[place.looked++]);
      if (!producer || begun.has(producer)) continue;
      begun.add(producer);
      stack.push({ node: producer, looked: 0 });
    }
  }
  return ordered;
}
