/** The input that takes samples, and the shape of one. */
import { type UserError, userError } from "../errors.js";
import type { Dimension, Graph, ValueInfo } from "../graph/graph.js";
import { dataTypes, isFloating, sizeOf, type Tensor } from "../graph/tensor.js";
import { embeddingsOf, shapeOfEmbedding } from "./embedding.js";
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
    const isLookedUp = embeddingsOf(graph, tensors).some(({ integers }) => integers === named.name);
    if (isLookedUp && !isFloating(named.type))
      throw userError({
        where: `${options.where}: input ${named.name}`,
        required: "samples of numbers",
        got: "integers that an embedding reads",
        advice: `They cannot be learned from: ${beginningBehind(graph, tensors)}.`,
      });
    return named;
  }
  const floating = inputs.filter(({ type }) => isFloating(type));
  const counted = inputs.filter(({ name }) => isMadeFloating(graph, name));
  const candidates = floating.length > 0 ? floating : counted;
  if (candidates.length !== 1)
    throw userError({
      where: options.where,
      required: "a model with one floating-point input that takes the samples",
      got: namesOf(inputs),
      advice:
        candidates.length > 1
          ? "Choose one with --input NAME."
          : inputs.length > 0
            ? `Integers, as of tokens and categories, cannot be learned from: ${beginningBehind(graph, tensors)}; a table's categories become vectors with --categories embedding.`
            : "Export the model with a float input.",
    });
  return candidates[0];
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

/** How to begin with vectors in place of integers. */
function beginningBehind(graph: Graph, tensors: ReadonlyMap<string, Tensor>): string {
  const options = embeddingsOf(graph, tensors).flatMap((embedding) => {
    const sizes = shapeOfEmbedding(embedding, graph.inputs)?.slice(1);
    const shape = sizes?.map((size) => (typeof size === "number" && size > 0 ? size : "LENGTH")).join("x");
    return shape === undefined ? [] : [`--input ${embedding.output} --input-shape ${shape}`];
  });
  return options.length === 0
    ? "begin behind their embedding, with its output as --input and --input-shape"
    : `begin behind their embedding, with ${options.slice(0, 3).join(" or ")}, and its vectors as samples`;
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
