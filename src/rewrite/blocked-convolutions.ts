/**
 * Convolutions in ONNX Runtime's blocked layout. Conv becomes the layout's own; ConvTranspose, which ONNX Runtime
 * computes on one thread as a product and a scattered sum, becomes a Conv too:
 *
 * - With stride 1 it is the convolution with the kernel turned round.
 * - With stride s the outputs fall into s phases an axis, u = s i + r; phase r sees every s-th tap only:
 *   full[s i + r] = Σ over q of y[i − q] · w[r + s q]. All phases together are one convolution with s times the channels
 *   an axis; its results are interleaved, and the pads cropped. Where the results fill blocks and much would be cropped,
 *   each phase is a convolution of its own instead, with its own taps and nothing to crop.
 */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import { convolutionGeometry, type Geometry, transposedGeometry } from "../ops/convolutions.js";
import { nodeCost } from "../ops/cost.js";
import type { Emitter } from "../ops/emitter.js";
import type { NodeContext } from "../ops/operator.js";
import { padsOf, type WindowAxis } from "../ops/window.js";
import { type BlockedConvolution, BlockedLayout, exchangedAxes, mostMovedBlocks, rowsAt } from "./blocked-layout.js";
import { inBlocks } from "./in-blocks.js";
import { interleavePhases } from "./interleaved-phases.js";
import type { NodeRule } from "./rewrite-graph.js";

/**
 * One convolution of the phases of two axes may make so many times the multiply-adds of one a phase: its result is moved
 * once, theirs twice. Those of one axis are moved once either way.
 */
const mostWorkTogether = 1.35;

/** A window of one element: what an axis that is not there comes to. */
const noWindow: WindowAxis = { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, begin: 0, end: 0 };

/**
 * The pass.
 *
 * @param block channels in a block on this machine
 * @param leastCost multiply-adds from which on reordering pays
 */
export function blockedConvolutions(block: number, leastCost = 2 ** 18): NodeRule {
  return (emit, node, inputs) => {
    if (node.op !== "Conv" && node.op !== "ConvTranspose") return undefined;
    const [x, weight, bias] = inputs;
    // ONNX Runtime blocks constant weights by itself, and better.
    if (!x || !weight || weight.constant || x.shape.length > 4) return undefined;
    const context: NodeContext = { op: node.op, inputs, attributes: node.attributes, outputCount: 1 };
    const transposed = node.op === "ConvTranspose";
    const geometry = transposed ? transposedGeometry(context) : convolutionGeometry(context);
    const shape = [geometry.batch, geometry.channels, ...sizesOf(geometry.windows, transposed)];
    if (nodeCost({ op: node.op, inputs, outputs: [{ shape }] }) < leastCost) return undefined;
    const operands = { emit, layout: new BlockedLayout(emit, block), x: flat(emit, x), weight, bias };
    const found = (transposed ? transposedConvolution : convolution)(operands, geometry);
    return found && [emit.reshape(found, shape)];
  };
}

interface Operands {
  readonly emit: Emitter;
  readonly layout: BlockedLayout;
  /** [N, C, H, W] */
  readonly x: Value;
  /** As the operator has it. */
  readonly weight: Value;
  readonly bias: Value | undefined;
}

function sizesOf(windows: readonly WindowAxis[], transposed: boolean): number[] {
  return windows.map(({ input, output }) => (transposed ? input : output));
}

/** One spatial axis becomes the second of two. */
function flat(emit: Emitter, x: Value): Value {
  return x.shape.length === 3 ? emit.reshape(x, [x.shape[0], x.shape[1], 1, x.shape[2]]) : x;
}

function twoAxes(windows: readonly WindowAxis[]): readonly [WindowAxis, WindowAxis] {
  return windows.length === 1 ? [noWindow, windows[0]] : [windows[0], windows[1]];
}

type Pair = readonly [number, number];

function pairOf(axes: readonly [WindowAxis, WindowAxis], number: (axis: WindowAxis) => number): Pair {
  return [number(axes[0]), number(axes[1])];
}

/** True where every channel is convolved with a kernel of its own. */
function isDepthwise({ x, weight }: Operands, { group, channels }: Geometry): boolean {
  return group > 1 && group === x.shape[1] && group === channels && weight.shape[1] === 1;
}

