/** Fresh networks for whoever has no model file yet, and for grids over architectures. */
import { userError } from "../errors.js";
import type { Graph } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import { parseInitializer } from "../initializers/initializers.js";
import { nearest } from "../nearest.js";
import { type ClassifierTemplate, classifierTemplates, type NetworkPlan, writeTemplate } from "./network-templates.js";
import { NetworkWriter } from "./network-writer.js";

/** The version of ONNX's operator set in which fresh networks are written: what today's tools all load. */
export const newNetworkOpset = 17;

/** What stands between a layer and its activation. layer: over all of a sample's values (Ba et al. 2016). */
export const classifierNormalizations = ["none", "batch", "layer", "group", "instance"] as const;

/** Activations by name; the value is the ONNX operator that a layer's initializer is told of, where there is one. */
const activations: Readonly<Record<string, string | undefined>> = {
  relu: "Relu",
  // A Clip to [0, 6] (Krizhevsky 2010), whose weights are drawn as ReLU's are.
  relu6: "Relu",
  "leaky-relu": "LeakyRelu",
  elu: "Elu",
  selu: "Selu",
  celu: "Celu",
  sigmoid: "Sigmoid",
  tanh: "Tanh",
  softplus: "Softplus",
  softsign: "Softsign",
  hardswish: "HardSwish",
  silu: undefined,
  gelu: undefined,
};
/** Names of the activations that {@link newClassifier} knows. */
export const classifierActivations: readonly string[] = Object.keys(activations);

/** Settings of {@link newClassifier}. */
export interface ClassifierOptions {
  readonly template: string;
  /** Shape of one sample: any for mlp, [channels, length] for cnn1d, [length] for text, else [channels, height, width]. */
  readonly inputShape: readonly number[];
  /**
   * Units of each hidden layer, channels of each convolution, channels of each stage of a resnet, channels of a
   * mobilenet's first convolution and of each stage behind it, or the width of a text network's embedding and the channels of
   * its convolutions.
   */
  readonly widths?: readonly number[];
  /** Number of hidden layers of equal width; for resnet and mobilenets the number of blocks in each stage, by default 1. */
  readonly depth?: number;
  /** How many times a block of mobilenetv2 widens its input. Default 6. */
  readonly expansion?: number;
  /** Tokens, from 0 on, that the embedding of text has vectors for. Default 10,000. */
  readonly vocabulary?: number;
  /** Default relu, for mobilenetv2 relu6. */
  readonly activation?: string;
  /** Default batch for resnet, mobilenet and mobilenetv2, none for the others. */
  readonly normalization?: string;
  /** Default 10. */
  readonly classes?: number;
  /** Numbers to predict, in place of classes. */
  readonly outputs?: number;
  /** Size of the convolutions' kernel, odd in a resnet, a mobilenet and text; default 3, for cnn1d 5. */
  readonly kernel?: number;
  /** Default 0. */
  readonly seed?: number;
  /** How weights are drawn; default pytorch-default. */
  readonly initializer?: string;
}

const defaultWidths: Readonly<Record<ClassifierTemplate, readonly number[]>> = {
  mlp: [256, 128],
  cnn: [16, 32],
  resnet: [16, 32, 64],
  mobilenet: [16, 32, 32, 64, 64, 128],
  mobilenetv2: [16, 16, 24, 24, 32, 32],
  cnn1d: [16, 32, 64],
  text: [64, 64],
};

/** Templates of residual networks and of those for phones: batch normalisation unless told otherwise, kernels that are odd. */
const deepTemplates: readonly string[] = ["resnet", "mobilenet", "mobilenetv2"] satisfies ClassifierTemplate[];

/** Templates whose convolutions keep positions as they are, with the same pads on both sides. */
const oddTemplates: readonly string[] = [...deepTemplates, "text" satisfies ClassifierTemplate];

/** Axes of one sample, by template; mlp takes any. */
const sampleAxes: Readonly<Record<ClassifierTemplate, readonly string[] | undefined>> = {
  mlp: undefined,
  cnn: ["channels", "height", "width"],
  resnet: ["channels", "height", "width"],
  mobilenet: ["channels", "height", "width"],
  mobilenetv2: ["channels", "height", "width"],
  cnn1d: ["channels", "length"],
  text: ["length"],
};

/**
 * Makes a classifier, or a network that predicts numbers, with freshly drawn weights, as an ONNX graph of opset
 * {@link newNetworkOpset}: input `input` of shape [batch, ...inputShape], of text in int64, output `logits` of shape [batch, classes], or
 * `predictions` of shape [batch, outputs]. Parameters are named as PyTorch names those
 * of the same network (`features.0.weight`, ..., `classifier.weight`; torchvision's names for resnet and mobilenetv2) and laid out so.
 * The same options give the same elements.
 *
 * @throws UserError for an option that does not fit, naming what can be chosen
 */
export function newClassifier(options: ClassifierOptions): Graph {
  const plan = planOf(options);
  const writer = new NetworkWriter({
    inputShape: plan.inputShape,
    initializer: parseInitializer(options.initializer ?? "pytorch-default"),
    seed: seedOf(options),
    activation: plan.activation,
    operator: activations[plan.activation],
    normalization: plan.normalization,
  });
  const output = { name: plan.regression ? "predictions" : "logits", size: plan.outputs };
  return writer.build(`new-${plan.template}`, writeTemplate(writer, plan), output);
}

