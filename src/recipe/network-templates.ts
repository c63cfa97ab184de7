/** The networks that `headstart new` writes, layer by layer. */
import type { Feature, NetworkWriter } from "./network-writer.js";

/**
 * - mlp: linear layers
 * - cnn: convolutions of stride 2
 * - resnet: basic blocks (He et al. 2016, section 4.2), global average pooling; ResNet-8 by default
 * - mobilenet: depthwise separable convolutions (Howard et al. 2017, table 1), global average pooling
 * - mobilenetv2: inverted residuals with linear bottlenecks (Sandler et al. 2018, tables 1 and 2), global average pooling
 * - cnn1d: convolutions of stride 2 over signals
 * - text: an embedding of tokens, convolutions over them, the maximum over all places (Kim 2014, with one size of kernel)
 */
export const classifierTemplates = ["mlp", "cnn", "resnet", "mobilenet", "mobilenetv2", "cnn1d", "text"] as const;
export type ClassifierTemplate = (typeof classifierTemplates)[number];

/** A network to be written, with everything decided. */
export interface NetworkPlan {
  readonly template: ClassifierTemplate;
  /** Shape of one sample. */
  readonly inputShape: readonly number[];
  readonly widths: readonly number[];
  /** Blocks in each stage of a resnet or a mobilenet. */
  readonly blocks: number;
  /** How many times a block of mobilenetv2 widens its input. */
  readonly expansion: number;
  readonly activation: string;
  readonly normalization: "none" | "batch" | "layer" | "group" | "instance";
  /** Class scores, or numbers to predict. */
  readonly outputs: number;
  readonly regression: boolean;
  readonly kernel: number;
  /** Tokens that the embedding of a text network has vectors for. */
  readonly vocabulary: number;
}

/** Writes the plan's network, from the writer's input to its scores or predictions, of shape [batch, outputs]. */
export function writeTemplate(writer: NetworkWriter, plan: NetworkPlan): Feature {
  const templates: Record<ClassifierTemplate, (writer: NetworkWriter, plan: NetworkPlan) => Feature> = {
    mlp,
    cnn,
    resnet,
    mobilenet,
    mobilenetv2: mobilenetV2,
    cnn1d: cnn,
    text,
  };
  return templates[plan.template](writer, plan);
}

/** The name of the last layer. */
function headName({ regression }: NetworkPlan): string {
  return regression ? "regressor" : "classifier";
}

