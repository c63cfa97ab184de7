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
 *   that a sample holds is positions, in whatever order; and there all channels of a block lie side by side already.
 * - Where that leaves few rows for the threads to share, parts of the samples are summed apart, as groups.
 */
import type { Value } from "../graph/builder.js";
import { sizeOf } from "../graph/tensor.js";
import { convolutionGeometry } from "../ops/convolutions.js";
import { nodeCost } from "../ops/cost.js";
import type { Emitter } from "../ops/emitter.js";
import type { WindowAxis } from "../ops/window.js";
import { BlockedLayout, exchangedAxes, mostMovedBlocks, type Taken } from "./blocked-layout.js";
import { inBlocks } from "./in-blocks.js";
import type { NodeRule } from "./rewrite-graph.js";

/** Places that ONNX Runtime's convolution computes at once; those left over cost as much each as several of the others. */
const placesAtOnce = 6;
const mostLeftOver = 0.1;
/** A row should have more of them, since y is read anew for each. */
const leastPlaces = 12;
/** Plain channels side by side, at most. */
const mostTogether = 8;
/** Threads share a convolution by rows of its output. */
const leastRows = 8;

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
    const slides = columns.output > 1 && columns.stride !== 1;
    if (group !== 1 || slides || samples % block !== 0 || blocks > mostMovedBlocks) return undefined;
    if (nodeCost({ op: node.op, inputs, outputs: [{ shape }] }) < leastCost) return undefined;

    const layout = new BlockedLayout(emit, block);
    const inChannels = inBlocks(emit, x, block);
    const filled = inChannels?.shape[1] ?? features;
    const together = inChannels ? block : channelsTogether(features, columns.output);
    const [above, beside] = [windows.length > 1 ? readAt(windows[0]) : nothing, readAt(columns)];
    // All taps lie in the padding: the gradient is zero, which needs no blocks.
    if (above.taken.count < 1 || beside.taken.count < 1) return undefined;
    const taken = { rows: above.taken, columns: beside.taken };
    const sideBySide = inChannels
      ? blocksSideBySide(layout, emit, inChannels, taken)
      : interleaved(layout, emit, x, taken, together);
    const groups = groupsOf((filled / together) * above.output, samples / block);
    const padded = layout.pad(sideBySide, [0, beside.begin * together, 0, beside.end * together]);
    const size = [above.kernel, beside.kernel] as const;
    const found = layout.convolution(
      padded,
      layout.weight(emit.reshape(y, [samples, channels, sizeOf(size)]), size, groups),
      undefined,
      {
        kernel: size,
        strides: [above.stride, 1],
        dilations: [above.dilation, beside.dilation * together],
        pads: [above.begin, 0, above.end, 0],
        outputs: [above.output, beside.output * together],
      },
      groups,
    );
    const places = [above.output, beside.output];
    const sum = overGroups(emit, found, groups);
    const plain = emit.reshape(layout.toPlain(sum, channels), [filled / together, channels, ...places, together]);
    const all = emit.reshape(emit.transpose(plain, [0, 4, 1, 2, 3]), [filled, ...shape.slice(1)]);
    return [emit.slice(all, [{ axis: 0, start: 0, end: features }])];
  };
}

/** What of an axis is read, and how y slides over that. */
interface Read {
  readonly taken: Taken;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly begin: number;
  readonly end: number;
  readonly output: number;
}

/** An axis that is not there. */
const nothing: Read = {
  taken: { count: 1, step: 1 },
  kernel: 1,
  stride: 1,
  dilation: 1,
  begin: 0,
  end: 0,
  output: 1,
};

/** Where y has one place only, and no pads, what it does not read is left out; else, what lies behind the last place. */
function readAt({ input, kernel, stride, dilation, begin, output }: WindowAxis): Read {
  if (output === 1 && begin === 0 && (kernel - 1) * dilation < input)
    return { ...nothing, taken: { count: kernel, step: dilation }, kernel };
  const reached = (kernel - 1) * dilation + (output - 1) * stride + 1 - begin;
  const count = Math.min(input, reached);
  return { taken: { count, step: 1 }, kernel, stride, dilation, begin, end: reached - count, output };
}

/** As few channels as leave few places over; else as many as leave the fewest. */
function channelsTogether(channels: number, places: number): number {
  const leftOver = (count: number): number => ((count * places) % placesAtOnce) / (count * places);
  const divisors = Array.from({ length: mostTogether }, (_, index) => index + 1).filter(
    (count) => channels % count === 0,
  );
  return (
    divisors.find((count) => count * places >= leastPlaces && leftOver(count) <= mostLeftOver) ??
    divisors.reduce((best, count) => (leftOver(count) <= leftOver(best) ? count : best))
  );
}

/** As few groups of blocks of samples as give the threads enough rows, each on its own. */
function groupsOf(rows: number, blocks: number): number {
  const divisors = Array.from({ length: blocks }, (_, index) => index + 1).filter((count) => blocks % count === 0);
  return divisors.find((count) => count * rows >= leastRows) ?? blocks;
}

/** Σ over groups of what they have of each output channel, in blocks: [N, groups · C, H, W] as [N, C, H, W]. */
function overGroups(emit: Emitter, found: Value, groups: number): Value {
  if (groups === 1) return found;
  const [batch, channels, ...places] = found.shape;
  const each = emit.reshape(found, [batch, groups, (channels / groups) * sizeOf(places)]);
  return emit.reshape(emit.reduceSum(each, [1]), [batch, channels / groups, ...places]);
}

interface TakenOfBoth {
  readonly rows: Taken;
  readonly columns: Taken;
}

/**
 * [N, C, H, W] in blocks of b channels as [C/b, N, H, W · b] in blocks of samples, with the rows and columns that are
 * taken: the channels of a block lie side by side at each position as they are.
 */
function blocksSideBySide(layout: BlockedLayout, emit: Emitter, x: Value, { rows, columns }: TakenOfBoth): Value {
  const { block } = layout;
  const [samples, channels, height, width] = x.shape;
  const isWhole = rows.count === height && columns.count === width;
  const split = [samples / block, channels / block];
  const blocks = layout.samplesInBlocks(x);
  const moved = isWhole
    ? layout.moved(emit.reshape(blocks, [...split, height * width * block * block]), [1, 0, 2])
    : layout.moved(emit.reshape(blocks, [...split, height, width, block * block]), [1, 0, 2, 3, 4], {
        2: rows,
        3: columns,
      });
  return emit.reshape(moved, [channels / block, samples, rows.count, columns.count * block]);
}

/** [N, C, H, ...] as [C/g, N, H, W · g] in blocks of samples, with the rows and columns that are taken. */
function interleaved(
  layout: BlockedLayout,
  emit: Emitter,
  x: Value,
  { rows, columns }: TakenOfBoth,
  together: number,
): Value {
  const { block } = layout;
  const [samples, channels] = x.shape;
  const [height, width] = x.shape.length > 3 ? x.shape.slice(2) : [1, x.shape[2]];
  const blocks = layout.samplesInBlocks(x);
  const split = emit.reshape(blocks, [samples / block, channels / together, together, height, width, block]);
  const moved = layout.moved(split, [1, 0, 3, 4, 2, 5], { 3: rows, 4: columns });
  return emit.reshape(moved, [channels / together, samples, rows.count, columns.count * together]);
}
