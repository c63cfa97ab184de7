/** The input that takes samples, and the shape of one. */
import { type UserError, userError } from "../errors.js";
import type { Dimension, Graph, ValueInfo } from "../graph/graph.js";
import { dataTypes, isFloating, sizeOf, type Tensor } from "../graph/tensor.js";
import { vocabularyOf } from "./embedding.js";
import type { NetworkOptions } from "./network.js";

/**
 * Finds the input that takes samples.
 *
 * @param tensors those that the graph stores
 * @throws UserError where there is none, or several to choose from
 */
export function sampleInput(graph: Graph, tensors: ReadonlyMap<string, Tensor>, options: NetworkOptions): ValueInfo {
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  if (options.input !== undefined) {
    const named = inputs.find(({ name }) => name === options.input);
    if (!named)
      throw userError({
        where: options.where,
        required: `an input named "${options.input}"`,
        got: namesOf(inputs),
        advice: "Name one of the model's inputs, or a tensor that it computes.",
      });
    return named;
  }
  const lookedUp = inputs.filter(({ name }) => vocabularyOf(graph, tensors, name) !== undefined);
  // Beside tokens, numbers of their shape are a mask of padding.
  const others = inputs.filter((input) => !lookedUp.some((tokens) => isOfShapeOf(tokens, input)));
  const floating = others.filter(({ type }) => isFloating(type));
  const counted = others.filter(({ name }) => isMadeFloating(graph, name));
  const candidates = [floating, counted, lookedUp].find(({ length }) => length > 0) ?? [];
  if (candidates.length !== 1)
    throw userError({
      where: options.where,
      required:
        "a model with one input that takes the samples, of floating-point numbers or of integers that an embedding reads",
      got: namesOf(inputs),
      advice:
        candidates.length > 1
          ? "Choose one with --input NAME."
          : inputs.length > 0
            ? "Integers are taken where a table of vectors is looked up by them as they are (Gather of a stored tensor). Begin behind what computes with them, with --input TENSOR and --input-shape; a table's categories become vectors with --categories embedding."
            : "Export the model with an input.",
    });
  return candidates[0];
}

function isOfShapeOf({ shape }: ValueInfo, other: ValueInfo): boolean {
  return shape?.slice(1).join() === other.shape?.slice(1).join();
}

/** Is an input, such as a picture in whole numbers, read as floating-point numbers throughout? */
function isMadeFloating({ nodes }: Graph, name: string): boolean {
  const readers = nodes.filter(({ op, inputs }) => op !== "Shape" && inputs.includes(name));
  return (
    readers.length > 0 &&
    readers.every(({ op, attributes: { to } }) => {
      const type = op === "Cast" && to?.kind === "int" ? dataTypes[to.value - 1] : undefined;
      return type !== undefined && isFloating(type);
    })
  );
}

function namesOf(inputs: readonly ValueInfo[]): string {
  return inputs.length === 0 ? "no inputs" : inputs.map(({ name, type }) => `${name} (${type})`).join(", ");
}

/** A gibibyte of numbers. */
const mostValues = 2 ** 28;

/**
 * The shape of one sample.
 *
 * @throws UserError where a dimension of it is left open, another one was asked for, or no memory holds a batch of such
 */
export function fixedSampleShape(declared: readonly Dimension[], input: ValueInfo, options: NetworkOptions): number[] {
  const shape = knownSampleShape(declared, input, options);
  if (sizeOf(shape) <= mostValues) return shape;
  throw userError({
    where: `${options.where}: input ${input.name}`,
    required: `samples of at most ${mostValues} values`,
    got: `[${shape.join(", ")}]`,
    advice: "Export the network for smaller samples.",
  });
}

function knownSampleShape(declared: readonly Dimension[], input: ValueInfo, options: NetworkOptions): number[] {
  const given = options.sampleShape;
  const fail = (got: string): UserError =>
    userError({
      where: `${options.where}: input ${input.name}`,
      required: "a batch axis and a known shape of one sample",
      got,
      advice: "Give the sample's shape with --input-shape, such as 3x32x32.",
    });
  const printed = `[${(input.shape ?? []).map((dimension) => dimension ?? "?").join(", ")}]`;
  if (given) {
    const fits =
      declared.length === given.length &&
      declared.every((size, axis) => typeof size !== "number" || size <= 0 || size === given[axis]);
    if (!fits) throw fail(`the model's ${printed} against --input-shape ${given.join("x")}`);
    return [...given];
  }
  if (declared.length === 0) throw fail(input.shape ? `the shape ${printed}` : "an unknown rank");
  return declared.map((size) => {
    if (typeof size !== "number" || size <= 0) throw fail(printed);
    return size;
  });
}