/** (Linear, normalisation, activation) × widths, Linear. */
function mlp(writer: NetworkWriter, plan: NetworkPlan): Feature {
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
function cnn(writer: NetworkWriter, plan: NetworkPlan): Feature {
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

/** Embedding of the first width, (Conv of stride 1, normalisation, activation) × other widths, maximum, Linear. */
function text(writer: NetworkWriter, plan: NetworkPlan): Feature {
  const { widths, kernel, outputs, vocabulary } = plan;
  const layer = convolutionLayer(writer, plan);
  let feature = writer.embedding(writer.input, "embedding", vocabulary, widths[0]);
  let module = 0;
  const name = (): string => `features.${module++}`;
  for (const width of widths.slice(1)) {
    const convolution = name();
    const normalization = plan.normalization === "none" ? "" : name();
    feature = layer(feature, [convolution, normalization, name()], width, { kernel, stride: 1 });
  }
  return writer.linear(writer.flatten(writer.globalMaximum(feature, "maxpool")), headName(plan), outputs, {
    last: true,
  });
}

/** Stem, one stage of basic blocks a width, each but the first halving the picture, global average pooling, Linear. */
function resnet(writer: NetworkWriter, plan: NetworkPlan): Feature {
  const { widths, blocks, outputs, kernel } = plan;
  const layer = convolutionLayer(writer, plan);
  let feature = layer(writer.input, ["conv1", "bn1", "relu"], widths[0], { kernel, stride: 1 });
  widths.forEach((width, stage) => {
    for (let block = 0; block < blocks; block++) {
      const name = `layer${stage + 1}.${block}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      let inner = layer(feature, [`${name}.conv1`, `${name}.bn1`, `${name}.relu`], width, { kernel, stride });
      inner = layer(inner, [`${name}.conv2`, `${name}.bn2`], width, { kernel, stride: 1 });
      const shortcut =
        stride === 1 && feature.shape[0] === width
          ? feature
          : layer(feature, [`${name}.downsample.0`, `${name}.downsample.1`], width, { kernel: 1, stride });
      feature = writer.activate(writer.add(inner, shortcut, name), `${name}.relu_1`);
    }
  });
  return writer.linear(averaged(writer, feature), "fc", outputs, { last: true });
}

/**
 * A convolution of stride 2 to the first width, then blocks of the others: a depthwise and a 1×1 convolution each. A block
 * that widens its input halves the picture, but for the first. Global average pooling, Linear.
 */
function mobilenet(writer: NetworkWriter, plan: NetworkPlan): Feature {
  const { widths, kernel, outputs } = plan;
  const layer = convolutionLayer(writer, plan);
  let feature = layer(writer.input, ["features.0.0", "features.0.1", "features.0.2"], widths[0], { kernel, stride: 2 });
  mobileBlocks(plan).forEach((width, index) => {
    const name = `features.${index + 1}`;
    const [channels] = feature.shape;
    const depthwise = { kernel, stride: blockStride(index, channels, width), groups: channels };
    feature = layer(feature, [`${name}.0`, `${name}.1`, `${name}.2`], channels, depthwise);
    feature = layer(feature, [`${name}.3`, `${name}.4`, `${name}.5`], width, { kernel: 1, stride: 1 });
  });
  return writer.linear(averaged(writer, feature), headName(plan), outputs, { last: true });
}

/** How many times wider than the last block the 1×1 convolution behind it is: 1,280 channels behind 320 in the paper. */
const lastExpansion = 4;

/**
 * A convolution of stride 2 to the first width, then inverted residuals of the others: 1×1 to `expansion` times the channels,
 * depthwise, 1×1 without activation, and the block's input added where shapes allow. Strides as in {@link mobilenet}; a last
 * 1×1 convolution. Unlike the paper's, the first block expands as all others do.
 */
function mobilenetV2(writer: NetworkWriter, plan: NetworkPlan): Feature {
  const { widths, kernel, expansion, outputs } = plan;
  const layer = convolutionLayer(writer, plan);
  const triple = (name: string): [string, string, string] => [`${name}.0`, `${name}.1`, `${name}.2`];
  let feature = layer(writer.input, triple("features.0"), widths[0], { kernel, stride: 2 });
  mobileBlocks(plan).forEach((width, index) => {
    const name = `features.${index + 1}.conv`;
    const [channels] = feature.shape;
    const stride = blockStride(index, channels, width);
    const expanded = channels * expansion;
    let inner = feature;
    let part = 0;
    if (expansion > 1) inner = layer(inner, triple(`${name}.${part++}`), expanded, { kernel: 1, stride: 1 });
    inner = layer(inner, triple(`${name}.${part++}`), expanded, { kernel, stride, groups: expanded });
    inner = layer(inner, [`${name}.${part++}`, `${name}.${part}`], width, { kernel: 1, stride: 1 });
    feature = stride === 1 && channels === width ? writer.add(inner, feature, name) : inner;
  });
  const last = triple(`features.${mobileBlocks(plan).length + 1}`);
  feature = layer(feature, last, feature.shape[0] * lastExpansion, { kernel: 1, stride: 1 });
  return writer.linear(averaged(writer, feature), "classifier.1", outputs, { last: true });
}

/** Writes a convolution, its normalisation and its activation under these names; none follows where the last name is missing. */
function convolutionLayer(writer: NetworkWriter, { normalization }: NetworkPlan) {
  return (
    x: Feature,
    [convolution, norm, activation]: readonly [string, string, string?],
    width: number,
    settings: { readonly kernel: number; readonly stride: number; readonly groups?: number },
  ): Feature => {
    const layer = { ...settings, bias: normalization !== "batch", last: activation === undefined };
    let feature = writer.convolution(x, convolution, width, layer);
    if (normalization !== "none") feature = writer.normalize(feature, norm);
    return activation === undefined ? feature : writer.activate(feature, activation);
  };
}

/** Channels of each block behind a mobilenet's first convolution. */
function mobileBlocks({ widths, blocks }: NetworkPlan): readonly number[] {
  return widths.slice(1).flatMap((width) => new Array<number>(blocks).fill(width));
}

/** The stride of a mobilenet's block with this number (from 0): one that widens halves the picture, but for the first. */
function blockStride(index: number, channels: number, width: number): number {
  return index > 0 && width > channels ? 2 : 1;
}

function averaged(writer: NetworkWriter, feature: Feature): Feature {
  return writer.flatten(writer.globalAverage(feature, "avgpool"));
}
