/** Looks whether nodes have the attributes that ONNX gives their operators, before anything is made of them. */
import { userError } from "../errors.js";
import type { Attribute, Graph, Node } from "../graph/graph.js";
import { attributeKind, attributesEver, attributeWords, requiredAttributes } from "./attribute-names.js";

const called: Readonly<Record<Attribute["kind"], string>> = {
  int: "a whole number",
  float: "a floating-point number",
  string: "a text",
  tensor: "a tensor",
  ints: "a list of whole numbers",
  floats: "a list of floating-point numbers",
  strings: "a list of texts",
  graph: "a graph",
  opaque: "something of another kind",
};

/**
 * Requires of every node of an operator that headstart knows that its attributes are those of the operator, in any of the
 * operator sets that are read, and of the kinds that ONNX gives them. ONNX Runtime would refuse the model, too.
 *
 * @param where the model file, for messages
 * @throws UserError naming the node and the attribute
 */
export function checkAttributes({ nodes }: Graph, where: string): void {
  for (const node of nodes) {
    const complaint = node.domain === "" ? complaintAbout(node) : undefined;
    if (complaint)
      throw userError({
        where: `${where}: node ${node.name || node.outputs[0]} (${node.op})`,
        ...complaint,
        advice: "Check the model with onnx.checker, and export it again.",
      });
    for (const attribute of Object.values(node.attributes))
      if (attribute.kind === "graph") checkAttributes(attribute.value, where);
  }
}

function complaintAbout({ op, attributes }: Node): { required: string; got: string } | undefined {
  const known = attributesEver(op);
  if (!known) return undefined;
  for (const [name, attribute] of Object.entries(attributes)) {
    const { kind } = attribute;
    // A program's own, which onnx.checker and ONNX Runtime let pass.
    if (name.startsWith("__")) continue;
    if (!known.includes(name))
      return {
        required:
          known.length === 0 ? `no attributes, as ONNX gives ${op} none` : `one of the attributes ${known.join(", ")}`,
        got: name,
      };
    const needed = attributeKind(op, name);
    if (needed !== undefined && needed !== kind)
      return { required: `${called[needed]} as the attribute ${name}`, got: called[kind] };
    const words = attributeWords(op, name);
    if (words && attribute.kind === "string" && !words.includes(attribute.value))
      return { required: `one of ${words.filter(Boolean).join(", ")} as the attribute ${name}`, got: attribute.value };
  }
  const missing = requiredAttributes(op).find((name) => attributes[name] === undefined);
  return missing === undefined ? undefined : { required: `the attribute ${missing}`, got: "none" };
}
