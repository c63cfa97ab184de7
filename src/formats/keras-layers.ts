/** Every layer of Keras that headstart reads, as nodes of ONNX. */
import { attribute } from "../graph/graph.js";
import { floatTensor, intTensor, sizeOf } from "../graph/tensor.js";
import { activate, activationLayers } from "./keras-activations.js";
import { describe } from "./keras-calls.js";
import { inEitherFormat } from "./keras-channels-first.js";
import {
  convolution,
  depthwiseConvolution,
  globalPooling,
  pooling,
  separableConvolution,
  transposedConvolution,
} from "./keras-convolutions.js";
import { embedding } from "./keras-embedding.js";
import type { KerasValue, LayerContext } from "./keras-graph.js";
import { maskedAverage, masking } from "./keras-masks.js";
import { normalised, normalizationLayers } from "./keras-normalizations.js";
import { concatenate, elementwise, type LayerConverter, passing, reshape, unary } from "./keras-operations.js";
import { bidirectional, recurrent } from "./keras-recurrent.js";

/** Layers that change values at random while training, and do nothing otherwise. */
export const randomInTraining: ReadonlySet<string> = new Set([
  "Dropout",
  "SpatialDropout1D",
  "SpatialDropout2D",
  "SpatialDropout3D",
  "AlphaDropout",
  "GaussianNoise",
  "GaussianDropout",
  "StochasticDepth",
  "RandomFlip",
  "RandomRotation",
  "RandomZoom",
  "RandomTranslation",
  "RandomContrast",
  "RandomBrightness",
  "RandomColorDegeneration",
  "RandomColorJitter",
  "RandomElasticTransform",
  "RandomErasing",
  "RandomGaussianBlur",
  "RandomGrayscale",
  "RandomHue",
  "RandomInvert",
  "RandomPerspective",
  "RandomPosterization",
  "RandomSaturation",
  "RandomSharpness",
  "RandomShear",
  "RandAugment",
  "AugMix",
  "MixUp",
  "CutMix",
]);

const average: LayerConverter = (context, inputs) => {
  const sum = elementwise("Add")(context, inputs);
  const share = context.constant(floatTensor([1 / inputs.length], []), "share");
  return context.map(sum, (name) => context.node("Mul", [name, share]));
};

const dense = unary((context, value) => {
  const units = context.count("units");
  const width = value.shape[value.shape.length - 1];
  if (width === undefined) throw context.refuse("an input with an axis beside the batch", "none");
  const kernel = context.variable("kernel", 0, [width, units]);
  const bias = context.flag("use_bias", true) ? [context.variable("bias", 1, [units])] : [];
  const shape = [...value.shape.slice(0, -1), units];
  const input = context.last(value);
  if (value.shape.length === 1)
    return activate(context, { shape, last: context.node("Gemm", [input, kernel, ...bias]) });
  const product = context.node("MatMul", [input, kernel]);
  return activate(context, { shape, last: bias.length > 0 ? context.node("Add", [product, ...bias]) : product });
});

/** One vector at so many positions. */
const repeatVector = unary((context, value) => {
  context.requireRank(value, 1);
  const [size] = value.shape;
  const count = context.count("n");
  const single = context.node("Unsqueeze", [context.last(value), context.constant(intTensor([1]), "position")]);
  const output = context.node("Expand", [single, context.constant(intTensor([1, count, size]), "positions")]);
  return { shape: [count, size], last: output };
});

