/** The networks whose steps are measured, as ONNX graphs that headstart writes itself. */
import type { Graph } from "../../src/graph/graph.js";
import { newClassifier } from "../../src/recipe/new-network.js";

export interface BenchNetwork {
  readonly title: string;
  /** Shape of one sample as the network takes it. */
  readonly sampleShape: readonly number[];
  /** How a flat sample lies as a picture, as headstart knows of Fashion-MNIST under an MLP. */
  readonly picture?: { readonly channels: number; readonly height: number; readonly width: number };
  readonly graph: () => Graph;
}

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
    graph: () =>
      newClassifier({ template: "cnn", inputShape: [3, 32, 32], widths: [32, 64, 64], kernel: 4, initializer: "he" }),
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
    graph: () =>
      newClassifier({
        template: "mobilenet",
        inputShape: [3, 32, 32],
        widths: [16, 32, 64, 64, 128, 128],
        initializer: "he",
      }),
  },
} as const satisfies Record<string, BenchNetwork>;

export type NetworkName = keyof typeof networks;