/** x in the layout that a convolution reads. */
function readable({ emit, layout, x }: Operands, depthwise: boolean): Value {
  const isPlain = x.shape[1] < layout.block && !depthwise && !inBlocks(emit, x, layout.block);
  return isPlain ? x : layout.fromPlain(x);
}

/** Taps with input channels first, for an x that was filled up to a block. */
function filledUp(emit: Emitter, taps: Value, x: Value): Value {
  const missing = Math.max(0, x.shape[1] - taps.shape[0]);
  return emit.pad(taps, [0, 0, 0, missing, 0, 0]);
}

function convolution(operands: Operands, geometry: Geometry): Value | undefined {
  const { emit, layout, weight, bias } = operands;
  const depthwise = isDepthwise(operands, geometry);
  if (geometry.group !== 1 && !depthwise) return undefined;
  const x = readable(operands, depthwise);
  const axes = twoAxes(geometry.windows);
  const kernel = pairOf(axes, (axis) => axis.kernel);
  const settings: BlockedConvolution = {
    kernel,
    strides: pairOf(axes, (axis) => axis.stride),
    dilations: pairOf(axes, (axis) => axis.dilation),
    pads: padsOf(axes),
    outputs: pairOf(axes, (axis) => axis.output),
  };
  const blocked = depthwise
    ? layout.depthwiseWeight(weight, kernel)
    : layout.weight(filledUp(emit, inputsFirst(emit, weight, sizeOf(kernel)), x), kernel);
  const group = depthwise ? blocked.shape[0] : 1;
  const y =
    mostlyInPads(axes[1]) && x.shape[1] >= layout.block
      ? layout.convolution(layout.pad(x, settings.pads), blocked, bias, { ...settings, pads: [0, 0, 0, 0] }, group)
      : layout.convolution(x, blocked, bias, settings, group);
  return layout.toPlain(y, geometry.channels);
}

/**
 * True for the large kernels of a filter's gradient where most windows reach into the padding: ONNX Runtime computes
 * those one at a time, and the others several at once.
 */
function mostlyInPads({ input, output, kernel, stride, dilation, begin }: WindowAxis): boolean {
  if (kernel < 8) return false;
  const whole = Math.floor((input + begin - (kernel - 1) * dilation - 1) / stride) - Math.ceil(begin / stride) + 1;
  return output - Math.max(0, whole) > output / 2;
}

/** [outputs, inputs, kernel...] as [inputs, outputs, taps]; a weight that was exchanged before is taken as it was. */
function inputsFirst(emit: Emitter, weight: Value, taps: number): Value {
  const exchange = [1, 0, ...weight.shape.slice(2).map((_, axis) => axis + 2)];
  const turned = exchangedAxes(emit, weight) ?? emit.transpose(weight, exchange);
  return emit.reshape(turned, [turned.shape[0], turned.shape[1], taps]);
}

/** How one axis of a transposed convolution is computed. */
interface PhasedAxis {
  /** Outputs fall into this many phases; 1: none. */
  readonly phases: number;
  /** Taps of a phase. */
  readonly kernel: number;
  readonly dilation: number;
  readonly begin: number;
  readonly end: number;
  readonly output: number;
  /** Where the wanted elements begin among the interleaved ones, and how many there are. */
  readonly cropped: number;
  readonly wanted: number;
  /** The tap that each phase has at each place of its kernel, −1 for none. */
  readonly taps: readonly (readonly number[])[];
}

function phasedAxis({ input, output, kernel, stride, dilation, begin }: WindowAxis): PhasedAxis | undefined {
  const turned = (count: number, tap: (q: number) => number): number[] =>
    Array.from({ length: count }, (_, place) => tap(count - 1 - place));
  if (stride === 1) {
    const before = (kernel - 1) * dilation - begin;
    const behind = input - output + begin;
    if (before < 0 || behind < 0) return undefined;
    const taps = [turned(kernel, (q) => q)];
    return { phases: 1, kernel, dilation, begin: before, end: behind, output: input, cropped: 0, wanted: input, taps };
  }
  if (dilation !== 1) return undefined;
  const perPhase = Math.ceil(kernel / stride);
  const places = output + perPhase - 1;
  if (begin + input > stride * places) return undefined;
  return {
    phases: stride,
    kernel: perPhase,
    dilation: 1,
    begin: perPhase - 1,
    end: perPhase - 1,
    output: places,
    cropped: begin,
    wanted: input,
    taps: Array.from({ length: stride }, (_, phase) =>
      turned(perPhase, (q) => (phase + stride * q < kernel ? phase + stride * q : -1)),
    ),
  };
}

