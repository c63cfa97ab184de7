/** Reads ONNX models. */
import { fromBinary } from "@bufbuild/protobuf";
import { type AttributeProto, AttributeProto_AttributeType, type GraphProto, type ModelProto, ModelProtoSchema, type ValueInfoProto } from "onnx-buf";
import { userError } from "../errors.js";
import { checkGraph } from "../graph/check.js";
import type { Attribute, Dimension, Graph, Node, ValueInfo } from "../graph/graph.js";
import type { Tensor } from "../graph/tensor.js";
import { type ExternalReader, readTensor, typeOfNumber } from "./onnx-tensor.js";

/** A model as it came: its message, and the graph in it. */
export interface OnnxModel {
  readonly message: ModelProto;
  readonly graph: Graph;
  /** Version of the standard operator set. */
  readonly opset: number;
  readonly irVersion: number;
  /** Versions of all operator sets by domain. */
  readonly domains: ReadonlyMap<string, number>;
  /** Name and version of the program that wrote it. */
  readonly producer: string;
  /** Names of local functions. */
  readonly functions: readonly string[];
}

export interface ReadOptions {
  /** The file's name, for messages. */
  readonly where: string;
  readonly external?: ExternalReader;
}

const oldestOpset = 7;
/** The newest that ONNX Runtime 1.30 is known to run. */
const newestOpset = 26;

/**
 * Reads a model.
 *
 * @throws UserError where the bytes are no ONNX model, a tensor's bytes do not fit its shape, or the graph is broken
 */
export function readOnnx(bytes: Uint8Array, options: ReadOptions): OnnxModel {
  const { where } = options;
  let message: ModelProto;
  try {
    message = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw userError({
      where,
      required: "an ONNX model",
      got: `bytes that are none (${error instanceof Error ? error.message : "unreadable"})`,
      advice: "Export the model again with its framework's ONNX exporter.",
    });
  }
  if (!message.graph || message.graph.node.length === 0)
    throw userError({
      where,
      required: "an ONNX model with a graph",
      got: bytes.length === 0 ? "an empty file" : "a file without one",
      advice: "Export the model again with its framework's ONNX exporter.",
    });
  const domains = new Map(message.opsetImport.map(({ domain, version }) => [domain === "ai.onnx" ? "" : domain, Number(version)]));
  const opset = domains.get("") ?? 0;
  if (opset < oldestOpset || opset > newestOpset)
    throw userError({
      where,
      required: `an operator set from ${oldestOpset} to ${newestOpset}`,
      got: opset === 0 ? "none" : String(opset),
      advice: "Export the model with opset_version=17.",
    });
  const functions = message.functions.map(({ name }) => name);
  if (functions.length > 0)
    throw userError({
      where,
      required: "a model without local functions",
      got: functions.slice(0, 3).join(", "),
      advice: "Inline them first, with onnx.inliner.inline_local_functions.",
    });
  const graph = readGraph(message.graph, options);
  const complaint = checkGraph(graph)[0];
  if (complaint !== undefined)
    throw userError({ where, required: "a well-formed graph", got: complaint, advice: "Check the model with onnx.checker, and export it again." });
  return {
    message,
    graph,
    opset,
    irVersion: Number(message.irVersion),
    domains,
    producer: `${message.producerName} ${message.producerVersion}`.trim(),
    functions,
  };
}

function readGraph(message: GraphProto, options: ReadOptions): Graph {
  const { where, external } = options;
  if (message.sparseInitializer.length > 0)
    throw userError({ where, required: "dense weights", got: "a sparse initializer", advice: "Export the model with dense weights." });
  const initializers = new Map<string, Tensor>();
  for (const tensor of message.initializer) {
    if (initializers.has(tensor.name))
      throw userError({ where, required: "weights with names of their own", got: `two named ${tensor.name}`, advice: "Export the model again." });
    initializers.set(tensor.name, readTensor(tensor, `${where}: ${tensor.name}`, external));
  }
  const nodes = message.node.map(
    (node): Node => ({
      op: node.opType,
      domain: node.domain === "ai.onnx" ? "" : node.domain,
      name: node.name,
      inputs: node.input,
      outputs: node.output,
      attributes: Object.fromEntries(
        node.attribute.map((attribute) => [attribute.name, readAttribute(attribute, `${where}: ${node.name || node.opType}.${attribute.name}`, external)]),
      ),
    }),
  );
  return {
    name: message.name,
    inputs: message.input.map((info) => readValueInfo(info, where)),
    outputs: message.output.map((info) => readValueInfo(info, where)),
    initializers,
    nodes,
  };
}

function readValueInfo(info: ValueInfoProto, where: string): ValueInfo {
  const kind = info.type?.value;
  if (kind?.case !== "tensorType")
    throw userError({ where: `${where}: ${info.name}`, required: "a tensor", got: kind?.case ?? "no type", advice: "Export the model with tensors as inputs and outputs." });
  const type = typeOfNumber(kind.value.elemType);
  if (type === undefined)
    throw userError({ where: `${where}: ${info.name}`, required: "an element type of ONNX", got: `number ${kind.value.elemType}`, advice: "Check the model with onnx.checker." });
  const shape =
    kind.value.shape?.dim.map(({ value }): Dimension => {
      if (value.case === "dimValue") return Number(value.value);
      return value.case === "dimParam" && value.value !== "" ? value.value : null;
    }) ?? null;
  return { name: info.name, type, shape };
}

const decoder = new TextDecoder();

function readAttribute(message: AttributeProto, where: string, external: ExternalReader | undefined): Attribute {
  switch (message.type) {
    case AttributeProto_AttributeType.FLOAT:
      return { kind: "float", value: message.f };
    case AttributeProto_AttributeType.INT:
      return { kind: "int", value: Number(message.i) };
    case AttributeProto_AttributeType.STRING:
      return { kind: "string", value: decoder.decode(message.s) };
    case AttributeProto_AttributeType.TENSOR:
      return message.t ? { kind: "tensor", value: readTensor(message.t, where, external) } : { kind: "opaque", value: message };
    case AttributeProto_AttributeType.FLOATS:
      return { kind: "floats", value: message.floats };
    case AttributeProto_AttributeType.INTS:
      return { kind: "ints", value: message.ints.map(Number) };
    case AttributeProto_AttributeType.STRINGS:
      return { kind: "strings", value: message.strings.map((text) => decoder.decode(text)) };
    default:
      return { kind: "opaque", value: message };
  }
}
