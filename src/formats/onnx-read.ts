/** ONNX bytes to a graph. Whatever the bytes are, the answer is a model or a UserError. */
import { fromBinary, isFieldSet } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type ValueInfoProto,
} from "onnx-buf";
import { UserError, userError } from "../errors.js";
import { checkGraph } from "../graph/check.js";
import { type Attribute, attribute, type Dimension, type Graph, type Node, type ValueInfo } from "../graph/graph.js";
import { inComputationOrder } from "../graph/order.js";
import type { Tensor } from "../graph/tensor.js";
import { checkWire } from "./check-wire.js";
import { dataTypeOf, type ExternalReader, readTensor, type TensorContext } from "./onnx-tensor.js";

/** A model as read, with the bytes and the message that it was read from, so that it can be written back as it came. */
export interface OnnxModel {
  readonly graph: Graph;
  /** Version of the standard operator set. */
  readonly opset: number;
  readonly irVersion: number;
  /** Versions of all imported operator sets by domain; the standard one is "". */
  readonly domains: ReadonlyMap<string, number>;
  /** The exporter and its version, as the file names them; may be empty. */
  readonly producer: string;
  readonly message: ModelProto;
  readonly bytes: Uint8Array;
  /** The file, for messages. */
  readonly where: string;
  readonly external?: ExternalReader;
}

export interface ReadOnnxOptions {
  /** The file, for messages. */
  readonly where: string;
  /** Reads external data; without it a model with external data is refused. */
  readonly external?: ExternalReader;
}

/** Oldest and newest operator set whose differences to the pinned one are undone when a network is found in the model. */
export const oldestOpset = 6;
/** See {@link oldestOpset}. */
export const newestOpset = 28;

const decoder = new TextDecoder();

/**
 * Reads an ONNX model: all attribute kinds (other subgraphs than an If's and a Loop's and rare kinds stay opaque), all encodings of tensors, and
 * the structure that ONNX demands of a graph, but for the order of its nodes, which they get.
 *
 * @throws UserError that names the file where the bytes are no such model
 */
export function readOnnx(bytes: Uint8Array, options: ReadOnnxOptions): OnnxModel {
  const { where } = options;
  const message = parse(bytes, where);
  const domains = new Map<string, number>();
  for (const { domain, version } of message.opsetImport) domains.set(standardDomain(domain), Number(version));
  if (!message.graph || message.graph.node.length === 0)
    throw userError({
      where,
      required: "an ONNX model with a graph",
      got: "one without nodes",
      advice: "Check that it is an ONNX file and whole.",
    });
  const opset = domains.get("") ?? 1;
  if (!(opset >= oldestOpset && opset <= newestOpset))
    throw userError({
      where,
      required: `a model of operator set ${oldestOpset} to ${newestOpset}`,
      got: domains.has("") ? String(opset) : "none",
      advice: "Export the model again with opset 20.",
    });
  const functions = message.functions.map(({ domain, name }) => `${standardDomain(domain)}::${name}`);
  if (functions.length > 0)
    throw userError({
      where,
      required: "a model without functions of its own",
      got: functions.slice(0, 3).join(", "),
      advice: "Inline them first, with onnx.inliner.inline_local_functions.",
    });
  const graph = readGraph(message.graph, options);
  const [complaint, ...more] = checkGraph(graph);
  if (complaint !== undefined)
    throw userError({
      where,
      required: "a sound graph",
      got: `one in which ${complaint}${more.length > 0 ? ` (and ${more.length} more faults)` : ""}`,
      advice: hidesInitializer(graph)
        ? "In PyTorch, rename the parameter or buffer of this name, which its exporter has given to what an operation makes, too, and export the model again."
        : "Export the model again.",
    });
  return {
    graph,
    opset,
    irVersion: Number(message.irVersion),
    domains,
    producer: `${message.producerName} ${message.producerVersion}`.trim(),
    message,
    bytes,
    where,
    ...(options.external ? { external: options.external } : {}),
  };
}

/** Does a node make something that is called as an initializer? */
function hidesInitializer({ nodes, initializers }: Graph): boolean {
  return nodes.some(({ outputs }) => outputs.some((name) => initializers.has(name)));
}

/** "ai.onnx" is the long name of the standard domain "". */
function standardDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}

function parse(bytes: Uint8Array, where: string): ModelProto {
  try {
    const message = fromBinary(ModelProtoSchema, bytes);
    checkWire(bytes, ModelProtoSchema);
    return message;
  } catch {
    // The parser throws many kinds of errors on broken bytes, and says nothing that would help a user.
    throw userError({
      where,
      required: "an ONNX model",
      got: bytes.byteLength === 0 ? "an empty file" : "bytes that are none",
      advice: "Check that it is an ONNX file and whole.",
    });
  }
}

