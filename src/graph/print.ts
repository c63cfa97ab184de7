/** Graphs as text that people read, for `inspect` and for tests. */
import type { Attribute, Graph, Node, ValueInfo } from "./graph.js";
import { numbersOf, sizeOf, type Tensor } from "./tensor.js";

/** Constants of up to this many elements are written out. */
const mostElements = 8;

/**
 * A graph as text, one line a value: inputs, outputs and initializers with type and shape (small ones with their
 * elements), then the nodes as `%y = Conv[kernel_shape=[3, 3]](%x, %w)`. `_` stands for what is omitted.
 */
export function printGraph(graph: Graph): string {
  const lines = [`graph ${printName(graph.name)}`];
  for (const input of graph.inputs) lines.push(`  input ${printValueInfo(input)}`);
  for (const output of graph.outputs) lines.push(`  output ${printValueInfo(output)}`);
  for (const [name, tensor] of graph.initializers)
    lines.push(`  initializer ${printValue(name)}: ${printTensor(tensor)}`);
  lines.push("nodes");
  for (const node of graph.nodes) lines.push(`  ${printNode(node)}`);
  return `${lines.join("\n")}\n`;
}

function printNode({ op, domain, inputs, outputs, attributes }: Node): string {
  const names = Object.keys(attributes).sort();
  const settings = names.map((name) => `${printName(name)}=${printAttribute(attributes[name])}`).join(", ");
  const operator = `${domain ? `${printName(domain)}.` : ""}${printName(op)}${settings && `[${settings}]`}`;
  return `${outputs.map(printValue).join(", ")} = ${operator}(${inputs.map(printValue).join(", ")})`;
}

function printAttribute(found: Attribute): string {
  switch (found.kind) {
    case "float":
      return printFloat(found.value);
    case "int":
      return String(found.value);
    case "string":
      return JSON.stringify(found.value);
    case "tensor":
      return printTensor(found.value);
    case "floats":
      return `[${found.value.map(printFloat).join(", ")}]`;
    case "ints":
      return `[${found.value.join(", ")}]`;
    case "strings":
      return `[${found.value.map((text) => JSON.stringify(text)).join(", ")}]`;
    case "graph":
    case "opaque":
      return "...";
  }
}

function printValueInfo({ name, type, shape }: ValueInfo): string {
  const dimensions = shape?.map((size) => (typeof size === "string" ? printName(size) : (size ?? "?")));
  return `${printValue(name)}: ${type}${dimensions ? `[${dimensions.join(", ")}]` : ""}`;
}

function printTensor(tensor: Tensor): string {
  const head = `${tensor.type}[${tensor.shape.join(", ")}]`;
  const elements = sizeOf(tensor.shape) <= mostElements ? printElements(tensor) : undefined;
  return elements === undefined ? head : `${head} {${elements.join(", ")}}`;
}

/** The elements; undefined for types whose elements are packed or no numbers. */
function printElements({ type, shape, data }: Tensor): string[] | undefined {
  if (Array.isArray(data)) return data.map((text) => JSON.stringify(text));
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Array.from(data as BigInt64Array, String);
  if (type.startsWith("complex") || type.startsWith("float8") || /^(u?int4|float4)/.test(type)) return undefined;
  return numbersOf({ type, shape, data }).map(printFloat);
}

/** As few digits as tell float32 numbers apart. */
function printFloat(number: number): string {
  if (Object.is(number, -0)) return "-0";
  if (Number.isInteger(number) || Math.fround(number) !== number) return String(number);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(number.toPrecision(digits));
    if (Math.fround(short) === number) return String(short);
  }
  return String(Number(number.toPrecision(9)));
}

function printValue(name: string): string {
  return name === "" ? "_" : `%${printName(name)}`;
}

/** A name as it is, or in quotes where it holds more than letters, digits and usual signs: a line stays one line. */
function printName(name: string): string {
  return /^[\p{L}\p{N}_./:-]+$/u.test(name) ? name : JSON.stringify(name);
}
