/** Writes ONNX: models as they came with other weights in place, and graphs of our own. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  type AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  ModelProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from "onnx-buf";
import { userError } from "../errors.js";
import type { Attribute, Dimension, Graph, Node, ValueInfo } from "../graph/graph.js";
import { dataTypes, floatTensor, type Tensor } from "../graph/tensor.js";
import { bytesOf } from "./element-types.js";
import type { GraphEdits } from "./model-file.js";
import { editOnnx } from "./onnx-edit.js";
import type { OnnxModel } from "./onnx-read.js";
import { replaceTensors } from "./onnx-replace.js";
import { join, lengthOf } from "./wire.js";

const irVersion = 10n;
/** Protobuf's limit for one message, 2 GiB. */
const largestModel = 2 ** 31 - 1;

const encoder = new TextEncoder();

/**
 * A model as it was read, with some weights replaced. All else stays as it came, byte by byte, with what the schema does
 * not know. External data is taken into the model.
 *
 * @param replacements by the name of an initializer, or of what a Constant node makes; each of the shape and type that
 *   the model has there
 * @param edits made before
 * @throws UserError where the result would exceed the 2 GiB that an ONNX file can hold
 * @throws Error where a replacement fits nothing in the model, which is a caller's mistake
 */
export function writeOnnx(model: OnnxModel, replacements: ReadonlyMap<string, Tensor>, edits?: GraphEdits): Uint8Array {
  const tensors = new Map([...model.graph.initializers, ...(edits?.added ?? [])]);
  for (const node of model.graph.nodes) {
    const value = node.op === "Constant" && node.domain === "" ? constantOf(node) : undefined;
    if (value) tensors.set(node.outputs[0], value);
  }
  for (const [name, { type, shape }] of replacements) {
    const old = tensors.get(name);
    if (!old) throw new Error(`write ONNX: the model has no tensor ${name}`);
    if (old.type !== type || old.shape.join() !== shape.join())
      throw new Error(`write ONNX: ${name} is ${old.type}[${old.shape}], not ${type}[${shape}]`);
  }
  const bytes = edits ? editOnnx(model.bytes, edits) : model.bytes;
  const { pieces, names } = replaceTensors(bytes, replacements, model);
  for (const name of replacements.keys())
    if (!names.has(name)) throw new Error(`write ONNX: the tensor ${name} was not found again`);
  const size = lengthOf(pieces);
  if (size > largestModel) throw tooLarge(model.where, size);
  return join(pieces);
}

/** What a Constant makes, in those of its forms that hold real numbers. */
function constantOf({ attributes }: Node): Tensor | undefined {
  const { value, value_float, value_floats } = attributes;
  if (value?.kind === "tensor") return value.value;
  if (value_float?.kind === "float") return floatTensor([value_float.value], []);
  return value_floats?.kind === "floats" ? floatTensor(value_floats.value) : undefined;
}

/**
 * A graph as an ONNX model of this operator set. Other domains that nodes use are imported in version 1.
 *
 * @param more sequence: the name of one more output, the first: an empty sequence of tensors
 * @throws UserError where the graph's tensors exceed the 2 GiB that an ONNX file can hold
 */
export function serializeGraph(
  graph: Graph,
  opset: number,
  { sequence }: { readonly sequence?: string | undefined } = {},
): Uint8Array {
  requireSize(graph);
  const domains = new Set(graph.nodes.map(({ domain }) => domain).filter((domain) => domain !== ""));
  const model = create(ModelProtoSchema, {
    irVersion,
    producerName: "headstart",
    opsetImport: [
      { domain: "", version: BigInt(opset) },
      ...[...domains].sort().map((domain) => ({ domain, version: 1n })),
    ],
    graph: {
      name: graph.name,
      input: graph.inputs.map(valueInfoProto),
      output: [...(sequence === undefined ? [] : [sequenceInfoProto(sequence)]), ...graph.outputs.map(valueInfoProto)],
      initializer: Array.from(graph.initializers, ([name, tensor]) => tensorProto(name, tensor)),
      node: [
        ...(sequence === undefined ? [] : [{ opType: "SequenceEmpty", name: sequence, output: [sequence] }]),
        ...graph.nodes.map((node) => ({
          opType: node.op,
          domain: node.domain,
          name: node.name,
          input: [...node.inputs],
          output: [...node.outputs],
          attribute: Object.entries(node.attributes).map(([name, value]) => attributeProto(name, value)),
        })),
      ],
    },
  });
  return toBinary(ModelProtoSchema, model);
}

