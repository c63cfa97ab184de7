/** How much memory a graph's values take while it is computed. */
import type { BuiltNode, ValueType } from "./builder.js";
import { byteLengthOf, sizeOf } from "./tensor.js";

/** Of texts, which no training graph has, it is not known. */
function bytesOf({ type, shape }: ValueType): number {
  return type === "string" ? 0 : byteLengthOf(type, sizeOf(shape));
}

/** Operators that give their first input's elements as they are, which runtimes do not copy. */
const views = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"]);

/**
 * The most bytes that what nodes make takes at any time, where they are computed in their order and a value is freed behind
 * its last reader. Each node may write over one value of the same size that it reads last, as runtimes do it, so that it is
 * what a runtime takes at least, about. Inputs and constants are not counted.
 *
 * @param kept names of the values that stay, as outputs
 */
export function peakBytes(nodes: readonly BuiltNode[], kept: ReadonlySet<string>): number {
  /** The value of which another is a view, by the other's name. */
  const origins = new Map<string, string>();
  const originOf = (name: string): string => origins.get(name) ?? name;
  const lastReader = new Map<string, number>();
  const staying = new Set<string>();
  nodes.forEach(({ op, inputs, outputs }, index) => {
    const [first] = inputs;
    if (views.has(op) && first) origins.set(outputs[0].name, originOf(first.name));
    for (const input of inputs) if (input) lastReader.set(originOf(input.name), index);
    for (const { name } of outputs) if (kept.has(name)) staying.add(originOf(name));
  });
  const living = new Map<string, number>();
  let [bytes, peak] = [0, 0];
  nodes.forEach(({ inputs, outputs }, index) => {
    const read = new Set(inputs.flatMap((input) => (input ? [originOf(input.name)] : [])));
    const ending = [...read].filter((name) => living.has(name) && !staying.has(name) && lastReader.get(name) === index);
    const made = outputs.filter(({ name }) => !origins.has(name)).map((value) => [value.name, bytesOf(value)] as const);
    for (const [name, size] of made) {
      living.set(name, size);
      bytes += size;
    }
    const [, first] = made[0] ?? [];
    const over = ending.some((name) => living.get(name) === first) ? (first ?? 0) : 0;
    peak = Math.max(peak, bytes - over);
    const unread = made.map(([name]) => name).filter((name) => !staying.has(name) && !lastReader.has(name));
    for (const name of [...ending, ...unread]) {
      bytes -= living.get(name) ?? 0;
      living.delete(name);
    }
  });
  return peak;
}
