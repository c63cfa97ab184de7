/** Structure that ONNX demands of every graph, whatever its operators mean. */
import type { Graph } from "./graph.js";

/**
 * Looks for names that are defined twice or never, nodes out of order (a cycle is never in order), and missing outputs.
 *
 * @returns one sentence a fault, without a full stop; empty for a sound graph
 */
export function checkGraph(graph: Graph): string[] {
  const complaints: string[] = [];
  const defined = new Set<string>();
  for (const { name } of graph.inputs) {
    if (name === "") complaints.push("an input has no name");
    else if (defined.has(name)) complaints.push(`the input ${name} is declared twice`);
    defined.add(name);
  }
  // An initializer may be the default of an input of the same name.
  for (const name of graph.initializers.keys()) defined.add(name);
  const first = (name: string): string =>
    graph.initializers.has(name) ? "as an initializer, then" : "the second time";

  const producers = new Map<string, string>();
  for (const node of graph.nodes) for (const output of node.outputs) producers.set(output, labelOf(node));
  for (const node of graph.nodes) {
    if (node.op === "") complaints.push(`the node ${labelOf(node)} has no operator`);
    for (const input of node.inputs) {
      if (input === "" || defined.has(input)) continue;
      const producer = producers.get(input);
      complaints.push(
        producer === undefined
          ? `the node ${labelOf(node)} reads ${input}, which nothing defines`
          : `the node ${labelOf(node)} reads ${input} before the node ${producer} computes it (a cycle, or nodes out of order)`,
      );
    }
    for (const output of node.outputs) {
      if (output === "") continue;
      if (defined.has(output))
        complaints.push(`the name ${output} is defined twice, ${first(output)} by the node ${labelOf(node)}`);
      defined.add(output);
    }
  }

  if (graph.outputs.length === 0) complaints.push("the graph has no outputs");
  const outputs = new Set<string>();
  for (const { name } of graph.outputs) {
    if (outputs.has(name)) complaints.push(`the output ${name} is declared twice`);
    outputs.add(name);
    if (!defined.has(name)) complaints.push(`the output ${name} is defined by nothing`);
  }
  return complaints;
}

function labelOf(node: Graph["nodes"][number]): string {
  return node.name ? `${node.name} (${node.op})` : `${node.op} that makes ${node.outputs[0] ?? "nothing"}`;
}
