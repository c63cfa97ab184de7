/** Masks of Masking and of Embedding's mask_zero: positions of a sequence that layers behind them leave out. */
import { attribute } from "../graph/graph.js";
import { floatTensor, intTensor } from "../graph/tensor.js";
import { isObject, type LayerCall, type TensorReference } from "./keras-calls.js";
import type { LayerConfig } from "./keras-config.js";
import type { KerasValue, LayerContext } from "./keras-graph.js";

/** Layers that act on each position by itself, or on several sequences of the same positions: they hand a mask on. */
const passing: ReadonlySet<string> = new Set([
  "Masking",
  "Dense",
  "Activation",
  "ReLU",
  "LeakyReLU",
  "ELU",
  "PReLU",
  "LayerNormalization",
  "UnitNormalization",
  "Rescaling",
  "Normalization",
  "Identity",
  "ActivityRegularization",
  "Dropout",
  "SpatialDropout1D",
  "AlphaDropout",
  "GaussianNoise",
  "GaussianDropout",
  "Add",
  "Subtract",
  "Multiply",
  "Maximum",
  "Minimum",
  "Average",
]);
/** Layers that look at the mask, and hand it on where they give a sequence. */
const looking: ReadonlySet<string> = new Set(["LSTM", "GRU", "SimpleRNN", "Bidirectional", "GlobalAveragePooling1D"]);
/** Layers that would look at it in ways that are not written here. */
const unknown: ReadonlySet<string> = new Set([
  "MultiHeadAttention",
  "Attention",
  "AdditiveAttention",
  "BatchNormalization",
  "GroupNormalization",
  "Softmax",
  "Concatenate",
  "Dot",
]);

/** Those of the layers above that join several sequences. */
const merging: ReadonlySet<string> = new Set(["Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average"]);

/** Functions by which Keras 3 computes a mask, which stand among a model's layers. */
const maskFunctions: ReadonlySet<string> = new Set(["NotEqual", "Any", "LogicalOr"]);

/** Functions that such a computation has beside them, where they read what it gives. */
const maskParts: ReadonlySet<string> = new Set(["ExpandDims", "Concatenate"]);
/** Functions that say with what shape it goes on. */
const maskShapes: ReadonlySet<string> = new Set(["ZerosLike", "OnesLike"]);

/** Positions whose numbers are all of one value become zero, and are masked. */
export function masking(context: LayerContext, value: KerasValue): KerasValue {
  context.requireRank(value, 2);
  context.graph.masking.add(context.scope);
  const ignored = context.number("mask_value", 0);
  const input = context.last(value);
  const distance =
    ignored === 0 ? input : context.node("Sub", [input, context.constant(floatTensor([ignored], []), "mask-value")]);
  const farthest = context.node("ReduceMax", [
    context.node("Abs", [distance]),
    context.constant(intTensor([-1]), "last"),
  ]);
  const mask = context.node("Sign", [farthest]);
  return { shape: value.shape, last: context.node("Mul", [input, mask]), mask };
}

/** The mean over the positions that are not masked: [positions, channels] to [channels]. */
export function maskedAverage(context: LayerContext, value: KerasValue, mask: string): KerasValue {
  context.requireChannelsLast();
  const keepdims = context.flag("keepdims", false);
  const [positions, channels] = value.shape;
  if (positions === undefined || channels === undefined) throw context.refuse("a sequence", "none");
  const sum = (name: string): string =>
    context.node("ReduceSum", [name, context.constant(intTensor([1]), "positions")], {
      keepdims: attribute.int(keepdims ? 1 : 0),
    });
  // Keras divides by zero where all is masked.
  const count = context.node("Max", [sum(mask), context.constant(floatTensor([1], []), "least")]);
  const average = context.node("Div", [sum(context.node("Mul", [context.last(value), mask])), count]);
  return { shape: keepdims ? [1, channels] : [channels], last: average };
}

