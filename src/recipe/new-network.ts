/** Fresh networks for whoever has no model file yet, and for grids over architectures. */
import { userError } from "../errors.js";
import type { Graph } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import { parseInitializer } from "../initializers/initializers.js";
import { nearest } from "../nearest.js";
import { type Feature, NetworkWriter } from "./network-writer.js";

/** The version of ONNX's operator set in which fresh networks are written: what today's tools all load. */
export const newNetworkOpset = 17;

/**
 * - mlp: linear layers
 * - cnn: convolutions of stride 2
 * - resnet: basic blocks (He et al. 2016, section 4.2), global average pooling; ResNet-8 by default
 * - cnn1d: convolutions of stride 2 over signals
 */
export const classifierTemplates = ["mlp", "cnn", "resnet", "cnn1d"] as const;
export type ClassifierTemplate = (typeof classifierTemplates)[number];

/** What stands between a layer and its activation. layer: over all of a sample's values (Ba et al. 2016). */
export const classifierNormalizations = ["none", "batch", "layer", "group", "instance"] as const;
export type ClassifierNormalization = (typeof classifierNormalizations)[number];

/** Activations by name; the value is the ONNX operator that a layer's initializer is told of, where there is one. */
const activations: Readonly<Record<string, string | undefined>> = {
  relu: "Relu",
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
  /** Shape of one sample: any for mlp, [channels, height, width] for cnn and resnet, [channels, length] for cnn1d. */
  readonly inputShape: readonly number[];
  /** Units of each hidden layer, channels of each convolution, or channels of each stage of a resnet. */
  readonly widths?: readonly number[];
  /** Number of hidden layers of equal width; for resnet the number of blocks in each stage. */
  readonly depth?: number;
  /** Default relu. */
  readonly activation?: string;
  /** Default batch for resnet, none for the others. */
  readonly normalization?: string;
  /** Default 10. */
  readonly classes?: number;
  /** Numbers to predict, in place of classes. */
  readonly outputs?: number;
  /** Size of the convolutions' kernel, odd in a resnet; default 3, for cnn1d 5. */
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
  cnn1d: [16, 32, 64],
};

/** Axes of one sample, by template; mlp takes any. */
const sampleAxes: Readonly<Record<ClassifierTemplate, readonly string[] | undefined>> = {
  mlp: undefined,
  cnn: ["channels", "height", "width"],
  resnet: ["channels", "height", "width"],
  cnn1d: ["channels", "length"],
};

interface Plan {
  readonly template: ClassifierTemplate;
  readonly inputShape: readonly number[];
  readonly widths: readonly number[];
  /** Blocks in each stage of a resnet. */
  readonly blocks: number;
  readonly activation: string;
  readonly normalization: ClassifierNormalization;
  /** Class scores, or numbers to predict. */
  readonly outputs: number;
  readonly regression: boolean;
  readonly kernel: number;
}

/** The name of the last layer. */
function headName({ regression }: Plan): string {
  return regression ? "regressor" : "classifier";
}

/**
 * Makes a classifier, or a network that predicts numbers, with freshly drawn weights, as an ONNX graph of opset
 * {@link newNetworkOpset}: input `input` of shape [batch, ...inputShape], output `logits` of shape [batch, classes], or
 * `predictions` of shape [batch, outputs]. Parameters are named as PyTorch names those
 * of the same network (`features.0.weight`, ..., `classifier.weight`; torchvision's names for resnet) and laid out so.
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
  const templates: Record<ClassifierTemplate, () => Feature> = {
    mlp: () => mlp(writer, plan),
    cnn: () => cnn(writer, plan),
    resnet: () => resnet(writer, plan),
    cnn1d: () => cnn(writer, plan),
  };
  const output = { name: plan.regression ? "predictions" : "logits", size: plan.outputs };
  return writer.build(`new-${plan.template}`, templates[plan.template](), output);
}

/** (Linear, normalisation, activation) × widths, Linear. */
function mlp(writer: NetworkWriter, plan: Plan): Feature {
  const { widths, normalization, outputs } = plan;
  let feature = writer.flatten(writer.input);
  let module = 0;
  for (const width of widths) {
    feature = writer.linear(feature, `features.${module++}`, width, { bias: normalization !== "batch" });
    if (normalization !== "none") feature = writer.normalize(feature, `features.${module++}`);
    feature = writer.activate(feature, `features.${module++}`);
  }
  return writer.linear(feature, headName(plan), outputs, { last: true });
}

