/** The discriminator D: tells real samples from generated ones. Built to suit the data's shape. */
import { userError } from "../errors.js";
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import { nodeCost } from "../ops/cost.js";
import { Emitter } from "../ops/emitter.js";
import type { ParameterSpec } from "../ops/parameter.js";

/** A layer of D, for people to read. */
export interface DiscriminatorLayer {
  readonly op: string;
  /** Shape of its output for one sample. */
  readonly shape: readonly number[];
}

/** D as a function that writes itself into a graph, as often as it is needed there. */
export interface Discriminator {
  /** Which kind it is: "mlp", "cnn", "cnn1d", or "network" for the user's own. */
  readonly kind: string;
  /** All trainable; names begin with `discriminator/`. */
  readonly parameters: readonly ParameterSpec[];
  /** Emits D on [batch, ...sample shape] and gives logits [batch, 1], larger for what it takes for real. */
  readonly apply: (emit: Emitter, samples: Value, parameter: (name: string) => Value) => Value;
  /** Its nodes, input first. */
  readonly describe: readonly DiscriminatorLayer[];
  /** Multiply-adds for one sample. */
  readonly cost: number;
  /** What the user should know of it. */
  readonly notes: readonly string[];
  /** Start values by parameter name, where D comes with its own. */
  readonly weights?: ReadonlyMap<string, Float32Array>;
}

/**
 * - auto: by the sample's shape: cnn for [channels, height, width], cnn1d for [channels, length], else mlp
 * - mlp: two hidden layers on the flattened sample
 * - cnn: convolutions of stride 2 until the picture is small, then a linear layer
 * - cnn1d: the same along one axis
 */
export const discriminatorKinds = ["auto", "mlp", "cnn", "cnn1d"] as const;
export type DiscriminatorKind = (typeof discriminatorKinds)[number];

export interface DiscriminatorOptions {
  readonly kind: DiscriminatorKind;
  /** Shape of one sample. */
  readonly sampleShape: readonly number[];
  /** Where a picture or signal has its channels: first (NCHW, the default) or last (NHWC). */
  readonly layout?: "NCHW" | "NHWC";
  /** Multiply-adds for one sample that D should come near to, such as F's; default: a usual width. */
  readonly targetCost?: number;
}

/** Slope below zero (Radford et al., 2016). */
const slope = 0.2;
const widthStep = 8;
const usualWidth = { mlp: 256, cnn: 32, cnn1d: 32 } as const;
const largestWidth = { mlp: 1024, cnn: 256, cnn1d: 256 } as const;
/** Channels grow with depth up to this multiple of the first layer's. */
const largestGrowth = 8;

/**
 * Builds D from the shape of a sample. No layer mixes the samples of a batch, so that gradient penalties mean what they
 * say.
 *
 * @throws UserError where the kind does not fit the shape
 */
export function buildDiscriminator(options: DiscriminatorOptions): Discriminator {
  const kind = kindFor(options);
  const candidates = options.targetCost === undefined ? [usualWidth[kind]] : widthsUpTo(largestWidth[kind]);
  // Costs grow with the width: the nearest one by ratio.
  let best: Discriminator | undefined;
  for (const width of candidates) {
    const candidate = measured(kind, options, width);
    if (best && distance(candidate, options.targetCost) > distance(best, options.targetCost)) break;
    best = candidate;
  }
  if (!best) throw new Error("no width for the discriminator");
  return best;
}

function widthsUpTo(largest: number): number[] {
  return Array.from({ length: largest / widthStep }, (_, index) => (index + 1) * widthStep);
}

function distance({ cost }: Discriminator, target = cost): number {
  return Math.abs(Math.log(Math.max(cost, 1) / Math.max(target, 1)));
}

type Kind = Exclude<DiscriminatorKind, "auto">;

function kindFor({ kind, sampleShape, layout }: DiscriminatorOptions): Kind {
  const positions = layout === "NHWC" ? sampleShape.slice(0, -1) : sampleShape.slice(1);
  const isLarge = positions.some((size) => size >= 2);
  const fitting: Kind =
    isLarge && sampleShape.length >= 3 ? "cnn" : isLarge && sampleShape.length === 2 ? "cnn1d" : "mlp";
  if (kind === "auto" || kind === "mlp") return kind === "auto" ? fitting : kind;
  const rank = kind === "cnn1d" ? sampleShape.length === 2 : sampleShape.length >= 3;
  if (rank && isLarge) return kind;
  throw userError({
    where: `discriminator ${kind}`,
    required: kind === "cnn1d" ? "samples of shape [channels, length]" : "samples of shape [channels, height, width]",
    got: `[${sampleShape.join(", ")}]`,
    advice: `Choose ${fitting}, or auto.`,
  });
}