/** Multiply-adds of an axis with all phases as one convolution, by those with each phase on its own. */
function workTogether(
  { phases, kernel: taps, output: places }: PhasedAxis,
  { input, kernel, stride }: WindowAxis,
): number {
  return (phases * taps * places * stride) / (kernel * input);
}

function transposedConvolution(operands: Operands, geometry: Geometry): Value | undefined {
  const { emit, layout, weight } = operands;
  const depthwise = isDepthwise(operands, geometry);
  if (geometry.group !== 1 && !depthwise) return undefined;
  const windows = twoAxes(geometry.windows);
  const [rows, columns] = windows.map(phasedAxis);
  if (!rows || !columns) return undefined;
  const x = readable(operands, depthwise);
  const { channels } = geometry;
  // Blocks that are half empty at least are interleaved as elements.
  const worksTogether =
    !depthwise &&
    rows.phases > 1 &&
    columns.phases > 1 &&
    workTogether(rows, windows[0]) * workTogether(columns, windows[1]) <= mostWorkTogether;
  const isApart = channels >= layout.block / 2 && !worksTogether;
  const apart = isApart ? phasesApart(operands, windows, x, depthwise) : undefined;
  if (apart) return layout.toPlain(apart, channels);
  const settings: BlockedConvolution = {
    kernel: [rows.kernel, columns.kernel],
    strides: [1, 1],
    dilations: [rows.dilation, columns.dilation],
    pads: [rows.begin, columns.begin, rows.end, columns.end],
    outputs: [rows.output, columns.output],
  };
  const taps = sizeOf(windows.map((axis) => axis.kernel));
  const given = emit.reshape(weight, [weight.shape[0], weight.shape[1], taps]);
  const phased: PhasedConvolution = {
    x,
    plain: depthwise ? given : filledUp(emit, given, x),
    phases: tapsOfPhases(rows, columns, windows[1].kernel, taps),
    settings,
    channels,
  };
  const compute = depthwise
    ? phaseByPhase
    : phased.phases.length > 1 && channels >= layout.block / 2
      ? phasesInBlocks
      : phasesInElements;
  return interleaved(operands, compute(operands, phased), rows, columns, channels);
}

/** A transposed convolution whose outputs fall into phases that are computed alike. */
interface PhasedConvolution {
  readonly x: Value;
  /** [inputs, outputs, taps] */
  readonly plain: Value;
  /** The tap that each phase (of rows, then of columns) has at each place of its kernel; one behind the last for none. */
  readonly phases: readonly (readonly number[])[];
  readonly settings: BlockedConvolution;
  readonly channels: number;
}

/** @param width taps in a row of the whole kernel @param nowhere stands for no tap */
function tapsOfPhases(rows: PhasedAxis, columns: PhasedAxis, width: number, nowhere: number): number[][] {
  return rows.taps.flatMap((above) =>
    columns.taps.map((beside) =>
      above.flatMap((row) => beside.map((column) => (row < 0 || column < 0 ? nowhere : row * width + column))),
    ),
  );
}

/** Of kernels of their own for each channel: a convolution a phase. */
function phaseByPhase({ emit, layout, bias }: Operands, { x, plain, phases, settings }: PhasedConvolution): Value {
  const parts = phases.map((wanted) => {
    const blocked = layout.depthwiseWeight(chosenTaps(emit, plain, wanted), settings.kernel);
    return layout.convolution(x, blocked, bias, settings, blocked.shape[0]);
  });
  return emit.concat(parts, 1);
}