/** Products of two vectors, or of all pairs of vectors of two sequences, along one axis of each. */
const dot: LayerConverter = (context, inputs) => {
  if (inputs.length !== 2) throw context.refuse("two inputs", String(inputs.length));
  const { axes } = context.layer.settings;
  const given: unknown[] = Array.isArray(axes) ? axes : [axes, axes];
  const along = inputs.map((value, index) => context.axis(Number(given[index]), value, "last"));
  const [left, right] = inputs.map(({ shape }, index) => shape[along[index] - 1]);
  const [rank, other] = inputs.map(({ shape }) => shape.length);
  if (rank !== other || rank > 2 || left !== right || given.length !== 2)
    throw context.refuse(
      "two vectors or two sequences, and an axis of one size in both",
      `${inputs.map(({ shape }) => describe(shape)).join(", ")}, axes ${describe(axes)}`,
    );
  const unit = context.flag("normalize", false);
  const [first, second] = inputs.map((value, index) => {
    const name = context.last(value);
    return unit ? normalised(context, name, context.constant(intTensor([along[index]]), "axis")) : name;
  });
  if (rank === 1) {
    const sum = context.node("ReduceSum", [
      context.node("Mul", [first, second]),
      context.constant(intTensor([1]), "axis"),
    ]);
    return { shape: [1], last: sum };
  }
  const turned = (name: string): string => context.node("Transpose", [name], { perm: attribute.ints([0, 2, 1]) });
  const output = context.node("MatMul", [
    along[0] === 1 ? turned(first) : first,
    along[1] === 2 ? turned(second) : second,
  ]);
  return { shape: inputs.map(({ shape }, index) => shape[2 - along[index]]), last: output };
};

const flatten = unary((context, value) => {
  context.requireChannelsLast();
  const output = context.node("Flatten", [context.last(value)], { axis: attribute.int(1) });
  return { shape: [sizeOf(value.shape)], last: output };
});

const permute = unary((context, value) => {
  const { dims } = context.layer.settings;
  const rank = value.shape.length;
  const sorted = Array.isArray(dims) ? [...dims].sort((a, b) => a - b) : [];
  if (!Array.isArray(dims) || sorted.length !== rank || !sorted.every((axis, index) => axis === index + 1))
    throw context.refuse(`the axes 1 to ${rank} in some order`, describe(dims));
  const shape = dims.map((axis: number) => value.shape[axis - 1]);
  return { shape, last: context.node("Transpose", [context.last(value)], { perm: attribute.ints([0, ...dims]) }) };
});

/** Pairs of begin and end, as [[a, b], [c, d]], [a, b] for one axis, [a, b] symmetric for two, or one number. */
function margins(context: LayerContext, key: string, axes: number): [number, number][] {
  const given = context.layer.settings[key];
  const isCount = (size: unknown): size is number => Number.isSafeInteger(size) && (size as number) >= 0;
  const list: unknown[] = Array.isArray(given)
    ? axes === 1 && given.length === 2
      ? [given]
      : given
    : new Array(axes).fill(given);
  const pairs = list.map((entry) => (Array.isArray(entry) ? entry : [entry, entry]));
  if (pairs.length !== axes || !pairs.every((pair) => pair.length === 2 && pair.every(isCount)))
    throw context.refuse(`sizes for ${key}`, describe(given));
  return pairs as [number, number][];
}

const zeroPadding = (axes: number): LayerConverter =>
  unary((context, value) => {
    context.requireChannelsLast();
    context.requireRank(value, axes + 1);
    const pairs = margins(context, "padding", axes);
    const shape = value.shape.map((size, axis) => size + (pairs[axis]?.[0] ?? 0) + (pairs[axis]?.[1] ?? 0));
    const pads = [0, 0, ...pairs.map(([begin]) => begin), 0, 0, ...pairs.map(([, end]) => end)];
    return { shape, first: context.node("Pad", [context.first(value), context.constant(intTensor(pads), "pads")]) };
  });

const cropping = (axes: number): LayerConverter =>
  unary((context, value) => {
    context.requireChannelsLast();
    context.requireRank(value, axes + 1);
    return cropped(context, value, margins(context, "cropping", axes));
  });

/** The middle of a picture, rounded towards its beginning. */
const centerCrop = unary((context, value) => {
  context.requireChannelsLast();
  context.requireRank(value, 3);
  const sizes = [context.count("height"), context.count("width")];
  const surplus = sizes.map((size, axis) => value.shape[axis] - size);
  if (surplus.some((size) => size < 0))
    throw context.refuse(`pictures of at least ${sizes.join(" × ")}`, `the shape ${describe(value.shape)}`);
  return cropped(
    context,
    value,
    surplus.map((size) => [Math.floor(size / 2), Math.ceil(size / 2)]),
  );
});

