/** Writes ONNX models: those that came from outside with new weights in place, and graphs of our own. */
import { clone, create, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { userError } from "../errors.js";
import type { Attribute, Graph, ValueInfo } from "../graph/graph.js";
import { sizeOf, type Tensor } from "../graph/tensor.js";
import type { OnnxModel } from "./onnx-read.js";
import { rawLength, setElements, typeNumber, writeTensor } from "./onnx-tensor.js";

/** Protobuf's limit for one message. */
const largestMessage = 2 ** 31 - 1;

/**
 * The model with some tensors replaced; everything else stays as it came, unknown fields included. Tensors that lay in
 * other files are written into the model itself.
 *
 * @param replacements by name: an initializer's, or the output of a Constant node; same shape and type as there
 * @throws UserError where the result would be over 2 GiB; Error where a replacement fits nothing (a bug)
 */
export function writeOnnx(model: OnnxModel, replacements: ReadonlyMap<string, Tensor>): Uint8Array {
  const message = clone(ModelProtoSchema, model.message);
  const graph = message.graph;
  if (!graph) throw new Error("a model without a graph");
  const left = new Map(replacements);
  for (const tensor of graph.initializer) {
    const known = model.graph.initializers.get(tensor.name);
    const replacement = left.get(tensor.name);
    if (replacement && known) {
      expectSame(tensor.name, known, replacement);
      setElements(tensor, replacement);
      left.delete(tensor.name);
    } else if (known && tensor.externalData.length > 0) {
      setElements(tensor, known);
    }
  }
  graph.node.forEach((node, index) => {
    const known = model.graph.nodes[index];
    for (const attribute of node.attribute) {
      const value = known.attributes[attribute.name];
      if (!attribute.t || value?.kind !== "tensor") continue;
      const replacement = node.opType === "Constant" ? left.get(node.output[0]) : undefined;
      if (replacement) {
        expectSame(node.output[0], value.value, replacement);
        setElements(attribute.t, replacement);
        left.delete(node.output[0]);
      } else if (attribute.t.externalData.length > 0) {
        setElements(attribute.t, value.value);
      }
    }
  });
  if (left.size > 0) throw new Error(`no tensors in the model are named ${[...left.keys()].join(", ")}`);
  let bytes = 0;
  for (const tensor of model.graph.initializers.values()) bytes += rawLength(tensor.type, sizeOf(tensor.shape));
  if (bytes > largestMessage)
    throw userError({
      where: "model",
      required: "weights of at most 2 GiB, ONNX's limit for one file",
      got: `${(bytes / 2 ** 30).toFixed(1)} GiB`,
      advice: "Use the safetensors file.",
    });
  return toBinary(ModelProtoSchema, message);
}

function expectSame(name: string, known: Tensor, replacement: Tensor): void {
  const same = known.type === replacement.type && known.shape.join() === replacement.shape.join();
  if (!same) throw new Error(`${name} is ${known.type}[${known.shape.join()}], its replacement ${replacement.type}[${replacement.shape.join()}]`);
}

/** A graph of our own as an ONNX file. */
export function serializeGraph(graph: Graph, opset: number, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const nodes = graph.nodes.map((node) =>
    create(NodeProtoSchema, {
      opType: node.op,
      domain: node.domain,
      name: node.name,
      input: [...node.inputs],
      output: [...node.outputs],
      attribute: Object.entries(node.attributes).map(([name, value]) => attributeMessage(name, value)),
    }),
  );
  const others = new Set(graph.nodes.map(({ domain }) => domain).filter((domain) => domain !== ""));
  const model = create(ModelProtoSchema, {
    irVersion: 10n,
    producerName: "headstart",
    opsetImport: [
      create(OperatorSetIdProtoSchema, { domain: "", version: BigInt(opset) }),
      ...[...others].map((domain) => create(OperatorSetIdProtoSchema, { domain, version: 1n })),
    ],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ $typeName: "onnx.StringStringEntryProto" as const, key, value })),
    graph: create(GraphProtoSchema, {
      name: graph.name,
      node: nodes,
      initializer: [...graph.initializers].map(([name, tensor]) => writeTensor(name, tensor)),
      input: graph.inputs.map(valueInfoMessage),
      output: graph.outputs.map(valueInfoMessage),
    }),
  });
  return toBinary(ModelProtoSchema, model);
}

function valueInfoMessage({ name, type, shape }: ValueInfo): ValueInfoProto {
  const tensor = create(TypeProto_TensorSchema, { elemType: typeNumber(type) });
  if (shape)
    tensor.shape = create(TensorShapeProtoSchema, {
      dim: shape.map((dimension) =>
        create(TensorShapeProto_DimensionSchema, {
          value:
            typeof dimension === "number"
              ? { case: "dimValue", value: BigInt(dimension) }
              : dimension === null
                ? { case: undefined }
                : { case: "dimParam", value: dimension },
        }),
      ),
    });
  return create(ValueInfoProtoSchema, { name, type: create(TypeProtoSchema, { value: { case: "tensorType", value: tensor } }) });
}

function attributeMessage(name: string, attribute: Attribute): AttributeProto {
  const encoder = new TextEncoder();
  switch (attribute.kind) {
    case "float":
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: attribute.value });
    case "int":
      return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(attribute.value) });
    case "string":
      return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: encoder.encode(attribute.value) });
    case "tensor":
      return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: writeTensor("", attribute.value) });
    case "floats":
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOATS, floats: [...attribute.value] });
    case "ints":
      return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: attribute.value.map(BigInt) });
    case "strings":
      return create(AttributeProtoSchema, { name, type: AttributeType.STRINGS, strings: attribute.value.map((text) => encoder.encode(text)) });
    case "opaque":
      return attribute.value as AttributeProto;
  }
}
