/** Writes a network of opset 17 layer by layer, with drawn weights and a symbolic batch axis. */
import { userError } from "../errors.js";
import { type Attributes, attribute, type Graph, type Node } from "../graph/graph.js";
import { floatTensor, intTensor, sizeOf, type Tensor } from "../graph/tensor.js";
import type { WeightLayout } from "../graph/weight-layout.js";
import { drawEmbedding } from "../initializers/embeddings.js";
import { drawLayer, type Initializer } from "../initializers/initializers.js";
import { RandomStream } from "../random/stream.js";

/** A value on the way through the network, and its shape without the batch axis. */
export interface Feature {
  readonly name: string;
  readonly shape: readonly number[];
}

/** What holds for the whole network. */
export interface NetworkWriterOptions {
  /** Shape of one sample. */
  readonly inputShape: readonly number[];
  readonly initializer: Initializer;
  readonly seed: number;
  /** The activation's name, such as "leaky-relu". */
  readonly activation: string;
  /** Its ONNX operator, where it is one operator. */
  readonly operator: string | undefined;
  readonly normalization: "none" | "batch" | "layer" | "group" | "instance";
}

/** Settings of a layer. */
export interface LayerSettings {
  /** Default true. */
  readonly bias?: boolean;
  /** No activation follows. */
  readonly last?: boolean;
}

/** A protobuf message holds at most 2 GiB. */
const mostParameters = 2 ** 29 - 2 ** 20;

/** Channels are normalised in as many groups as divide them, up to this number. */
const mostGroups = 8;

/**
 * A network in the making: each method adds one layer behind a value and gives what comes out. Weights are drawn by the
 * initializer, by the layer's name and the seed; shapes are those of one sample, without the batch axis.
 *
 * @throws UserError where a layer does not fit its input, or the network is too large for a file
 */
export class NetworkWriter {
  readonly input: Feature;
  readonly #options: NetworkWriterOptions;
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, Tensor>();
  #parameterCount = 0;
  #readsTokens = false;

  constructor(options: NetworkWriterOptions) {
    this.#options = options;
    this.input = { name: "input", shape: options.inputShape };
  }

