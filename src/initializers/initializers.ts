/**
 * The ways to draw fresh weights, by name, each with its formula and where it comes from.
 */
import { userError } from "../errors.js";
import type { WeightLayout } from "../graph/weight-layout.js";
import { nearest } from "../nearest.js";
import { RandomStream } from "../random/stream.js";
import {
  drawDeltaOrthogonal,
  drawNormal,
  drawOrthogonal,
  drawTruncatedNormal,
  drawUniform,
  TRUNCATED_DEVIATION,
} from "./distributions.js";
import { fans } from "./fans.js";

/** What follows the layer, for the initializers whose scale depends on it. */
export interface InitializerContext {
  /** The activation after the layer, by its ONNX operator name, such as "Relu". */
  activation?: string;
  /** The slope for negative inputs of LeakyRelu (ONNX's default: 0.01) or PRelu (as it starts, usually 0.25). */
  slope?: number;
  /** The recurrent layer that it is a part of, for the frameworks' defaults, which treat such layers in their own way. */
  recurrent?: RecurrentContext;
}

/** What frameworks' defaults look at in a recurrent layer. */
export interface RecurrentContext {
  /** Size of its state. */
  hidden: number;
  /** The weight multiplies the state, not the input. */
  isState: boolean;
  /** An LSTM's weight of the input: the first of the biases of the forget gates. */
  forget?: number;
}

/** A way to draw the weights and biases of a layer. */
export interface Initializer {
  name: string;
  /** The distribution of one weight; n is the fan-in, m the fan-out, U(±b) uniform, N(0, σ) normal. */
  formula: string;
  /** The publication or the framework that it comes from. */
  source: string;
  /** Draws a weight, row-major in its own shape. */
  draw(
    shape: readonly number[],
    layout: WeightLayout,
    stream: RandomStream,
    context?: InitializerContext,
  ): Float32Array;
  /** Draws the `count` biases of the layer whose weight has this shape and layout. */
  bias(
    count: number,
    weightShape: readonly number[],
    layout: WeightLayout,
    stream: RandomStream,
    context?: InitializerContext,
  ): Float32Array;
}

/**
 * The factor by which a layer's weights make up for what its activation takes from the signal's scale: √2 after Relu
 * (He et al. 2015, equation 10), √(2 / (1 + a²)) after LeakyRelu and PRelu of slope a (equation 15), 1 after Selu
 * (Klambauer et al. 2017), 5/3 after Tanh (PyTorch's choice); `otherwise` for what has no agreed value.
 */
export function gain({ activation, slope }: InitializerContext, otherwise: number): number {
  switch (activation) {
    case "Relu":
      return Math.SQRT2;
    case "LeakyRelu":
      return Math.sqrt(2 / (1 + (slope ?? 0.01) ** 2));
    case "PRelu":
      return Math.sqrt(2 / (1 + (slope ?? 0.25) ** 2));
    case "Selu":
      return 1;
    case "Tanh":
      return 5 / 3;
    default:
      return otherwise;
  }
}

/** He's √2 where the paper's derivation has nothing else to say; it covers rectifiers, and Selu has its own. */
function heGain(context: InitializerContext): number {
  const covered = ["LeakyRelu", "PRelu", "Selu"].includes(context.activation ?? "");
  return covered ? gain(context, Math.SQRT2) : Math.SQRT2;
}

const noBias: Initializer["bias"] = (count) => new Float32Array(count);

/**
 * Zeros, and in an LSTM ones for the forget gates, so that it keeps what it has at first (Jozefowicz et al., 2015); the
 * publications that the initializers come from are of weights.
 */
const unitForgetBias: Initializer["bias"] = (count, _shape, _layout, _stream, { recurrent } = {}) => {
  const biases = new Float32Array(count);
  if (recurrent?.forget !== undefined) biases.fill(1, recurrent.forget, recurrent.forget + recurrent.hidden);
  return biases;
};

/** The three distributions of one family that scales a weight's standard deviation by its fans. */
function varianceFamily(
  family: string,
  deviationFormula: string,
  source: string,
  deviation: (shape: readonly number[], layout: WeightLayout, context: InitializerContext) => number,
): Initializer[] {
  return [
    {
      name: `${family}-normal`,
      formula: `N(0, σ), σ = ${deviationFormula}`,
      source,
      draw: (shape, layout, stream, context = {}) => drawNormal(shape, deviation(shape, layout, context), stream),
      bias: unitForgetBias,
    },
    {
      name: `${family}-uniform`,
      formula: `U(±√3 σ), σ = ${deviationFormula}`,
      source,
      draw: (shape, layout, stream, context = {}) =>
        drawUniform(shape, Math.sqrt(3) * deviation(shape, layout, context), stream),
      bias: unitForgetBias,
    },
    {
      name: `${family}-truncated`,
      formula: `N(0, s) cut at ±2 s, s = σ / ${TRUNCATED_DEVIATION.toFixed(6)} so that the deviation is σ = ${deviationFormula}`,
      source: `${source}; the cut as in Keras and JAX`,
      draw: (shape, layout, stream, context = {}) =>
        drawTruncatedNormal(shape, deviation(shape, layout, context) / TRUNCATED_DEVIATION, stream),
      bias: unitForgetBias,
    },
  ];
}

