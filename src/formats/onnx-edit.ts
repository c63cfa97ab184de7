/** Changes to the structure of a serialized model's main graph, with all its other bytes as they are. */
import { create, toBinary } from "@bufbuild/protobuf";
import { GraphProtoSchema, ModelProtoSchema, NodeProtoSchema, TensorProtoSchema } from "onnx-buf";
import { dataTypes, type Tensor } from "../graph/tensor.js";
import { bytesOf } from "./element-types.js";
import type { GraphEdits } from "./model-file.js";
import { bytesField, join, type Pieces, rewriteMessage, wireFields } from "./wire.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The model with edits made. Nodes are found by their first output; edits of nodes that are not there do nothing. */
export function editOnnx(bytes: Uint8Array, edits: GraphEdits): Uint8Array {
  const added = [...edits.added].flatMap(([name, tensor]) => initializerField(name, tensor));
  const pieces = rewriteMessage(bytes, (model) => {
    if (model.number !== ModelProtoSchema.field.graph.number || !model.content) return undefined;
    const { node } = GraphProtoSchema.field;
    return rewriteMessage(
      model.content,
      ({ number, content }) => (number === node.number && content ? editNode(content, edits) : undefined),
      added,
    );
  });
  return pieces ? join(pieces) : bytes;
}

/** As {@link rewriteMessage} takes it: nothing drops the node. */
function editNode(content: Uint8Array, { dropped, inputs }: GraphEdits): Pieces | undefined {
  const { input, output } = NodeProtoSchema.field;
  let first: string | undefined;
  for (const field of wireFields(content))
    if (first === undefined && field.number === output.number && field.content) first = decoder.decode(field.content);
  if (first === undefined) return undefined;
  if (dropped.has(first)) return [];
  const names = inputs.get(first);
  if (!names) return undefined;
  const fields = names.flatMap((name) => bytesField(input.number, [encoder.encode(name)]));
  return rewriteMessage(content, ({ number }) => (number === input.number ? [] : undefined), fields);
}

function initializerField(name: string, tensor: Tensor): Pieces {
  const message = create(TensorProtoSchema, {
    name,
    dataType: dataTypes.indexOf(tensor.type) + 1,
    dims: tensor.shape.map(BigInt),
    rawData: bytesOf(tensor),
  });
  return bytesField(GraphProtoSchema.field.initializer.number, [toBinary(TensorProtoSchema, message)]);
}