function planOf(options: ClassifierOptions): NetworkPlan {
  const template = choice("template", options.template, classifierTemplates);
  const inputShape = inputShapeOf(options.inputShape, template);
  const normalization = choice(
    "normalization",
    options.normalization ?? (deepTemplates.includes(template) ? "batch" : "none"),
    template === "mlp" ? (["none", "batch", "layer"] as const) : classifierNormalizations,
  );
  const activation = choice(
    "activation",
    options.activation ?? (template === "mobilenetv2" ? "relu6" : "relu"),
    classifierActivations,
  );
  const regression = options.outputs !== undefined;
  if (regression && options.classes !== undefined)
    throw userError({
      where: "outputs",
      required: "numbers to predict or classes",
      got: "both",
      advice: "Leave one of them out.",
    });
  const outputs = regression ? whole("outputs", options.outputs ?? 1, 1) : whole("classes", options.classes ?? 10, 2);
  if (options.kernel !== undefined && template === "mlp")
    throw userError({
      where: "kernel",
      required: `a template with convolutions (${classifierTemplates.filter((name) => name !== "mlp").join(", ")})`,
      got: "mlp",
      advice: "Leave the kernel out, or choose another template.",
    });
  const kernel = whole("kernel", options.kernel ?? (template === "cnn1d" ? 5 : 3), 1);
  if (kernel % 2 === 0 && oddTemplates.includes(template))
    throw userError({
      where: "kernel",
      required: "an odd size, since an even one cannot keep a sample's size with the same pads on both sides",
      got: `${kernel}`,
      advice: `Take ${kernel - 1} or ${kernel + 1}.`,
    });
  if (options.expansion !== undefined)
    requireTemplate("expansion", template, "mobilenetv2", "whose blocks widen their input");
  const expansion = whole("expansion", options.expansion ?? 6, 1);
  if (options.vocabulary !== undefined)
    requireTemplate("vocabulary", template, "text", "which begins with an embedding");
  return {
    template,
    inputShape,
    expansion,
    ...sizesOf(options, template),
    activation,
    normalization,
    outputs,
    regression,
    kernel,
    vocabulary: whole("vocabulary", options.vocabulary ?? 10_000, 2),
  };
}

/** @throws UserError where an option is given with another template than the one that has it */
function requireTemplate(
  option: string,
  template: ClassifierTemplate,
  wanted: ClassifierTemplate,
  because: string,
): void {
  if (template === wanted) return;
  throw userError({
    where: option,
    required: `the template ${wanted}, ${because}`,
    got: template,
    advice: `Leave the ${option} out, or choose that template.`,
  });
}

function sizesOf(options: ClassifierOptions, template: ClassifierTemplate): { widths: number[]; blocks: number } {
  const widths = (options.widths ?? defaultWidths[template]).map((width) => whole("widths", width, 1));
  if (widths.length === 0)
    throw userError({ where: "widths", required: "one or more", got: "none", advice: "Write for example 64,32." });
  if (options.depth === undefined) return { widths, blocks: 1 };
  const depth = whole("depth", options.depth, 1);
  if (depth > 1000)
    throw userError({ where: "depth", required: "at most 1000", got: `${depth}`, advice: "Take fewer layers." });
  if (deepTemplates.includes(template)) return { widths, blocks: depth };
  if (options.widths && widths.length !== 1 && widths.length !== depth)
    throw userError({
      where: "depth",
      required: `as many layers as widths (${widths.length}), or a single width for all`,
      got: `${depth}`,
      advice: "Leave the depth out, or give one width.",
    });
  return { widths: widths.length === depth && options.widths ? widths : new Array(depth).fill(widths[0]), blocks: 1 };
}

const mostInputs = 2 ** 31;

function inputShapeOf(shape: readonly number[], template: ClassifierTemplate): readonly number[] {
  const axes = sampleAxes[template];
  const fits = axes ? shape.length === axes.length : shape.length > 0;
  if (!fits || shape.some((size) => !Number.isSafeInteger(size) || size < 1))
    throw userError({
      where: "input shape",
      required: axes ? `${axes.join("x")}, whole numbers from 1 on` : "one or more whole numbers from 1 on",
      got: shape.length > 0 ? shape.join("x") : "nothing",
      advice: `Such as ${{ mlp: "784", cnn1d: "1x128", text: "64" }[template as string] ?? "3x32x32"}.`,
    });
  if (sizeOf(shape) > mostInputs)
    throw userError({
      where: "input shape",
      required: `at most ${mostInputs} values a sample`,
      got: `${shape.join("x")}, which are ${sizeOf(shape)}`,
      advice: "Take smaller samples.",
    });
  return shape;
}

function choice<Name extends string>(where: string, given: string, known: readonly Name[]): Name {
  const plain = String(given).trim().toLowerCase().replaceAll("_", "-");
  const found = known.find((name) => name === plain);
  if (found !== undefined) return found;
  throw userError({
    where,
    required: `one of ${known.join(", ")}`,
    got: `"${given}"`,
    advice: `Did you mean ${nearest(plain, known)}?`,
  });
}

function whole(where: string, given: number, least: number): number {
  if (Number.isSafeInteger(given) && given >= least) return given;
  throw userError({
    where,
    required: `a whole number from ${least} on`,
    got: `${given}`,
    advice: "Give another number.",
  });
}

function seedOf({ seed = 0 }: ClassifierOptions): number {
  if (Number.isSafeInteger(seed)) return seed;
  throw userError({ where: "seed", required: "a whole number", got: `${seed}`, advice: "Give another number." });
}
