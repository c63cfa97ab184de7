/** Einsum of two operands as a matrix product, which has gradient and mirror already. */
import { attribute, type Node } from "../graph/graph.js";
import { intTensor, type Tensor } from "../graph/tensor.js";

/** Names for new values, and new initializers, as an upgrade gives them. */
interface Names {
  /** Number of a value's axes; undefined where it is not known. */
  readonly ranks: { readonly of: (name: string) => number | undefined };
  readonly fresh: (node: Node, part: string) => string;
  readonly constant: (node: Node, part: string, tensor: Tensor) => string;
}

/**
 * An equation with labels in place of its ellipses, which stand for leading axes, as many in each operand.
 *
 * @returns undefined where an ellipsis does not lead, or where it is not known to stand for as many axes throughout
 */
function spelledOut(equation: string, inputs: readonly string[], { ranks }: Names): string | undefined {
  if (!equation.includes(".")) return equation;
  const operands = equation.split("->")[0].split(",");
  const counts = operands.flatMap((labels, index) =>
    labels.startsWith("...") ? [(ranks.of(inputs[index] ?? "") ?? Number.NaN) - (labels.length - 3)] : [],
  );
  const [count] = counts;
  if (!(count >= 0) || counts.some((other) => other !== count)) return undefined;
  const free = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter((label) => !equation.includes(label));
  return count > free.length ? undefined : equation.replaceAll("...", free.slice(0, count).join(""));
}

/**
 * The nodes that compute an Einsum: transpositions around a MatMul, or one transposition for a single operand.
 *
 * Of two operands labels of both are summed over, several of them as one axis; labels of both that stay are batch axes, and
 * further labels of one operand are, too, over which the other broadcasts.
 *
 * @returns the node alone where its equation is of another kind (an ellipsis that broadcasts, a diagonal, three operands, sums over no label
 *   or over labels of one operand, several labels of their own on both sides)
 */
export function einsumAsProduct(node: Node, names: Names): readonly Node[] {
  const { equation } = node.attributes;
  const written = equation?.kind === "string" ? equation.value.replace(/\s/g, "") : "";
  const text = spelledOut(written, node.inputs, names) ?? "";
  const [, left, output = ""] = /^([A-Za-z,]+)->([A-Za-z]*)$/.exec(text) ?? [];
  const operands = left?.split(",") ?? [];
  const repeats = [...operands, output].some((labels) => new Set(labels).size < labels.length);
  if (operands.length === 0 || operands.length !== node.inputs.length || repeats) return [node];
  const nodes: Node[] = [];
  const add = (op: string, inputs: string[], attributes: Node["attributes"] = {}): string => {
    const name = names.fresh(node, `${op}${nodes.length}`);
    nodes.push({ op, domain: "", name, inputs, outputs: [name], attributes });
    return name;
  };
  const arranged = (name: string, from: string, to: string): string =>
    from === to
      ? name
      : add("Transpose", [name], { perm: attribute.ints([...to].map((label) => from.indexOf(label))) });
  const axis = (place: number): string => names.constant(node, `axis${nodes.length}`, intTensor([place]));
  const finished = (name: string, from: string): readonly Node[] => {
    const last = arranged(name, from, output);
    return [
      ...nodes,
      { op: "Identity", domain: "", name: node.name, inputs: [last], outputs: node.outputs, attributes: {} },
    ];
  };

  const [a, b] = operands;
  if (operands.length === 1) return sameLabels(a, output) ? finished(node.inputs[0], a) : [node];
  if (operands.length !== 2) return [node];
  const kept = (labels: string, test: (label: string) => boolean): string => [...labels].filter(test).join("");
  const batch = kept(output, (label) => a.includes(label) && b.includes(label));
  const summed = kept(a, (label) => b.includes(label) && !output.includes(label));
  const own = (labels: string, other: string): string => kept(labels, (label) => !other.includes(label));
  const ownOfOutput = kept(output, (label) => !batch.includes(label));
  if (summed.length === 0 || !sameLabels(own(a, b) + own(b, a), ownOfOutput)) return [node];
  const swap = own(b, a).length > 1;
  const [many, few] = swap ? [b, a] : [a, b];
  const [manyName, fewName] = swap ? [node.inputs[1], node.inputs[0]] : node.inputs;
  const [rows, columns] = [own(many, few), own(few, many)];
  if (columns.length > 1) return [node];
  const [wide, row] = [rows.slice(0, -1), rows.slice(-1)];
  /** An operand with the labels to sum over behind its others, as one axis. */
  const asRows = (name: string, from: string, others: string): string => {
    const rows = arranged(name, from, others + summed);
    if (summed.length === 1) return rows;
    // Axes of a length of 0 are copied, so that no length has to be known.
    const shape = intTensor([...[...others].map(() => 0), -1]);
    return add("Reshape", [rows, names.constant(node, `shape${nodes.length}`, shape)]);
  };
  let first = asRows(manyName, many, wide + batch + row);
  if (row === "") first = add("Unsqueeze", [first, axis(-2)]);
  let second: string;
  if (columns === "") second = add("Unsqueeze", [asRows(fewName, few, batch), axis(-1)]);
  else if (summed.length === 1) second = arranged(fewName, few, batch + summed + columns);
  else second = arranged(asRows(fewName, few, batch + columns), `${batch}${columns}+`, `${batch}+${columns}`);
  let product = add("MatMul", [first, second]);
  if (columns === "") product = add("Squeeze", [product, axis(-1)]);
  if (row === "") product = add("Squeeze", [product, axis(columns === "" ? -1 : -2)]);
  return finished(product, wide + batch + row + columns);
}

function sameLabels(a: string, b: string): boolean {
  return [...a].sort().join() === [...b].sort().join();
}
