/** Is a graph well formed? */
import type { Graph } from "./graph.js";

/**
 * What is wrong with a graph's structure: names used before they are made (cycles and bad order among them), names made
 * twice, outputs that nothing makes. Empty for a well-formed one.
 */
export function checkGraph(graph: Graph): string[] {
  const complaints: string[] = [];
  const known = new Set(graph.initializers.keys());
  for (const { name } of graph.inputs) known.add(name);
  const made = new Set<string>();
  const laterMade = new Set(graph.nodes.flatMap((node) => node.outputs));
  for (const node of graph.nodes) {
    const label = `node ${node.name || node.outputs[0] || "?"} (${node.op})`;
    for (const name of node.inputs) {
      if (name === "" || known.has(name)) continue;
      complaints.push(
        laterMade.has(name)
          ? `${label} reads "${name}" before it is computed (a cycle, or nodes out of order)`
          : `${label} reads "${name}", which nothing makes`,
      );
    }
    for (const name of node.outputs) {
      if (name === "") continue;
      if (made.has(name) || known.has(name)) complaints.push(`${label} makes "${name}", which is there already`);
      made.add(name);
      known.add(name);
    }
  }
  for (const { name } of graph.outputs) if (!known.has(name)) complaints.push(`the output "${name}" is made by nothing`);
  if (graph.outputs.length === 0) complaints.push("the graph has no outputs");
  return complaints;
}