  /** The graph that ends in this value. */
  build(name: string, { name: last }: Feature, output: { readonly name: string; readonly size: number }): Graph {
    const nodes = this.#nodes.map((node) => ({
      ...node,
      outputs: node.outputs.map((value) => (value === last ? output.name : value)),
    }));
    return {
      name,
      inputs: [
        { name: "input", type: this.#readsTokens ? "int64" : "float32", shape: ["batch", ...this.#options.inputShape] },
      ],
      outputs: [{ name: output.name, type: "float32", shape: ["batch", output.size] }],
      initializers: this.#initializers,
      nodes,
    };
  }

  /** The network's input of tokens, [length], to their vectors, [width, length]. Weight: [vocabulary, width]. */
  embedding(x: Feature, name: string, vocabulary: number, width: number): Feature {
    const shape = [vocabulary, width];
    const weight = `${name}.weight`;
    this.#count(sizeOf(shape));
    this.#readsTokens = true;
    const { initializer, seed } = this.#options;
    const drawn = drawEmbedding(initializer, shape, new RandomStream(seed, `weights/${weight}`));
    const table = this.#constant(weight, floatTensor(drawn, shape));
    const vectors = this.#node("Gather", name, [table, x.name], [...x.shape, width], { axis: attribute.int(0) });
    const perm = attribute.ints([0, 2, 1]);
    return this.#node("Transpose", name, [vectors.name], [width, ...x.shape], { perm });
  }

  /** [features] to [units]. Weight: [units, features]. */
  linear(x: Feature, name: string, units: number, settings: LayerSettings = {}): Feature {
    const shape = [units, x.shape[0]];
    const parameters = this.#drawLayer(name, shape, { kind: "matrix", inputAxis: 1 }, settings);
    return this.#node("Gemm", name, [x.name, ...parameters], [units], { transB: attribute.int(1) });
  }

  /**
   * [channels, ...positions] to [width, ...positions / stride], rounded up, or down with an even kernel (stride 2 only).
   * Weight: [width, channels / groups, ...kernel].
   */
  convolution(
    x: Feature,
    name: string,
    width: number,
    {
      kernel,
      stride,
      groups = 1,
      ...settings
    }: LayerSettings & { readonly kernel: number; readonly stride: number; readonly groups?: number },
  ): Feature {
    const [channels, ...positions] = x.shape;
    const kernels = positions.map(() => kernel);
    const layout = { kind: "convolution", groups, transposed: false } as const;
    const parameters = this.#drawLayer(name, [width, channels / groups, ...kernels], layout, settings);
    const even = kernel % 2 === 0;
    const pad = Math.floor((kernel - 1) / 2);
    const reduced = positions.map((size) => (even ? Math.floor(size / stride) : Math.ceil(size / stride)));
    if (reduced.includes(0))
      throw userError({
        where: name,
        required: `at least ${stride} positions for an even kernel`,
        got: positions.join("x"),
        advice: "Take fewer layers, a larger input or an odd kernel.",
      });
    return this.#node("Conv", name, [x.name, ...parameters], [width, ...reduced], {
      kernel_shape: attribute.ints(kernels),
      strides: attribute.ints(positions.map(() => stride)),
      pads: attribute.ints([...positions, ...positions].map(() => pad)),
      ...(groups > 1 && { group: attribute.int(groups) }),
    });
  }

  /** The normalisation of the whole network, with a scale of ones and a shift of zeros. */
  normalize(x: Feature, name: string): Feature {
    const { normalization } = this.#options;
    const [channels, ...positions] = x.shape;
    const groups = greatestCommonDivisor(channels, mostGroups);
    const together = {
      none: 0,
      batch: 0,
      layer: sizeOf(x.shape),
      group: sizeOf(x.shape) / groups,
      instance: sizeOf(positions),
    }[normalization];
    if (together === 1)
      throw userError({
        where: `normalization before ${name}`,
        required: "more than one value to normalise together",
        got: `${x.shape.join("x")} under ${normalization} normalisation, which leaves nothing but zeros`,
        advice: "Take batch normalisation, fewer layers or larger samples.",
      });
    const epsilon = { epsilon: attribute.float(1e-5) };
    const affine = (shape: readonly number[]): [string, string] => [
      this.#filled(`${name}.weight`, shape, 1),
      this.#filled(`${name}.bias`, shape, 0),
    ];
    if (normalization === "layer") {
      const axis = { axis: attribute.int(-x.shape.length) };
      return this.#node("LayerNormalization", name, [x.name, ...affine(x.shape)], x.shape, { ...axis, ...epsilon });
    }
    if (normalization === "instance")
      return this.#node("InstanceNormalization", name, [x.name, ...affine([channels])], x.shape, epsilon);
    if (normalization === "group") return this.#normalizeGroups(x, name, groups, affine([channels]));
    const inputs = [
      x.name,
      ...affine([channels]),
      this.#filled(`${name}.running_mean`, [channels], 0),
      this.#filled(`${name}.running_var`, [channels], 1),
    ];
    return this.#node("BatchNormalization", name, inputs, x.shape, { ...epsilon, momentum: attribute.float(0.9) });
  }

  /** The activation of the whole network. */
  activate(x: Feature, name: string): Feature {
    const { activation, operator } = this.#options;
    if (activation === "relu6") {
      const bounds = [this.#scalar("zero", 0), this.#scalar("six", 6)];
      return this.#node("Clip", name, [x.name, ...bounds], x.shape);
    }
    if (operator)
      return this.#node(
        operator,
        name,
        [x.name],
        x.shape,
        activation === "leaky-relu" ? { alpha: attribute.float(0.01) } : {},
      );
    if (activation === "silu") {
      const gate = this.#node("Sigmoid", name, [x.name], x.shape);
      return this.#node("Mul", name, [x.name, gate.name], x.shape);
    }
    // Opset 17 has no Gelu: x · (1 + erf(x / √2)) · ½ (Hendrycks and Gimpel 2016).
    const scaled = this.#node("Div", name, [x.name, this.#scalar("root_of_two", Math.SQRT2)], x.shape);
    const erf = this.#node("Erf", name, [scaled.name], x.shape);
    const shifted = this.#node("Add", name, [erf.name, this.#scalar("one", 1)], x.shape);
    const product = this.#node("Mul", name, [x.name, shifted.name], x.shape);
    return this.#node("Mul", `${name}.half`, [product.name, this.#scalar("half", 0.5)], x.shape);
  }

  add(a: Feature, b: Feature, name: string): Feature {
    return this.#node("Add", name, [a.name, b.name], a.shape);
  }

  /** The mean of every channel, with its positions kept as ones. */
  globalAverage(x: Feature, name: string): Feature {
    return this.#node("GlobalAveragePool", name, [x.name], [x.shape[0], ...x.shape.slice(1).map(() => 1)]);
  }

  /** The largest value of every channel, with its positions kept as ones. */
  globalMaximum(x: Feature, name: string): Feature {
    return this.#node("GlobalMaxPool", name, [x.name], [x.shape[0], ...x.shape.slice(1).map(() => 1)]);
  }

  flatten(x: Feature): Feature {
    if (x.shape.length === 1) return x;
    return this.#node("Flatten", "flatten", [x.name], [sizeOf(x.shape)], { axis: attribute.int(1) });
  }

  /** Opset 17 has no usable GroupNormalization: each group becomes a channel of an InstanceNormalization. */
  #normalizeGroups(x: Feature, name: string, groups: number, [scale, shift]: readonly [string, string]): Feature {
    const [channels, ...positions] = x.shape;
    const apart = this.#constant(`${name}.groups`, intTensor([0, groups, -1]));
    const back = this.#constant(`${name}.channels`, intTensor([0, channels, ...positions]));
    const axes = this.#constant(`${name}.axes`, intTensor(positions.map((_, axis) => axis + 1)));
    const ones = this.#constant(`${name}.ones`, floatTensor(new Float32Array(groups).fill(1)));
    const zeros = this.#constant(`${name}.zeros`, floatTensor(new Float32Array(groups)));
    const grouped = this.#node("Reshape", name, [x.name, apart], [groups, sizeOf(x.shape) / groups]);
    const normal = this.#node("InstanceNormalization", name, [grouped.name, ones, zeros], grouped.shape, {
      epsilon: attribute.float(1e-5),
    });
    const restored = this.#node("Reshape", `${name}.restored`, [normal.name, back], x.shape);
    const column = [channels, ...positions.map(() => 1)];
    const scales = this.#node("Unsqueeze", `${name}.scale`, [scale, axes], column);
    const shifts = this.#node("Unsqueeze", `${name}.shift`, [shift, axes], column);
    return this.add(this.#node("Mul", name, [restored.name, scales.name], x.shape), shifts, name);
  }

  #drawLayer(
    name: string,
    shape: readonly number[],
    layout: WeightLayout,
    { bias = true, last }: LayerSettings,
  ): string[] {
    const { initializer, seed, operator } = this.#options;
    const weight = `${name}.weight`;
    this.#count(sizeOf(shape) + (bias ? shape[0] : 0));
    const drawn = drawLayer(
      initializer,
      { weight, shape, layout, ...(bias && { bias: { name: `${name}.bias`, count: shape[0] } }) },
      seed,
      last || !operator ? {} : { activation: operator },
    );
    const names = [this.#constant(weight, floatTensor(drawn.weight, shape))];
    if (drawn.bias) names.push(this.#constant(`${name}.bias`, floatTensor(drawn.bias)));
    return names;
  }

  /** Stops before memory is taken for what could not be written anyway. */
  #count(parameters: number): void {
    this.#parameterCount += parameters;
    if (this.#parameterCount <= mostParameters) return;
    throw userError({
      where: "network",
      required: `at most ${mostParameters} parameters, which is what an ONNX file holds`,
      got: "more",
      advice: "Choose smaller widths, fewer layers or smaller samples.",
    });
  }

  #filled(name: string, shape: readonly number[], value: number): string {
    this.#count(sizeOf(shape));
    return this.#constant(name, floatTensor(new Float32Array(sizeOf(shape)).fill(value), shape));
  }

  #scalar(name: string, value: number): string {
    return this.#constant(name, floatTensor([value], []));
  }

  #constant(name: string, tensor: Tensor): string {
    this.#initializers.set(name, tensor);
    return name;
  }

  #node(
    op: string,
    name: string,
    inputs: readonly string[],
    shape: readonly number[],
    attributes: Attributes = {},
  ): Feature {
    const output = `${name}/${op}_output`;
    this.#nodes.push({ op, domain: "", name: `${name}/${op}`, inputs, outputs: [output], attributes });
    return { name: output, shape };
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
