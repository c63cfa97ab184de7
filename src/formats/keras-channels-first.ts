/** Layers of Keras whose channels are the first axis beside the batch, written as those that have them last. */
import { activate } from "./keras-activations.js";
import { type KerasValue, LayerContext } from "./keras-graph.js";
import type { LayerConverter } from "./keras-operations.js";

/** A value that has its channels first, [channels, ...positions], as one that has them last. */
export function channelsLast(context: LayerContext, value: KerasValue): KerasValue {
  if (value.shape.length < 2) return value;
  const [channels, ...positions] = value.shape;
  // Keras' order is ONNX's here.
  return { shape: [...positions, channels], first: context.last(value) };
}

/** The way back of {@link channelsLast}. */
export function channelsFirst(context: LayerContext, value: KerasValue): KerasValue {
  if (value.shape.length < 2) return value;
  const channels = value.shape[value.shape.length - 1];
  return { shape: [channels, ...value.shape.slice(0, -1)], last: context.first(value) };
}

/** A layer that knows the data_format channels_last, for channels_first too. */
export const inEitherFormat =
  (converter: LayerConverter): LayerConverter =>
  (context, inputs) => {
    const { layer, graph, place } = context;
    if (layer.settings.data_format !== "channels_first") return converter(context, inputs);
    // Activations look at Keras' own axes.
    const settings = { ...layer.settings, data_format: "channels_last", activation: null };
    const inner = new LayerContext(graph, { ...layer, settings }, place);
    const result = converter(
      inner,
      inputs.map((value) => channelsLast(context, value)),
    );
    context.weights = inner.weights;
    return activate(context, channelsFirst(context, result));
  };
