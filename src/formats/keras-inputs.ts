/** The inputs of a Keras model: what samples are, and their shape. */
import { userError } from "../errors.js";
import { describe } from "./keras-calls.js";
import type { LayerConfig, ModelConfig } from "./keras-config.js";
import { embeddingsOf } from "./keras-embedding.js";
import type { KerasGraph, KerasValue } from "./keras-graph.js";

/** What the user says of the samples. */
export interface InputOptions {
  /** Name of the tensor that samples come as, where it is not the model's only input. */
  readonly input?: string;
  /** Shape of one sample, where the model leaves dimensions open. */
  readonly sampleShape?: readonly number[];
}

/** Declares an input of the whole model. @throws UserError where samples cannot be of it, or of unknown shape */
export function modelInput(graph: KerasGraph, config: ModelConfig, name: string, options: InputOptions): KerasValue {
  const layer = config.layers.find((candidate) => candidate.name === name);
  const where = `${graph.where}: input ${name}`;
  const declared = layer?.settings.batch_shape ?? layer?.settings.batch_input_shape;
  const isSize = (size: unknown): boolean => size === null || (Number.isSafeInteger(size) && (size as number) > 0);
  if (layer?.className !== "InputLayer" || !Array.isArray(declared) || declared.length === 0 || !declared.every(isSize))
    throw userError({
      where,
      required: "an input of known rank",
      got: layer ? describe(declared) : "none",
      advice: "Build the model with an Input layer (in TensorFlow.js, an inputShape) before saving it.",
    });
  const type = layer.settings.dtype ?? "float32";
  if (typeof type === "string" && !/^(b?float|u?int)/.test(type))
    throw userError({
      where,
      required: "samples of numbers",
      got: type,
      advice:
        "Save the part of the model behind the layer that reads them as a model of its own, and give that with what the layer gives, such as tokens.",
    });
  const counting = typeof type === "string" && !/^b?float/.test(type) ? countingLayer(config, name) : undefined;
  if (counting)
    throw userError({
      where,
      required: "integers that become floating-point numbers before anything is computed of them",
      got: `${counting.className} of ${type}, in which results overflow or are rounded`,
      advice: "Begin the model with Rescaling, or let the input be float32.",
    });
  const sizes = declared.slice(1) as (number | null)[];
  const embeddings = embeddingsOf(config, name);
  const given = givenShape(config, name, embeddings, options);
  const shape = sizes.map((size, axis) => size ?? given?.[axis]);
  if (!shape.every((size): size is number => size !== undefined) || (given && given.length !== shape.length)) {
    throw userError({
      where,
      required: "a known shape of one sample",
      got: `[${declared.map((size) => size ?? "?").join(", ")}]`,
      advice: shapeAdvice(sizes, embeddings, options.input),
    });
  }
  const input = graph.fresh(name);
  graph.inputs.push({ name: input, type: "float32", shape: [declared[0] ?? "batch", ...shape] });
  return { shape, last: input };
}

/** How to give a shape that the model leaves open. */
function shapeAdvice(
  sizes: readonly (number | null)[],
  embeddings: ReturnType<typeof embeddingsOf>,
  input: string | undefined,
): string {
  const lengths = sizes.map((size) => size ?? "LENGTH");
  const named = embeddings.find(({ name }) => name === input);
  if (named) return `Give the shape of its vectors with --input-shape ${[...lengths, named.width].join("x")}.`;
  return embeddings.length > 0
    ? `Give how many tokens a sample has with --input-shape ${lengths.join("x")}.`
    : "Give the sample's shape with --input-shape, such as 32x32x3.";
}

/** What the user's shape of one sample says of an input: of integers, what lies in front of their vectors' width. */
function givenShape(
  { inputs }: ModelConfig,
  name: string,
  embeddings: readonly { readonly name: string }[],
  { input, sampleShape }: InputOptions,
): readonly number[] | undefined {
  if (embeddings.some((embedding) => embedding.name === input)) return sampleShape?.slice(0, -1);
  return input === name || (input === undefined && inputs.length === 1) ? sampleShape : undefined;
}

/** What has integers of integers. */
const integerArithmetic = new Set(["Add", "Subtract", "Multiply", "Power", "Negative", "Square", "Resizing"]);

/** What computes with an input's own integers: samples are float32, which have the same values, but not the same sums. */
function countingLayer({ layers }: ModelConfig, name: string): LayerConfig | undefined {
  return layers.find(
    ({ className, calls }) =>
      integerArithmetic.has(className) &&
      calls.some(
        ({ inputs, operands = [] }) =>
          inputs.some(({ layer }) => layer === name) &&
          !operands.some((operand) => operand?.data.some((number) => !Number.isInteger(number))),
      ),
  );
}