/** (Conv of stride 2, normalisation, activation) × widths, Flatten, Linear. */
function cnn(writer: NetworkWriter, plan: Plan): Feature {
  const { widths, normalization, outputs, kernel } = plan;
  let feature = writer.input;
  let module = 0;
  for (const width of widths) {
    const settings = { kernel, stride: 2, bias: normalization !== "batch" };
    feature = writer.convolution(feature, `features.${module++}`, width, settings);
    if (normalization !== "none") feature = writer.normalize(feature, `features.${module++}`);
    feature = writer.activate(feature, `features.${module++}`);
  }
  return writer.linear(writer.flatten(feature), headName(plan), outputs, { last: true });
}

/** Stem, one stage of basic blocks a width, each but the first halving the picture, global average pooling, Linear. */
function resnet(writer: NetworkWriter, { widths, blocks, normalization, outputs, kernel }: Plan): Feature {
  const bias = normalization !== "batch";
  const normalized = (feature: Feature, name: string): Feature =>
    normalization === "none" ? feature : writer.normalize(feature, name);
  let feature = writer.convolution(writer.input, "conv1", widths[0], { kernel, stride: 1, bias });
  feature = writer.activate(normalized(feature, "bn1"), "relu");
  widths.forEach((width, stage) => {
    for (let block = 0; block < blocks; block++) {
      const name = `layer${stage + 1}.${block}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      let inner = writer.convolution(feature, `${name}.conv1`, width, { kernel, stride, bias });
      inner = writer.activate(normalized(inner, `${name}.bn1`), `${name}.relu`);
      inner = writer.convolution(inner, `${name}.conv2`, width, { kernel, stride: 1, bias, last: true });
      inner = normalized(inner, `${name}.bn2`);
      let shortcut = feature;
      if (stride !== 1 || feature.shape[0] !== width) {
        shortcut = writer.convolution(feature, `${name}.downsample.0`, width, { kernel: 1, stride, bias, last: true });
        shortcut = normalized(shortcut, `${name}.downsample.1`);
      }
      feature = writer.activate(writer.add(inner, shortcut, name), `${name}.relu_1`);
    }
  });
  return writer.linear(writer.flatten(writer.globalAverage(feature, "avgpool")), "fc", outputs, { last: true });
}

function planOf(options: ClassifierOptions): Plan {
  const template = choice("template", options.template, classifierTemplates);
  const inputShape = inputShapeOf(options.inputShape, template);
  const normalization = choice(
    "normalization",
    options.normalization ?? (template === "resnet" ? "batch" : "none"),
    template === "mlp" ? (["none", "batch", "layer"] as const) : classifierNormalizations,
  );
  const activation = choice("activation", options.activation ?? "relu", classifierActivations);
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
      required: "a template with convolutions (cnn, resnet, cnn1d)",
      got: "mlp",
      advice: "Leave the kernel out, or choose another template.",
    });
  const kernel = whole("kernel", options.kernel ?? (template === "cnn1d" ? 5 : 3), 1);
  if (kernel % 2 === 0 && template === "resnet")
    throw userError({
      where: "kernel",
      required: "an odd size, since an even one cannot keep a picture's size with the same pads on both sides",
      got: `${kernel}`,
      advice: `Take ${kernel - 1} or ${kernel + 1}.`,
    });
  return {
    template,
    inputShape,
    ...sizesOf(options, template),
    activation,
    normalization,
    outputs,
    regression,
    kernel,
  };
}

function sizesOf(options: ClassifierOptions, template: ClassifierTemplate): { widths: number[]; blocks: number } {
  const widths = (options.widths ?? defaultWidths[template]).map((width) => whole("widths", width, 1));
  if (widths.length === 0)
    throw userError({ where: "widths", required: "one or more", got: "none", advice: "Write for example 64,32." });
  if (options.depth === undefined) return { widths, blocks: 1 };
  const depth = whole("depth", options.depth, 1);
  if (depth > 1000)
    throw userError({ where: "depth", required: "at most 1000", got: `${depth}`, advice: "Take fewer layers." });
  if (template === "resnet") return { widths, blocks: depth };
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
      advice: { mlp: "Such as 784.", cnn: "Such as 1x28x28.", resnet: "Such as 3x32x32.", cnn1d: "Such as 1x128." }[
        template
      ],
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
