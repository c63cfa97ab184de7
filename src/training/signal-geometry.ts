/** How the values of one sample lie as a signal: some channels, measured at one position after another. */
import { sizeOf } from "../graph/tensor.js";
import type { Network } from "../ops/network.js";
import { sampleLayout } from "../recipe/sample-layout.js";
import type { PictureGeometry } from "./picture-geometry.js";
import type { ViewSettings } from "./picture-views.js";

/** How far views of signals are magnified where a recipe says "auto", whatever their channels (docs/log.md). */
const zoomOfSignals = 0.5;

/**
 * The geometry of the signals that a network takes, as pictures of a single row; undefined where its samples have other
 * axes, or where no layer minds the order of the positions (points of a cloud are no signal).
 */
export function signalGeometry(network: Network): PictureGeometry | undefined {
  const layout = network.sampleShape.length === 2 ? sampleLayout(network) : undefined;
  const isOrdered = network.layers.some(
    ({ weight, isRecurrent }) =>
      isRecurrent || (weight.layout?.kind === "convolution" && sizeOf(weight.shape.slice(2)) > 1),
  );
  if (!layout || !isOrdered) return undefined;
  const [first, second] = network.sampleShape;
  const [channels, width] = layout === "NCHW" ? [first, second] : [second, first];
  return { channels, height: 1, width, layout };
}

/**
 * A recipe's views for signals: these never run backwards, and each channel gets another size and level by itself. That
 * all channels change together, as pictures do in another light, was measured to cost accuracy; it is for signals of one.
 */
export function signalViews(settings: ViewSettings, { channels }: PictureGeometry): ViewSettings {
  const { zoom, jitter } = settings;
  return {
    ...settings,
    flip: false,
    zoom: zoom === "auto" ? zoomOfSignals : zoom,
    jitter: channels > 1 ? 0 : jitter,
  };
}