/** Each phase begins with a block of its own: those are interleaved quicker than elements. */
function phasesInBlocks(
  { emit, layout, bias }: Operands,
  { x, plain, phases, settings, channels }: PhasedConvolution,
): Value {
  const filled = layout.padded(channels);
  const blocked = layout.kernelOf(tapsByPhase(emit, layout.taps(plain), phases), settings.kernel);
  const row = bias && emit.reshape(emit.pad(bias, [0, filled - channels]), [1, filled]);
  const repeated = row && emit.reshape(emit.expand(row, [phases.length, filled]), [phases.length * filled]);
  return layout.convolution(x, blocked, repeated, settings);
}

/** The channels of all phases one after another. */
function phasesInElements(
  { emit, layout, bias }: Operands,
  { x, plain, phases, settings, channels }: PhasedConvolution,
): Value {
  const { kernel } = settings;
  const inputs = plain.shape[0];
  const outputs = phases.length * channels;
  const chosen = chosenTaps(emit, plain, phases.flat());
  const taps = emit.reshape(chosen, [inputs, channels, phases.length, sizeOf(kernel)]);
  const together = emit.reshape(emit.transpose(taps, [0, 2, 1, 3]), [inputs, outputs, sizeOf(kernel)]);
  const row = bias && emit.reshape(bias, [1, channels]);
  const repeated = row && emit.reshape(emit.expand(row, [phases.length, channels]), [outputs]);
  return layout.convolution(x, layout.weight(together, kernel), repeated, settings);
}

/** Taps in blocks, see {@link BlockedLayout.taps}, as [phases, ...] with each phase's own; a place behind the last is a zero. */
function tapsByPhase(emit: Emitter, taps: Value, phases: readonly (readonly number[])[]): Value {
  const [outputs, inputs, count, ...block] = taps.shape;
  const kernels = outputs * inputs;
  const all = emit.reshape(taps, [kernels * count, sizeOf(block)]);
  const isWhole = phases.flat().every((tap) => tap < count);
  const rows = isWhole ? all : emit.concat([all, emit.filled(0, [1, sizeOf(block)])], 0);
  const key = `taps ${JSON.stringify([kernels, count, phases])}`;
  const found = rowsAt(emit, rows, key, () =>
    phases.flatMap((wanted) =>
      Array.from({ length: kernels }, (_, at) =>
        wanted.map((tap) => (tap < count ? at * count + tap : kernels * count)),
      ).flat(),
    ),
  );
  return emit.reshape(found, [phases.length * outputs, inputs, phases[0].length, ...block]);
}

/** One phase of an axis: the outputs u = s j + ρ, each a sum over every s-th tap; of none where it has no tap. */
interface Phase {
  readonly taps: readonly number[];
  readonly begin: number;
  readonly end: number;
  readonly output: number;
}

/**
 * The phases of an axis. With ρ + begin = s o + r, output s j + ρ is Σ over q of y[j + o − q] · w[r + s q].
 *
 * @returns undefined where they are not alike, or a window does not begin in the padding or before
 */
function phasesOf({ input, output, kernel, stride, dilation, begin }: WindowAxis): Phase[] | undefined {
  if (dilation !== 1 || input % stride !== 0) return undefined;
  const count = input / stride;
  const phases = Array.from({ length: stride }, (_, place): Phase => {
    const first = (place + begin) % stride;
    const shift = Math.floor((place + begin) / stride);
    const taps: number[] = [];
    for (let tap = first; tap < kernel; tap += stride) taps.unshift(tap);
    return { taps, begin: taps.length - 1 - shift, end: count + shift - output, output: count };
  });
  return phases.every(({ taps, begin: before, end }) => taps.length === 0 || (before >= 0 && end >= 0))
    ? phases
    : undefined;
}

