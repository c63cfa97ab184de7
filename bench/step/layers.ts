/**
 * F, its mirror and D as plain layers, from which every peer's own code is made. The mirror is derived here once more,
 * from F's layers alone, so that losses which agree also say that headstart's mirror is what it claims to be.
 */
import { nodeCost } from "../../src/ops/cost.js";

/** A layer; shapes include the batch, axes are as in ONNX (channels first). */
export interface Layer {
  readonly op:
    | "linear"
    | "convolution"
    | "transposedConvolution"
    | "relu"
    | "leakyRelu"
    | "batchNormalization"
    | "add"
    | "reshape"
    | "globalAverage"
    | "expand";
  readonly inputs: readonly string[];
  readonly output: string;
  readonly inputShape: readonly number[];
  readonly shape: readonly number[];
  /** Layers with weights. A linear one computes x Wᵀ + b, or x W + b where `transposed`; W is [outputs, inputs] of F's layer. */
  readonly weight?: string;
  readonly weightShape?: readonly number[];
  readonly bias?: string;
  readonly transposed?: boolean;
  readonly strides?: readonly number[];
  /** The same at both ends of an axis. */
  readonly pads?: readonly number[];
  readonly outputPadding?: readonly number[];
  readonly groups?: number;
  readonly slope?: number;
  /** Batch normalisation: scale, shift, running mean, running variance. */
  readonly statistics?: readonly [string, string, string, string];
  readonly epsilon?: number;
  readonly momentum?: number;
}

/** Name of the value that a list of layers reads. */
export const layersInput = "input";

/** The mirror of F: its input is F's feature, its output has the sample's shape. */
export function mirrorLayers(features: readonly Layer[]): Layer[] {
  const made: Layer[] = [];
  const arrived = new Map<string, string>([[features.at(-1)?.output ?? "", layersInput]]);
  let count = 0;
  const push = (layer: Omit<Layer, "output">): string => {
    const output = `v${++count}`;
    made.push({ ...layer, output });
    return output;
  };
  const deliver = (to: string, value: string, shape: readonly number[]): void => {
    const known = arrived.get(to);
    const both = (first: string): string => push({ op: "add", inputs: [first, value], inputShape: shape, shape });
    arrived.set(to, known === undefined ? value : both(known));
  };
  for (const layer of [...features].reverse()) {
    const value = arrived.get(layer.output);
    if (value === undefined) throw new Error(`nothing arrives at ${layer.output}`);
    const back = { inputs: [value], inputShape: layer.shape, shape: layer.inputShape };
    const weights = (): Pick<Layer, "weight" | "weightShape" | "bias"> => ({
      weight: `mirror/${layer.weight}`,
      weightShape: layer.weightShape ?? [],
      bias: `mirror/${(layer.weight ?? "").replace(/weight$/, "bias")}`,
    });
    switch (layer.op) {
      case "add":
        for (const input of layer.inputs) deliver(input, value, layer.shape);
        continue;
      case "linear":
        deliver(layer.inputs[0], push({ ...back, op: "linear", ...weights(), transposed: true }), back.shape);
        continue;
      case "convolution": {
        const { strides = [], pads = [], groups = 1, weightShape = [] } = layer;
        const outputPadding = strides.map(
          (stride, axis) =>
            back.shape[axis + 2] - ((layer.shape[axis + 2] - 1) * stride + weightShape[axis + 2] - 2 * pads[axis]),
        );
        deliver(
          layer.inputs[0],
          push({ ...back, op: "transposedConvolution", ...weights(), strides, pads, groups, outputPadding }),
          back.shape,
        );
        continue;
      }
      case "relu":
        deliver(layer.inputs[0], push({ ...back, op: "relu" }), back.shape);
        continue;
      case "batchNormalization": {
        const own = (layer.statistics ?? []).map((name) => `mirror/${name}`) as unknown as Layer["statistics"];
        const { epsilon = 1e-5, momentum = 0.9 } = layer;
        deliver(
          layer.inputs[0],
          push({ ...back, op: "batchNormalization", ...(own && { statistics: own }), epsilon, momentum }),
          back.shape,
        );
        continue;
      }
      case "globalAverage":
        deliver(layer.inputs[0], push({ ...back, op: "expand" }), back.shape);
        continue;
      case "reshape":
        deliver(layer.inputs[0], push({ ...back, op: "reshape" }), back.shape);
        continue;
      default:
        throw new Error(`no mirror of ${layer.op}`);
    }
  }
  return made;
}

const onnxNames: Partial<Record<Layer["op"], string>> = {
  linear: "Gemm",
  convolution: "Conv",
  transposedConvolution: "ConvTranspose",
};

function cost({ op, inputShape, weightShape, shape }: Layer): number {
  const onnx = onnxNames[op];
  if (!onnx || !weightShape) return 0;
  return nodeCost({ op: onnx, inputs: [{ shape: inputShape }, { shape: weightShape }], outputs: [{ shape }] });
}

/** Multiply-adds of running layers forward, on their whole batch. */
export function forwardCost(layers: readonly Layer[]): number {
  return layers.reduce((sum, layer) => sum + cost(layer), 0);
}

/**
 * Multiply-adds of going back through layers: each product with a weight costs as much again for the weight's gradient
 * and for its input's. What reads the input of the layers directly needs the latter only where it is asked for.
 */
export function backwardCost(
  layers: readonly Layer[],
  { weights, input }: { readonly weights: boolean; readonly input: boolean },
): number {
  const fixed = new Set(input ? [] : [layersInput]);
  let sum = 0;
  for (const layer of layers) {
    const reached = layer.inputs.some((name) => !fixed.has(name));
    sum += cost(layer) * ((weights ? 1 : 0) + (reached ? 1 : 0));
    const trains = weights && (layer.weight !== undefined || layer.statistics !== undefined);
    if (!reached && !trains) fixed.add(layer.output);
  }
  return sum;
}
