/** The networks whose steps are measured, as ONNX graphs that headstart writes itself. */
import { type Attributes, attribute, type Graph, type Node } from "../../src/graph/graph.js";
import { floatTensor, sizeOf, type Tensor } from "../../src/graph/tensor.js";
import { drawLayer, parseInitializer } from "../../src/initializers/initializers.js";
import { newClassifier } from "../../src/recipe/new-network.js";

export interface BenchNetwork {
  readonly title: string;
  /** Shape of one sample as the network takes it. */
  readonly sampleShape: readonly number[];
  /** How a flat sample lies as a picture, as headstart knows of Fashion-MNIST under an MLP. */
  readonly picture?: { readonly channels: number; readonly height: number; readonly width: number };
  readonly graph: () => Graph;
}

const classes = 10;

export const networks = {
  mlp: {
    title: "MLP 784-256-64",
    sampleShape: [784],
    picture: { channels: 1, height: 28, width: 28 },
    graph: () => newClassifier({ template: "mlp", inputShape: [784], widths: [256, 64] }),
  },
  cnn: {
    title: "CNN, two 3×3 convolutions of stride 2 (16, 32), 28×28",
    sampleShape: [1, 28, 28],
    graph: () => newClassifier({ template: "cnn", inputShape: [1, 28, 28] }),
  },
  cnn3: {
    title: "CNN, three 4×4 convolutions of stride 2 (32, 64, 64), 32×32×3",
    sampleShape: [3, 32, 32],
    graph: () => {
      const writer = new ConvolutionalWriter([3, 32, 32]);
      for (const width of [32, 64, 64]) {
        writer.convolution(width, { kernel: 4, stride: 2, pad: 1, bias: true });
        writer.relu();
      }
      writer.flatten();
      return writer.build("cnn3", classes);
    },
  },
  resnet8: {
    title: "ResNet-8 with batch normalisation (16, 32, 64), 32×32×3",
    sampleShape: [3, 32, 32],
    graph: () => newClassifier({ template: "resnet", inputShape: [3, 32, 32] }),
  },
  cnn1d: {
    title: "1-D CNN, three convolutions of 5 and stride 2 (16, 32, 64), 9×128",
    sampleShape: [9, 128],
    graph: () => newClassifier({ template: "cnn1d", inputShape: [9, 128] }),
  },
  mobilenet: {
    title: "MobileNet-like: depthwise 3×3 and 1×1 convolutions with batch normalisation (16 to 128), 32×32×3",
    sampleShape: [3, 32, 32],
    // Howard et al., 2017, table 1, in small: a full convolution, then depthwise separable ones.
    graph: () => {
      const writer = new ConvolutionalWriter([3, 32, 32]);
      const layer = (width: number, settings: Omit<ConvolutionSettings, "bias">): void => {
        writer.convolution(width, { ...settings, bias: false });
        writer.normalize();
        writer.relu();
      };
      layer(16, { kernel: 3, stride: 2, pad: 1 });
      let channels = 16;
      for (const [width, stride] of [
        [32, 1],
        [64, 2],
        [64, 1],
        [128, 2],
        [128, 1],
      ]) {
        layer(channels, { kernel: 3, stride, pad: 1, groups: channels });
        layer(width, { kernel: 1, stride: 1, pad: 0 });
        channels = width;
      }
      writer.globalAverage();
      writer.flatten();
      return writer.build("mobilenet", classes);
    },
  },
} as const satisfies Record<string, BenchNetwork>;

export type NetworkName = keyof typeof networks;

interface ConvolutionSettings {
  readonly kernel: number;
  readonly stride: number;
  readonly pad: number;
  readonly bias: boolean;
  readonly groups?: number;
}

/** Layers one after another that `headstart new` does not offer: even kernels and groups. */
class ConvolutionalWriter {
  readonly #sampleShape: readonly number[];
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, Tensor>();
  #value = "input";
  #shape: readonly number[];

  constructor(sampleShape: readonly number[]) {
    this.#sampleShape = sampleShape;
    this.#shape = sampleShape;
  }

  convolution(width: number, { kernel, stride, pad, bias, groups = 1 }: ConvolutionSettings): void {
    const name = `conv${this.#nodes.length}`;
    const [channels, ...positions] = this.#shape;
    const shape = [width, channels / groups, kernel, kernel];
    const parameters = this.#draw(name, shape, { kind: "convolution", groups, transposed: false }, bias);
    const next = [width, ...positions.map((size) => Math.floor((size + 2 * pad - kernel) / stride) + 1)];
    this.#node("Conv", parameters, next, {
      kernel_shape: attribute.ints([kernel, kernel]),
      strides: attribute.ints([stride, stride]),
      pads: attribute.ints([pad, pad, pad, pad]),
      group: attribute.int(groups),
    });
  }

  normalize(): void {
    const name = `norm${this.#nodes.length}`;
    const size = this.#shape[0];
    const parameters = Object.entries({ weight: 1, bias: 0, running_mean: 0, running_var: 1 }).map(([part, value]) =>
      this.#keep(`${name}.${part}`, floatTensor(new Float32Array(size).fill(value))),
    );
    this.#node("BatchNormalization", parameters, this.#shape, {
      epsilon: attribute.float(1e-5),
      momentum: attribute.float(0.9),
    });
  }

  relu(): void {
    this.#node("Relu", [], this.#shape);
  }

  globalAverage(): void {
    this.#node("GlobalAveragePool", [], [this.#shape[0], 1, 1]);
  }

  flatten(): void {
    this.#node("Flatten", [], [sizeOf(this.#shape)], { axis: attribute.int(1) });
  }

  /** Ends in a linear layer. */
  build(name: string, outputs: number): Graph {
    const shape = [outputs, this.#shape[0]];
    const parameters = this.#draw("classifier", shape, { kind: "matrix", inputAxis: 1 }, true);
    this.#node("Gemm", parameters, [outputs], { transB: attribute.int(1) });
    return {
      name,
      inputs: [{ name: "input", type: "float32", shape: ["batch", ...this.#sampleShape] }],
      outputs: [{ name: this.#value, type: "float32", shape: ["batch", outputs] }],
      initializers: this.#initializers,
      nodes: this.#nodes,
    };
  }

  #draw(
    name: string,
    shape: readonly number[],
    layout: Parameters<typeof drawLayer>[1]["layout"],
    bias: boolean,
  ): string[] {
    const layer = { weight: `${name}.weight`, shape, layout };
    const { weight } = drawLayer(parseInitializer("he"), layer, 0, { activation: "Relu" });
    const names = [this.#keep(layer.weight, floatTensor(weight, shape))];
    if (bias) names.push(this.#keep(`${name}.bias`, floatTensor(new Float32Array(shape[0]))));
    return names;
  }

  #keep(name: string, tensor: Tensor): string {
    this.#initializers.set(name, tensor);
    return name;
  }

  #node(op: string, parameters: readonly string[], shape: readonly number[], attributes: Attributes = {}): void {
    const output = `${op.toLowerCase()}${this.#nodes.length}`;
    const inputs = [this.#value, ...parameters];
    this.#nodes.push({ op, domain: "", name: output, inputs, outputs: [output], attributes });
    this.#value = output;
    this.#shape = shape;
  }
}