function readGraph(proto: GraphProto, context: TensorContext): Graph {
  const { where } = context;
  if (proto.sparseInitializer.length > 0)
    throw userError({
      where,
      required: "dense initializers",
      got: "sparse ones",
      advice: "Export the model with dense weights.",
    });
  const initializers = new Map<string, Tensor>();
  for (const tensor of proto.initializer) {
    if (initializers.has(tensor.name) || tensor.name === "")
      throw userError({
        where,
        required: "initializers each with a name of its own",
        got: tensor.name === "" ? "one without a name" : `two called ${tensor.name}`,
        advice: "Export the model again.",
      });
    initializers.set(tensor.name, readTensor(tensor, context));
  }
  const inputs = proto.input.map((info) => readValueInfo(info, where));
  const given = new Set([...initializers.keys(), ...inputs.map(({ name }) => name)]);
  return {
    name: proto.name,
    inputs,
    // skl2onnx leaves the type of outputs open, which ONNX Runtime infers.
    outputs: proto.output.map((info) =>
      info.type ? readValueInfo(info, where) : { name: info.name, type: "float32", shape: null },
    ),
    initializers,
    // ONNX wants them in order, but its runtimes take them in any, as what converts models to half precision leaves them.
    nodes: inComputationOrder(
      proto.node.map((node) => readNode(node, context)),
      (name) => given.has(name),
    ),
  };
}

function readValueInfo(proto: ValueInfoProto, where: string): ValueInfo {
  const place = `${where}: input or output ${proto.name}`;
  const type = proto.type?.value;
  if (type?.case !== "tensorType")
    throw userError({
      where: place,
      required: "a tensor",
      got: type?.case === undefined ? "no type" : `a ${type.case.replace("Type", "")}`,
      advice: "Export the part of the model that works on tensors.",
    });
  const { elemType, shape } = type.value;
  return {
    name: proto.name,
    type: dataTypeOf(elemType, place),
    shape: shape ? shape.dim.map(({ value }) => readDimension(value, place)) : null,
  };
}

type DimensionValue = { case: "dimValue"; value: bigint } | { case: "dimParam"; value: string } | { case: undefined };

function readDimension(dimension: DimensionValue, where: string): Dimension {
  if (dimension.case === undefined) return null;
  if (dimension.case === "dimParam") return dimension.value || null;
  const size = Number(dimension.value);
  if (size > 2 ** 31 - 1)
    throw userError({ where, required: "dimensions under 2^31", got: String(size), advice: "Export the model again." });
  // Some exporters write -1 or 0 where a size is open, and runtimes take both as unknown.
  return size > 0 ? size : null;
}

function readNode(proto: NodeProto, context: TensorContext): Node {
  const place = `${context.where}: node ${proto.name || proto.output[0] || "without a name"} (${proto.opType})`;
  const names = new Set(proto.attribute.map(({ name }) => name));
  if (names.size !== proto.attribute.length)
    throw userError({
      where: place,
      required: "attributes each with a name of its own",
      got: "two of one name",
      advice: "Export the model again.",
    });
  return {
    op: proto.opType,
    domain: standardDomain(proto.domain),
    name: proto.name,
    inputs: proto.input,
    outputs: proto.output,
    // fromEntries makes own properties of all names, "__proto__" too.
    attributes: Object.fromEntries(
      proto.attribute.map((part) => [
        part.name,
        ((proto.opType === "If" || proto.opType === "Loop") && readBranch(part, context)) ||
          readAttribute(part, { ...context, where: place }),
      ]),
    ),
  };
}

function readAttribute(proto: AttributeProto, context: TensorContext): Attribute {
  switch (proto.type === AttributeType.UNDEFINED ? guessKind(proto) : proto.type) {
    case AttributeType.FLOAT:
      return attribute.float(proto.f);
    case AttributeType.INT:
      return attribute.int(Number(proto.i));
    case AttributeType.STRING:
      return attribute.string(decoder.decode(proto.s));
    case AttributeType.TENSOR:
      if (proto.t) return attribute.tensor(readTensor(proto.t, context));
      throw userError({
        where: context.where,
        required: `a tensor in the attribute ${proto.name}`,
        got: "none",
        advice: "Export the model again.",
      });
    case AttributeType.FLOATS:
      return attribute.floats(proto.floats);
    case AttributeType.INTS:
      return attribute.ints(proto.ints.map(Number));
    case AttributeType.STRINGS:
      return attribute.strings(proto.strings.map((bytes) => decoder.decode(bytes)));
    default:
      return { kind: "opaque", value: proto };
  }
}

/** A branch of an If, or a Loop's body; undefined where it is none that headstart could take, of tensors throughout. */
function readBranch(proto: AttributeProto, context: TensorContext): Attribute | undefined {
  if (!proto.g) return undefined;
  try {
    return { kind: "graph", value: readGraph(proto.g, context), source: proto };
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** The first version of ONNX had no field for an attribute's kind. */
function guessKind(proto: AttributeProto): AttributeType {
  const { field } = AttributeProtoSchema;
  if (isFieldSet(proto, field.f)) return AttributeType.FLOAT;
  if (isFieldSet(proto, field.i)) return AttributeType.INT;
  if (isFieldSet(proto, field.s)) return AttributeType.STRING;
  if (proto.t) return AttributeType.TENSOR;
  if (proto.floats.length > 0) return AttributeType.FLOATS;
  if (proto.ints.length > 0) return AttributeType.INTS;
  if (proto.strings.length > 0) return AttributeType.STRINGS;
  return AttributeType.UNDEFINED;
}