function constant(name: string, value: number): Initializer {
  return {
    name,
    formula: `${value}; biases 0`,
    source: "a constant; units of one layer then stay equal, so it suits tests more than training",
    draw: (shape) => new Float32Array(elements(shape)).fill(value),
    bias: noBias,
  };
}

/**
 * PyTorch's fan-in is axis 1 times the kernel for every convolution, also for a transposed one, whose axis 1 counts
 * outputs (torch.nn.init._calculate_fan_in_and_fan_out).
 */
function pytorchFanIn(shape: readonly number[], layout: WeightLayout): number {
  const { fanIn, fanOut } = fans(shape, layout);
  return layout.kind === "convolution" && layout.transposed ? fanOut : fanIn;
}

/**
 * The mean of Keras' fans. With groups Keras counts the outputs of all of them; in depthwise convolutions, whose kernels
 * it keeps as [...kernel, channels, multiplier], all channels as inputs and the multiplier as outputs. Heads of attention
 * count as Keras 3.15 does it, as outputs of query, key and value and inputs of what joins them.
 */
function kerasMeanFan(shape: readonly number[], layout: WeightLayout): number {
  const { fanIn, fanOut } = fans(shape, layout);
  if (layout.kind !== "convolution") return (fanIn + fanOut) / 2;
  const { groups } = layout;
  const isDepthwise = !layout.transposed && shape[1] === 1;
  return (isDepthwise ? fanIn * groups + fanOut : fanIn + fanOut * groups) / 2;
}

const table: Initializer[] = [
  ...varianceFamily("lecun", "√(1/n)", "LeCun, Bottou, Orr and Müller 1998, Efficient BackProp, section 4.6", (s, l) =>
    Math.sqrt(1 / fans(s, l).fanIn),
  ),
  ...varianceFamily(
    "xavier",
    "√(2/(n+m))",
    "Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks, equation 12",
    (shape, layout) => {
      const { fanIn, fanOut } = fans(shape, layout);
      return Math.sqrt(2 / (fanIn + fanOut));
    },
  ),
  ...varianceFamily(
    "he",
    "g √(1/n), g = √2, √(2/(1+a²)) after LeakyRelu or PRelu of slope a, 1 after Selu",
    "He, Zhang, Ren and Sun 2015, Delving deep into rectifiers, equations 10 and 15; Selu: Klambauer et al. 2017",
    (shape, layout, context) => heGain(context) * Math.sqrt(1 / fans(shape, layout).fanIn),
  ),
  {
    name: "orthogonal",
    formula:
      "g Q, Q from the QR decomposition of a Gaussian matrix (units × fan-in, per group), g the activation's gain",
    source: "Saxe, McClelland and Ganguli 2014, Exact solutions to the nonlinear dynamics of learning",
    draw: (shape, layout, stream, context = {}) => drawOrthogonal(shape, layout, gain(context, 1), stream),
    bias: unitForgetBias,
  },
  {
    name: "delta-orthogonal",
    formula: "g Q at the kernel's centre, 0 elsewhere, Q orthogonal (out × in, per group); a matrix: as orthogonal",
    source: "Xiao et al. 2018, Dynamical isometry and a mean field theory of CNNs, algorithm 1",
    draw: (shape, layout, stream, context = {}) => drawDeltaOrthogonal(shape, layout, gain(context, 1), stream),
    bias: unitForgetBias,
  },
  constant("zeros", 0),
  constant("ones", 1),
  {
    name: "pytorch-default",
    formula: "U(±1/√n), biases too; n as PyTorch counts it, in recurrent layers the size of the state",
    source: "PyTorch: reset_parameters of torch.nn.Linear, Conv* (kaiming_uniform_ with a = √5) and RNNBase",
    draw: (shape, layout, stream, { recurrent } = {}) =>
      drawUniform(shape, 1 / Math.sqrt(recurrent?.hidden ?? pytorchFanIn(shape, layout)), stream),
    bias: (count, weightShape, layout, stream, { recurrent } = {}) =>
      drawUniform([count], 1 / Math.sqrt(recurrent?.hidden ?? pytorchFanIn(weightShape, layout)), stream),
  },
  {
    name: "keras-default",
    formula:
      "U(±√(6/(n+m))), biases 0; m counts the outputs of all groups, in depthwise convolutions n their inputs. What multiplies a state: orthogonal; forget biases 1",
    source:
      "Keras: glorot_uniform, the default of Dense and Conv; LSTM, GRU and SimpleRNN: orthogonal, unit_forget_bias",
    draw: (shape, layout, stream, { recurrent } = {}) =>
      recurrent?.isState
        ? drawOrthogonal(shape, layout, 1, stream)
        : drawUniform(shape, Math.sqrt(3 / kerasMeanFan(shape, layout)), stream),
    bias: unitForgetBias,
  },
  {
    name: "tfjs-default",
    formula:
      "N(0, s) cut at ±2 s, s = √(2/(n+m)) without a correction for the cut, biases 0. What multiplies a state: orthogonal; forget biases 1",
    source:
      "TensorFlow.js layers: glorotNormal, the default of dense and conv; lstm, gru and simpleRNN: orthogonal, unitForgetBias",
    draw: (shape, layout, stream, { recurrent } = {}) =>
      recurrent?.isState
        ? drawOrthogonal(shape, layout, 1, stream)
        : drawTruncatedNormal(shape, Math.sqrt(1 / kerasMeanFan(shape, layout)), stream),
    bias: unitForgetBias,
  },
];