/** Emits D once on a scratch graph, which tells its parameters, layers and cost. */
function measured(kind: Kind, options: DiscriminatorOptions, width: number): Discriminator {
  const emit = new Emitter();
  const specs = new Map<string, ParameterSpec>();
  const values = new Map<string, Value>();
  const declare = (spec: ParameterSpec): Value => {
    specs.set(spec.name, spec);
    const value = emit.input(spec.name, "float32", spec.shape);
    values.set(spec.name, value);
    return value;
  };
  const samples = emit.input("samples", "float32", [1, ...options.sampleShape]);
  new Writer(emit, declare).write(kind, samples, options.layout ?? "NCHW", width);
  return {
    kind,
    parameters: [...specs.values()],
    apply: (target, input, parameter) =>
      new Writer(target, ({ name }) => parameter(name)).write(kind, input, options.layout ?? "NCHW", width),
    describe: emit.nodes.map(({ op, outputs }) => ({ op, shape: outputs[0].shape.slice(1) })),
    cost: emit.nodes.reduce((sum, node) => sum + nodeCost(node), 0),
    notes: [],
  };
}

/** Writes D's layers; where their parameters come from is the caller's. */
class Writer {
  readonly #emit: Emitter;
  readonly #parameter: (spec: ParameterSpec) => Value;

  constructor(emit: Emitter, parameter: (spec: ParameterSpec) => Value) {
    this.#emit = emit;
    this.#parameter = parameter;
  }

  write(kind: Kind, samples: Value, layout: "NCHW" | "NHWC", width: number): Value {
    if (kind === "mlp") {
      const hidden = this.#activate(this.#linear(this.#flat(samples), "linear1", width));
      return this.#linear(this.#activate(this.#linear(hidden, "linear2", width / 2)), "linear3", 1);
    }
    const rank = samples.shape.length;
    const channelsFirst = [0, rank - 1, ...samples.shape.map((_, axis) => axis).slice(1, -1)];
    let x = layout === "NHWC" ? this.#emit.transpose(samples, channelsFirst) : samples;
    for (let layer = 1; layer <= 2 || isLarge(x); layer++) {
      if (isSmallest(x)) break;
      const channels = width * Math.min(2 ** (layer - 1), largestGrowth);
      x = this.#activate(this.#convolution(x, `conv${layer}`, channels));
    }
    return this.#linear(this.#flat(x), "linear", 1);
  }

  #flat(x: Value): Value {
    return this.#emit.reshape(x, [x.shape[0], sizeOf(x.shape.slice(1))]);
  }

  #activate(x: Value): Value {
    return this.#emit.one("LeakyRelu", [x], { alpha: attribute.float(slope) });
  }

  #linear(x: Value, name: string, units: number): Value {
    const fanIn = x.shape[1];
    const weight = this.#weight(name, [units, fanIn], { kind: "matrix", inputAxis: 1 }, fanIn);
    return this.#emit.one("Gemm", [x, weight, this.#bias(name, units, fanIn)], { transB: attribute.int(1) });
  }

  /** Kernel 4 and stride 2 halve every axis; long signals are quartered by kernel 8 and stride 4. */
  #convolution(x: Value, name: string, channels: number): Value {
    const sizes = x.shape.slice(2);
    const strides = sizes.map((size) => (size < 2 ? 1 : sizes.length === 1 && size >= 64 ? 4 : 2));
    const kernel = strides.map((stride) => (stride === 1 ? 1 : 2 * stride));
    const pads = strides.map((stride) => Math.floor(stride / 2));
    const fanIn = x.shape[1] * sizeOf(kernel);
    const layout = { kind: "convolution", groups: 1, transposed: false } as const;
    const weight = this.#weight(name, [channels, x.shape[1], ...kernel], layout, fanIn);
    return this.#emit.convolution(x, weight, this.#bias(name, channels, fanIn), { strides, pads: [...pads, ...pads] });
  }

  #weight(name: string, shape: readonly number[], layout: NonNullable<ParameterSpec["layout"]>, fanIn: number): Value {
    return this.#parameter({ name: `discriminator/${name}.weight`, shape, role: "weight", layout, fanIn });
  }

  #bias(name: string, size: number, fanIn: number): Value {
    return this.#parameter({ name: `discriminator/${name}.bias`, shape: [size], role: "bias", fanIn });
  }
}

/** More than about 4 positions along some axis. */
function isLarge(x: Value): boolean {
  return x.shape.slice(2).some((size) => size > 4);
}

function isSmallest(x: Value): boolean {
  return x.shape.slice(2).every((size) => size < 2);
}