/**
 * What a layer's output has of the masks of its inputs, as Keras hands them on; other layers drop them.
 *
 * @param inputs constants included, which have no mask
 * @throws UserError where the layer does something with a mask that is not read
 */
export function maskBehind(
  context: LayerContext,
  inputs: readonly KerasValue[],
  result: KerasValue,
): string | undefined {
  const { className, settings } = context.layer;
  const masks = new Set(inputs.map(({ mask }) => mask));
  const { isTensorflowJs, version } = context.graph;
  if (masks.size === 0 || (masks.size === 1 && masks.has(undefined))) return result.mask;
  if (className === "Masking") return result.mask;
  // Functions of Keras 3 have no settings of layers.
  const isLayer = settings.trainable !== undefined || className.startsWith("SpatialDropout");
  if (!isLayer && version === 3) return undefined;
  const wrapped = isObject(settings.layer) ? String(settings.layer.class_name) : className;
  const isJoining = merging.has(className) || (className === "Concatenate" && isAlongLastAxis(context, result));
  const isPassing = isJoining || passing.has(className === "TimeDistributed" ? wrapped : className);
  // Keras 3 drops the mask where not all of the sequences have one; Keras 2 takes those that there are.
  const isMerging = merging.has(className) && !isTensorflowJs && masks.size === 2 && masks.has(undefined);
  if (isMerging && version === 3) return undefined;
  const isUnknown =
    (unknown.has(className) && !isJoining) ||
    (className === "TimeDistributed" && !isPassing) ||
    (isTensorflowJs && isJoining) ||
    settings.function !== undefined;
  if (isUnknown || (masks.size > 1 && isPassing && !isMerging))
    throw context.refuse(
      "no mask (of Masking, or of Embedding's mask_zero) in front of it",
      masks.size > 1 ? "one in front of some of the inputs, or several" : "one",
    );
  if (className === "GlobalAveragePooling1D") {
    context.requireChannelsLast();
    return undefined;
  }
  const mask = [...masks].find((each) => each !== undefined);
  const isSequence = result.shape.length === 2;
  return (isPassing || looking.has(className)) && isSequence ? mask : undefined;
}

function isAlongLastAxis(context: LayerContext, value: KerasValue): boolean {
  return context.axis(context.number("axis", -1), value, "last") === value.shape.length;
}

/** The layers and their calls without the computation of masks, which Keras 3 writes out beside the layers. */
export function withoutMasks(layers: readonly LayerConfig[]): readonly LayerConfig[] {
  const reads = ({ inputs, named = {} }: LayerCall): TensorReference[] => [
    ...inputs,
    ...Object.entries(named).flatMap(([key, reference]) => (key === "mask" ? [] : [reference])),
  ];
  const functions = new Set(layers.filter(({ className }) => maskFunctions.has(className)).map(({ name }) => name));
  /** Concatenate has the masks of its inputs in their shapes, side by side. */
  const isPart = ({ name, className, settings, calls }: LayerConfig): boolean => {
    if (settings.trainable !== undefined) return false;
    if (maskParts.has(className)) return calls.flatMap(reads).some(({ layer }) => functions.has(layer));
    const readers = layers.filter((other) => other.calls.flatMap(reads).some(({ layer }) => layer === name));
    return maskShapes.has(className) && readers.length > 0 && readers.every((reader) => functions.has(reader.name));
  };
  for (;;) {
    const more = layers.filter((layer) => !functions.has(layer.name) && isPart(layer));
    if (more.length === 0) break;
    for (const { name } of more) functions.add(name);
  }
  const readers = layers.filter(({ name }) => !functions.has(name));
  if (readers.some(({ calls }) => calls.flatMap(reads).some(({ layer }) => functions.has(layer)))) return layers;
  return readers.map((layer) => ({
    ...layer,
    calls: layer.calls.map((call) => {
      const { mask, ...others } = call.named ?? {};
      return mask && functions.has(mask.layer) ? { ...call, named: others, isMasked: true } : call;
    }),
  }));
}