/** Every initializer that has a fixed name; `constant:VALUE` comes on top, see {@link parseInitializer}. */
export const initializers: ReadonlyMap<string, Initializer> = new Map(table.map((entry) => [entry.name, entry]));

/** Other names of the same families. A family's bare name means its normal distribution. */
const families: Readonly<Record<string, string>> = {
  lecun: "lecun",
  xavier: "xavier",
  glorot: "xavier",
  he: "he",
  kaiming: "he",
};

/** All names that {@link parseInitializer} accepts, `constant:VALUE` standing for its whole family. */
export function initializerNames(): string[] {
  const familyNames = Object.keys(families).flatMap((family) => [
    family,
    ...["normal", "uniform", "truncated"].map((distribution) => `${family}-${distribution}`),
  ]);
  return [...new Set([...familyNames, ...initializers.keys(), "constant:VALUE"])];
}

/**
 * Finds an initializer by name: a name of {@link initializers}, an alias (glorot, kaiming, a bare family) or
 * `constant:VALUE`. Letter case, and underscore against hyphen, make no difference.
 *
 * @param where what to name in an error, such as the option
 * @throws UserError naming the nearest known name, or that VALUE is no finite number
 */
export function parseInitializer(name: string, where = "initializer"): Initializer {
  const plain = name.trim().toLowerCase().replaceAll("_", "-");
  if (plain.startsWith("constant:")) {
    const text = plain.slice("constant:".length);
    const value = text === "" ? Number.NaN : Number(text);
    if (!Number.isFinite(Math.fround(value))) {
      throw userError({
        where,
        required: "constant:VALUE with a finite number as VALUE",
        got: `"${name}"`,
        advice: "Write for example constant:0.1.",
      });
    }
    return constant(`constant:${value}`, value);
  }
  const [family, distribution = "normal"] = splitFamily(plain);
  const found = initializers.get(plain) ?? initializers.get(`${families[family]}-${distribution}`);
  if (found) return found;
  throw userError({
    where,
    required: "the name of an initializer",
    got: `"${name}"`,
    advice: `Did you mean ${nearest(plain, initializerNames())}? Known are ${initializerNames().join(", ")}.`,
  });
}

function splitFamily(name: string): [family: string, distribution?: string] {
  const hyphen = name.indexOf("-");
  return hyphen < 0 ? [name] : [name.slice(0, hyphen), name.slice(hyphen + 1)];
}

/** A layer's tensors that are to be drawn afresh. */
export interface DrawnLayer {
  /** The weight's name, which its random numbers depend on. */
  weight: string;
  shape: readonly number[];
  layout: WeightLayout;
  /** The bias's name, where there is one, and its number of elements. */
  bias?: { name: string; count: number };
}

/**
 * Draws a layer's weight and bias. Each depends on the seed and its own name only (streams `weights/<name>`), not on
 * what is drawn before it.
 */
export function drawLayer(
  initializer: Initializer,
  layer: DrawnLayer,
  seed: number,
  context: InitializerContext = {},
): { weight: Float32Array; bias: Float32Array | undefined } {
  const { weight, shape, layout, bias } = layer;
  return {
    weight: initializer.draw(shape, layout, new RandomStream(seed, `weights/${weight}`), context),
    bias: bias && initializer.bias(bias.count, shape, layout, new RandomStream(seed, `weights/${bias.name}`), context),
  };
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