function requireSize(graph: Graph): void {
  let size = 0;
  for (const { data } of graph.initializers.values()) if (!Array.isArray(data)) size += data.byteLength;
  if (size > largestModel) throw tooLarge(graph.name, size);
}

function tooLarge(where: string, size: number): Error {
  return userError({
    where,
    required: "less than 2 GiB, which is all that an ONNX file can hold",
    got: `${size} bytes`,
    advice: "Use a smaller network or batch.",
  });
}

function tensorProto(name: string, tensor: Tensor): MessageInitShape<typeof TensorProtoSchema> {
  const { type, shape, data } = tensor;
  return {
    name,
    dataType: dataTypes.indexOf(type) + 1,
    dims: shape.map(BigInt),
    ...(Array.isArray(data) ? { stringData: data.map((text) => encoder.encode(text)) } : { rawData: bytesOf(tensor) }),
  };
}

function attributeProto(name: string, value: Attribute): MessageInitShape<typeof AttributeProtoSchema> {
  switch (value.kind) {
    case "float":
      return { name, type: AttributeType.FLOAT, f: value.value };
    case "int":
      return { name, type: AttributeType.INT, i: int64(value.value) };
    case "string":
      return { name, type: AttributeType.STRING, s: encoder.encode(value.value) };
    case "tensor":
      return { name, type: AttributeType.TENSOR, t: tensorProto("", value.value) };
    case "floats":
      return { name, type: AttributeType.FLOATS, floats: [...value.value] };
    case "ints":
      return { name, type: AttributeType.INTS, ints: value.value.map(int64) };
    case "strings":
      return { name, type: AttributeType.STRINGS, strings: value.value.map((text) => encoder.encode(text)) };
    case "graph":
      // Only readOnnx makes these, too.
      return value.source as AttributeProto;
    case "opaque":
      // Only readOnnx makes these, and keeps the message itself.
      return value.value as AttributeProto;
  }
}

/** The largest int64, which exporters write for "to the end", is not a double: it was read as 2^63. */
function int64(value: number): bigint {
  if (value >= 2 ** 63) return 2n ** 63n - 1n;
  return value <= -(2 ** 63) ? -(2n ** 63n) : BigInt(value);
}

function valueInfoProto({ name, type, shape }: ValueInfo): MessageInitShape<typeof ValueInfoProtoSchema> {
  const elemType = dataTypes.indexOf(type) + 1;
  const tensorType = shape ? { elemType, shape: { dim: shape.map(dimensionProto) } } : { elemType };
  return { name, type: { value: { case: "tensorType", value: tensorType } } };
}

/** A sequence of float32 tensors, which is what SequenceEmpty makes. */
function sequenceInfoProto(name: string): MessageInitShape<typeof ValueInfoProtoSchema> {
  const elemType = { value: { case: "tensorType" as const, value: { elemType: dataTypes.indexOf("float32") + 1 } } };
  return { name, type: { value: { case: "sequenceType", value: { elemType } } } };
}

function dimensionProto(dimension: Dimension) {
  if (dimension === null) return {};
  if (typeof dimension === "string") return { value: { case: "dimParam" as const, value: dimension } };
  return { value: { case: "dimValue" as const, value: BigInt(dimension) } };
}