/** A transposed convolution phase by phase, in blocks. */
function phasesApart(
  { emit, layout, weight, bias }: Operands,
  windows: readonly [WindowAxis, WindowAxis],
  x: Value,
  depthwise: boolean,
): Value | undefined {
  const [rows, columns] = windows.map(phasesOf);
  if (!rows || !columns || rows.length * columns.length === 1) return undefined;
  if (bias && [...rows, ...columns].some((phase) => phase.taps.length === 0)) return undefined;
  const taps = depthwise
    ? layout.depthwiseTaps(weight)
    : layout.taps(
        filledUp(emit, emit.reshape(weight, [weight.shape[0], weight.shape[1], sizeOf(weight.shape.slice(2))]), x),
      );
  const computed = (above: Phase, beside: Phase): Value | undefined => {
    const kernel = [above.taps.length, beside.taps.length] as const;
    if (sizeOf(kernel) === 0) return undefined;
    const wanted = above.taps.flatMap((row) => beside.taps.map((column) => row * windows[1].kernel + column));
    const chosen = emit.one("Gather", [taps, emit.ints(wanted)], { axis: attribute.int(2) });
    const blocked = layout.kernelOf(chosen, kernel);
    const settings: BlockedConvolution = {
      kernel,
      strides: [1, 1],
      dilations: [1, 1],
      pads: [above.begin, beside.begin, above.end, beside.end],
      outputs: [above.output, beside.output],
    };
    return layout.convolution(x, blocked, bias, settings, depthwise ? blocked.shape[0] : 1);
  };
  return interleavePhases(
    emit,
    rows.map((above) => columns.map((beside) => computed(above, beside))),
    layout.block,
  );
}

/** Picks taps by their places in the last axis; a place behind the last one is a zero. */
function chosenTaps(emit: Emitter, value: Value, wanted: readonly number[]): Value {
  const count = value.shape[2];
  if (wanted.length === count && wanted.every((tap, place) => tap === place)) return value;
  const filled = wanted.some((tap) => tap >= count) ? emit.pad(value, [0, 0, 0, 0, 0, 1]) : value;
  return emit.one("Gather", [filled, emit.ints(wanted)], { axis: attribute.int(2) });
}

/** Puts phases side by side: blocks of [phases · C] channels at each place become C channels at phases times the places. */
function interleaved(
  { emit, layout }: Operands,
  z: Value,
  rows: PhasedAxis,
  columns: PhasedAxis,
  channels: number,
): Value {
  const phases = rows.phases * columns.phases;
  if (phases === 1) return layout.toPlain(z, channels);
  const { block } = layout;
  const batch = z.shape[0];
  // Each phase fills whole blocks.
  const isBlocked = z.shape[1] === phases * layout.padded(channels);
  const cropped = (woven: Value): Value =>
    emit.slice(
      woven,
      [rows, columns].map(({ cropped: start, wanted }, index) => ({ axis: index + 2, start, end: start + wanted })),
    );
  const places = [rows.output * rows.phases, columns.output * columns.phases];
  if (!isBlocked) {
    const plain = layout.toPlain(z, phases * channels);
    if (rows.phases === columns.phases)
      return cropped(emit.one("DepthToSpace", [plain], { blocksize: attribute.int(rows.phases) }));
    const split = emit.reshape(plain, [batch, rows.phases, columns.phases, channels, rows.output, columns.output]);
    return cropped(emit.reshape(emit.transpose(split, [0, 3, 4, 1, 5, 2]), [batch, channels, ...places]));
  }
  const parts = layout.padded(channels) / block;
  const filled = [batch, parts * block, rows.wanted, columns.wanted];
  if (batch * phases * parts * rows.output * columns.output > mostMovedBlocks) {
    const split = emit.reshape(z, [batch, rows.phases, columns.phases, parts, rows.output, columns.output, block]);
    const woven = emit.reshape(emit.transpose(split, [0, 3, 4, 1, 5, 2, 6]), [batch, parts, ...places, block]);
    return layout.toPlain(emit.reshape(cropped(woven), filled), channels);
  }
  // Blocks of a sample, moved and cropped in one.
  const blocks = emit.reshape(z, [batch, phases * parts * rows.output * columns.output, block]);
  const key = `interleaved ${JSON.stringify([parts, rows, columns])}`;
  const moved = rowsAt(emit, blocks, key, () => {
    const found: number[] = [];
    for (let part = 0; part < parts; part++)
      for (let row = rows.cropped; row < rows.cropped + rows.wanted; row++)
        for (let column = columns.cropped; column < columns.cropped + columns.wanted; column++) {
          const phase = (row % rows.phases) * columns.phases + (column % columns.phases);
          const above = (phase * parts + part) * rows.output + Math.floor(row / rows.phases);
          found.push(above * columns.output + Math.floor(column / columns.phases));
        }
    return found;
  });
  return layout.toPlain(emit.reshape(moved, filled), channels);
}