/** Another size of pictures, whatever their proportions become. */
const resizing = unary((context, value) => {
  context.requireChannelsLast();
  context.requireRank(value, 3);
  for (const setting of ["crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"])
    if (context.flag(setting, false)) throw context.refuse(`no ${setting}`, "it");
  const sizes = [context.count("height"), context.count("width")];
  const interpolation = context.text("interpolation", "bilinear");
  if (interpolation !== "nearest" && interpolation !== "bilinear")
    throw context.refuse("interpolation nearest or bilinear", interpolation);
  const shape = [...sizes, value.shape[2]];
  if (interpolation === "nearest") {
    // ONNX Runtime would round otherwise where two are as near.
    const last = sizes.reduce((name, size, axis) => {
      const ratio = Math.fround(value.shape[axis] / size);
      const nearest = Array.from({ length: size }, (_, place) =>
        Math.min(Math.floor(Math.fround((place + 0.5) * ratio)), value.shape[axis] - 1),
      );
      const places = context.constant(intTensor(nearest), "nearest");
      return context.node("Gather", [name, places], { axis: attribute.int(axis + 1) });
    }, context.last(value));
    return { shape, last };
  }
  // Not by sizes for some axes: ONNX Runtime 1.30 fails to optimise those.
  const scales = sizes.map((size, axis) => scaleTo(value.shape[axis], size));
  const output = context.node(
    "Resize",
    [context.first(value), "", context.constant(floatTensor([1, 1, ...scales]), "scales")],
    {
      mode: attribute.string("linear"),
      coordinate_transformation_mode: attribute.string("half_pixel"),
    },
  );
  return { shape, first: output };
});

/** The single-precision scale that makes this of a size. */
function scaleTo(from: number, size: number): number {
  const scale = Math.fround(size / from);
  const reaches = (candidate: number): boolean =>
    Math.floor(candidate * from) >= size && Math.floor(Math.fround(candidate * from)) >= size;
  return reaches(scale) ? scale : Math.fround(scale * (1 + 2 ** -23));
}

/** Without so much at the begin and the end of each axis but the channels'. */
function cropped(context: LayerContext, value: KerasValue, pairs: readonly (readonly number[])[]): KerasValue {
  const shape = context.requirePositive(
    value.shape.map((size, axis) => size - (pairs[axis]?.[0] ?? 0) - (pairs[axis]?.[1] ?? 0)),
  );
  const starts = context.constant(intTensor(pairs.map(([begin]) => begin)), "starts");
  const ends = context.constant(intTensor(pairs.map(([begin], axis) => begin + shape[axis])), "ends");
  const axesTensor = context.constant(intTensor(pairs.map((_, axis) => axis + 2)), "axes");
  return { shape, first: context.node("Slice", [context.first(value), starts, ends, axesTensor]) };
}

const upSampling = (axes: number): LayerConverter =>
  unary((context, value) => {
    context.requireChannelsLast();
    context.requireRank(value, axes + 1);
    const sizes = context.counts("size", axes, 2);
    const interpolation = context.text("interpolation", "nearest");
    if (interpolation !== "nearest" && interpolation !== "bilinear")
      throw context.refuse("interpolation nearest or bilinear", interpolation);
    const scales = context.constant(floatTensor([1, 1, ...sizes]), "scales");
    const nearest = interpolation === "nearest";
    const fromCorners = nearest || context.graph.isTensorflowJs;
    const output = context.node("Resize", [context.first(value), "", scales], {
      mode: attribute.string(nearest ? "nearest" : "linear"),
      coordinate_transformation_mode: attribute.string(fromCorners ? "asymmetric" : "half_pixel"),
      ...(nearest ? { nearest_mode: attribute.string("floor") } : {}),
    });
    return { shape: value.shape.map((size, axis) => size * (sizes[axis] ?? 1)), first: output };
  });

/** Layers that do to each position by itself what they do to a whole sample: they act along the last axis. */
export const alongLastAxis: Readonly<Record<string, LayerConverter>> = {
  Dense: dense,
  Activation: unary(activationLayers.Activation),
  Dropout: passing,
};

