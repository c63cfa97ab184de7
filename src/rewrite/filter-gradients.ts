/**
 * The gradient of a convolution's filters in ONNX Runtime's blocked layout. It is a convolution in which samples and
 * channels have changed places (src/ops/filter-gradient.ts): gw[k, c, t] = Σ over n, o of y[n, k, o] · x[n, c, o + t],
 * a large kernel y, slid over few places t.
 *
 * - ONNX Runtime computes up to six neighbouring places at once, but there are as many as the filter has taps. So some
 *   channels lie side by side at each column, and y is as much wider by dilation: each of its numbers, once read, serves
 *   all of their places.
 * - Windows that reach beyond the columns are computed one at a time, so zeros are laid beside them; rows need none.
 * - Samples come into blocks by one reordering and one move of blocks. From blocks of channels too: to the reordering, all
 *   that a sample holds is positions, in whatever order.
 */
import type { Value } from "../graph/builder.js";
import { sizeOf } from "../graph/tensor.js";
import { convolutionGeometry } from "../ops/convolutions.js";
import { nodeCost } from "../ops/cost.js";
import type { Emitter } from "../ops/emitter.js";
import { BlockedLayout, exchangedAxes, inBlocks, mostMovedBlocks } from "./blocked-layout.js";
import type { NodeRule } from "./rewrite-graph.js";

/** Places that ONNX Runtime's convolution computes at once; those left over cost as much each as several of the others. */
const placesAtOnce = 6;
const mostLeftOver = 0.1;
/** A row should have more of them, since y is read anew for each. */
const leastPlaces = 12;
/** Channels side by side, at most. */
const mostTogether = 8;

/**
 * The pass. It comes before that of all other convolutions.
 *
 * @param block channels in a block on this machine
 * @param leastCost multiply-adds from which on it pays
 */
export function filterGradients(block: number, leastCost = 2 ** 18): NodeRule {
  return (emit, node, inputs) => {
    const [exchanged, kernel] = inputs;
    if (node.op !== "Conv" || !exchanged || !kernel || inputs[2]) return undefined;
    const [x, y] = [exchangedAxes(emit, exchanged), exchangedAxes(emit, kernel)];
    if (!x || !y || x.shape.length > 4) return undefined;
    const { group, channels, windows } = convolutionGeometry({
      op: node.op,
      inputs,
      attributes: node.attributes,
      outputCount: 1,
    });
    const shape = [exchanged.shape[0], channels, ...windows.map(({ output }) => output)];
    const [samples, features] = x.shape;
    const columns = windows[windows.length - 1];
    const blocks = sizeOf(x.shape) / block;
    if (group !== 1 || columns.stride !== 1 || samples % block !== 0 || blocks > mostMovedBlocks) return undefined;
    if (nodeCost({ op: node.op, inputs, outputs: [{ shape }] }) < leastCost) return undefined;

    const layout = new BlockedLayout(emit, block);
    const together = channelsTogether(features, columns.output, block);
    const reached = (columns.kernel - 1) * columns.dilation + columns.output;
    const width = Math.min(columns.input, reached - columns.begin);
    const rows = windows.length > 1 ? windows[0] : undefined;
    const height = rows?.input ?? 1;
    const sideBySide = interleaved(layout, emit, x, { height, width, together });
    const behind = reached - columns.begin - width;
    const padded = layout.pad(sideBySide, [0, columns.begin * together, 0, behind * together]);
    const size = [rows?.kernel ?? 1, columns.kernel] as const;
    const found = layout.convolution(
      padded,
      layout.weight(emit.reshape(y, [samples, channels, sizeOf(size)]), size),
      undefined,
      {
        kernel: size,
        strides: [rows?.stride ?? 1, 1],
        dilations: [rows?.dilation ?? 1, columns.dilation * together],
        pads: [rows?.begin ?? 0, 0, rows?.end ?? 0, 0],
        outputs: [rows?.output ?? 1, columns.output * together],
      },
    );
    const places = [rows?.output ?? 1, columns.output];
    const plain = emit.reshape(layout.toPlain(found, channels), [features / together, channels, ...places, together]);
    return [emit.reshape(emit.transpose(plain, [0, 4, 1, 2, 3]), shape)];
  };
}

/** As few channels as leave few places over; else as many as leave the fewest. */
function channelsTogether(channels: number, places: number, block: number): number {
  const leftOver = (count: number): number => ((count * places) % placesAtOnce) / (count * places);
  // Channels that may come in blocks are taken as whole parts of those.
  const whole = channels % block === 0 ? block : channels;
  const divisors = Array.from({ length: mostTogether }, (_, index) => index + 1).filter((count) => whole % count === 0);
  return (
    divisors.find((count) => count * places >= leastPlaces && leftOver(count) <= mostLeftOver) ??
    divisors.reduce((best, count) => (leftOver(count) <= leftOver(best) ? count : best))
  );
}

/** [N, C, H, ...] as [C/g, N, H, W · g] in blocks of samples, with the first W columns. */
function interleaved(
  layout: BlockedLayout,
  emit: Emitter,
  x: Value,
  { height, width, together }: { readonly height: number; readonly width: number; readonly together: number },
): Value {
  const { block } = layout;
  const [samples, channels] = x.shape;
  const columns = sizeOf(x.shape.slice(2)) / height;
  const shape = [channels / together, samples, height, width * together];
  const cropped = (split: Value, axis: number): Value => emit.slice(split, [{ axis, start: 0, end: width }]);
  const inChannels = inBlocks(emit, x, block);
  if (inChannels) {
    // Blocks of samples of each channel of a block, which lie side by side at each position.
    const blocks = layout.samplesInBlocks(inChannels);
    const sides = [samples / block, channels / block, height, columns, block / together, together * block];
    return emit.reshape(layout.moved(cropped(emit.reshape(blocks, sides), 3), [1, 4, 0, 2, 3, 5]), shape);
  }
  const blocks = layout.samplesInBlocks(x);
  const split = emit.reshape(blocks, [samples / block, channels / together, together, height, columns, block]);
  return emit.reshape(layout.moved(cropped(split, 4), [1, 0, 3, 4, 2, 5]), shape);
}
