/** Puts other elements into the tensors of a serialized model, and leaves all its other bytes as they are. */
import { fromBinary } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  SparseTensorProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
  TrainingInfoProtoSchema,
} from "onnx-buf";
import type { Tensor } from "../graph/tensor.js";
import { bytesOf } from "./element-types.js";
import { readTensor, type TensorContext } from "./onnx-tensor.js";
import { bytesField, fixed32Fields, type Pieces, rewriteMessage, wireFields } from "./wire.js";

const model = ModelProtoSchema.field;
const training = TrainingInfoProtoSchema.field;
const graph = GraphProtoSchema.field;
const node = NodeProtoSchema.field;
const attribute = AttributeProtoSchema.field;
const sparse = SparseTensorProtoSchema.field;
const tensor = TensorProtoSchema.field;

const decoder = new TextDecoder();

/** Where tensors are looked for, by kind of message and field number. */
const children: Readonly<Record<string, ReadonlyMap<number, Kind>>> = {
  model: new Map([
    [model.graph.number, "mainGraph"],
    [model.trainingInfo.number, "training"],
  ]),
  training: new Map([
    [training.initialization.number, "graph"],
    [training.algorithm.number, "graph"],
  ]),
  mainGraph: new Map([
    [graph.node.number, "mainNode"],
    [graph.initializer.number, "tensor"],
    [graph.sparseInitializer.number, "sparse"],
  ]),
  graph: new Map([
    [graph.node.number, "node"],
    [graph.initializer.number, "tensor"],
    [graph.sparseInitializer.number, "sparse"],
  ]),
  mainNode: new Map([[node.attribute.number, "attribute"]]),
  node: new Map([[node.attribute.number, "attribute"]]),
  attribute: new Map([
    [attribute.t.number, "tensor"],
    [attribute.tensors.number, "tensor"],
    [attribute.g.number, "graph"],
    [attribute.graphs.number, "graph"],
    [attribute.sparseTensor.number, "sparse"],
    [attribute.sparseTensors.number, "sparse"],
  ]),
  sparse: new Map([
    [sparse.values.number, "tensor"],
    [sparse.indices.number, "tensor"],
  ]),
};
type Kind = "model" | "training" | "mainGraph" | "graph" | "mainNode" | "node" | "attribute" | "sparse" | "tensor";

/** The fields in which a tensor's elements, or the place where they are, may stand. */
const elementFields: ReadonlySet<number> = new Set(
  [
    tensor.rawData,
    tensor.floatData,
    tensor.int32Data,
    tensor.int64Data,
    tensor.doubleData,
    tensor.uint64Data,
    tensor.stringData,
    tensor.externalData,
    tensor.dataLocation,
  ].map(({ number }) => number),
);

/** What {@link replaceTensors} found. */
export interface Replaced {
  readonly pieces: Pieces;
  /** Names of the replacements that were put in. */
  readonly names: ReadonlySet<string>;
}

/**
 * Replaces tensors of a serialized model, and takes external data into it.
 *
 * @param replacements by the name of an initializer of the main graph, or of what a Constant node of it makes
 */
export function replaceTensors(
  bytes: Uint8Array,
  replacements: ReadonlyMap<string, Tensor>,
  context: TensorContext,
): Replaced {
  const names = new Set<string>();
  const find = (name: string): Tensor | undefined => {
    const replacement = replacements.get(name);
    if (replacement) names.add(name);
    return replacement;
  };

  /** @param constant replaces the tensors inside */
  const rewrite = (kind: Kind, content: Uint8Array, constant?: Tensor): Pieces | undefined => {
    if (kind === "tensor") return rewriteTensor(content, constant, context);
    const inside = kind === "mainNode" ? find(constantOutput(content) ?? "") : constant;
    return rewriteMessage(content, (field) => {
      const child = children[kind].get(field.number);
      if (!child || !field.content) return undefined;
      if (kind === "mainGraph" && child === "tensor")
        return rewrite(child, field.content, find(textOf(field.content, tensor.name.number)));
      if (kind !== "mainNode" || !inside) return rewrite(child, field.content, inside);
      switch (textOf(field.content, attribute.name.number)) {
        case "value":
          return rewrite(child, field.content, inside);
        case "value_float":
          return rewriteFloats(field.content, attribute.f.number, inside);
        case "value_floats":
          return rewriteFloats(field.content, attribute.floats.number, inside);
        default:
          return rewrite(child, field.content);
      }
    });
  };
  return { pieces: rewrite("model", bytes) ?? [bytes], names };
}

function rewriteTensor(
  content: Uint8Array,
  replacement: Tensor | undefined,
  context: TensorContext,
): Pieces | undefined {
  const elements = replacement ?? externalElements(content, context);
  if (!elements) return undefined;
  const raw = bytesField(tensor.rawData.number, [bytesOf(elements)]);
  return rewriteMessage(content, ({ number }) => (elementFields.has(number) ? [] : undefined), raw);
}

/** An attribute whose float32 values stand in it without a tensor around them. */
function rewriteFloats(content: Uint8Array, number: number, replacement: Tensor): Pieces | undefined {
  return rewriteMessage(content, (field) => (field.number === number ? [] : undefined), [
    fixed32Fields(number, bytesOf(replacement)),
  ]);
}

/** The elements of a tensor that lie outside the model. */
function externalElements(content: Uint8Array, context: TensorContext): Tensor | undefined {
  // Decoding is dear; only tensors with external data have this field.
  let external = false;
  for (const { number } of wireFields(content)) if (number === tensor.externalData.number) external = true;
  if (!external) return undefined;
  const proto = fromBinary(TensorProtoSchema, content);
  return proto.dataLocation === TensorProto_DataLocation.EXTERNAL ? readTensor(proto, context) : undefined;
}

/** The name that a Constant node gives its value; undefined for other nodes. */
function constantOutput(content: Uint8Array): string | undefined {
  return textOf(content, node.opType.number) === "Constant" ? textOf(content, node.output.number) : undefined;
}

/** The last text under this field number, which is the one that counts where a field stands twice. */
function textOf(content: Uint8Array, number: number): string {
  let text = "";
  for (const field of wireFields(content))
    if (field.number === number && field.content) text = decoder.decode(field.content);
  return text;
}