const converters: Readonly<Record<string, LayerConverter>> = {
  ...Object.fromEntries(
    Object.entries({ ...activationLayers, ...normalizationLayers }).map(([name, body]) => [name, unary(body)]),
  ),
  Dense: dense,
  LSTM: unary(recurrent),
  GRU: unary(recurrent),
  SimpleRNN: unary(recurrent),
  Bidirectional: unary(bidirectional),
  Conv1D: unary((context, value) => convolution(context, value, 1)),
  Conv2D: unary((context, value) => convolution(context, value, 2)),
  Conv3D: unary((context, value) => convolution(context, value, 3)),
  DepthwiseConv1D: unary((context, value) => depthwiseConvolution(context, value, 1)),
  DepthwiseConv2D: unary((context, value) => depthwiseConvolution(context, value, 2)),
  SeparableConv1D: unary((context, value) => separableConvolution(context, value, 1)),
  SeparableConv2D: unary((context, value) => separableConvolution(context, value, 2)),
  Conv1DTranspose: unary((context, value) => transposedConvolution(context, value, 1)),
  Conv2DTranspose: unary((context, value) => transposedConvolution(context, value, 2)),
  Conv3DTranspose: unary((context, value) => transposedConvolution(context, value, 3)),
  MaxPooling1D: unary((context, value) => pooling(context, value, 1, "MaxPool")),
  MaxPooling2D: unary((context, value) => pooling(context, value, 2, "MaxPool")),
  MaxPooling3D: unary((context, value) => pooling(context, value, 3, "MaxPool")),
  AveragePooling1D: unary((context, value) => pooling(context, value, 1, "AveragePool")),
  AveragePooling2D: unary((context, value) => pooling(context, value, 2, "AveragePool")),
  AveragePooling3D: unary((context, value) => pooling(context, value, 3, "AveragePool")),
  GlobalMaxPooling1D: unary((context, value) => globalPooling(context, value, 1, "GlobalMaxPool")),
  GlobalMaxPooling2D: unary((context, value) => globalPooling(context, value, 2, "GlobalMaxPool")),
  GlobalMaxPooling3D: unary((context, value) => globalPooling(context, value, 3, "GlobalMaxPool")),
  GlobalAveragePooling3D: unary((context, value) => globalPooling(context, value, 3, "GlobalAveragePool")),
  GlobalAveragePooling1D: unary((context, value) =>
    value.mask === undefined || context.graph.isTensorflowJs
      ? globalPooling(context, value, 1, "GlobalAveragePool")
      : maskedAverage(context, value, value.mask),
  ),
  GlobalAveragePooling2D: unary((context, value) => globalPooling(context, value, 2, "GlobalAveragePool")),
  Flatten: flatten,
  Embedding: unary(embedding),
  Masking: unary(masking),
  Reshape: reshape,
  Permute: permute,
  RepeatVector: repeatVector,
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  ZeroPadding3D: zeroPadding(3),
  Cropping1D: cropping(1),
  Cropping2D: cropping(2),
  Cropping3D: cropping(3),
  CenterCrop: centerCrop,
  Resizing: resizing,
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
  UpSampling3D: upSampling(3),
  Add: elementwise("Add"),
  Subtract: elementwise("Sub"),
  Multiply: elementwise("Mul"),
  Divide: elementwise("Div"),
  TrueDivide: elementwise("Div"),
  Maximum: elementwise("Max"),
  Minimum: elementwise("Min"),
  Average: average,
  Concatenate: concatenate,
  Dot: dot,
  Identity: passing,
  // It adds to the loss only.
  ActivityRegularization: passing,
  ...Object.fromEntries([...randomInTraining].map((name) => [name, passing])),
};

/** Every layer that takes tensors without names, by Keras' class names. */
export const layerConverters: Readonly<Record<string, LayerConverter>> = Object.fromEntries(
  Object.entries(converters).map(([name, converter]) => [name, inEitherFormat(converter)]),
);
