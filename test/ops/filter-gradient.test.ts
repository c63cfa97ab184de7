import { describe, expect, it } from "vitest";
import { sizeOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { filterGradient } from "../../src/ops/filter-gradient.js";
import type { WindowAxis } from "../../src/ops/window.js";
import { checkGradients } from "../support/check-gradients.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

interface Case {
  readonly name: string;
  readonly batch: number;
  readonly channels: number;
  readonly filters: number;
  readonly group?: number;
  readonly windows: readonly WindowAxis[];
  /** The operator by which the form that was chosen is known. */
  readonly form: (ops: readonly string[]) => boolean;
}

const axis = (input: number, kernel: number, settings: Partial<WindowAxis> = {}): WindowAxis => {
  const { stride = 1, dilation = 1, begin = 0, end = 0 } = settings;
  const output = Math.floor((input + begin + end - (kernel - 1) * dilation - 1) / stride) + 1;
  return { input, kernel, stride, dilation, begin, end, output };
};
const padded = { begin: 1, end: 1 };
const perSample = (ops: readonly string[]) => ops.includes("MatMul") && ops.includes("Conv");
const exchanged = (ops: readonly string[]) => !ops.includes("MatMul") && ops.includes("Conv");
const depthwise = (ops: readonly string[]) => ops.includes("ReduceSum") && !ops.includes("Transpose");
const noUnfolding = (ops: readonly string[]) => ops.includes("MatMul") && !ops.includes("Conv");

const cases: readonly Case[] = [
  {
    name: "product per sample",
    batch: 3,
    channels: 3,
    filters: 4,
    windows: [axis(7, 3, padded), axis(6, 3, padded)],
    form: perSample,
  },
  {
    name: "product per sample, grouped",
    batch: 2,
    channels: 4,
    filters: 6,
    group: 2,
    windows: [axis(8, 3, padded), axis(7, 2, { dilation: 2 })],
    form: perSample,
  },
  {
    name: "product per sample, strided with a rest",
    batch: 2,
    channels: 2,
    filters: 3,
    windows: [axis(14, 3, { stride: 2 }), axis(12, 3, { stride: 2, begin: 1 })],
    form: perSample,
  },
  {
    name: "exchanged, few windows",
    batch: 3,
    channels: 4,
    filters: 5,
    windows: [axis(4, 3), axis(6, 3, { stride: 2 })],
    form: exchanged,
  },
  {
    name: "exchanged, grouped, dilated, with a rest",
    batch: 2,
    channels: 4,
    filters: 6,
    group: 2,
    windows: [axis(9, 2, { dilation: 3, stride: 2, end: 2 }), axis(5, 2, padded)],
    form: exchanged,
  },
  {
    name: "exchanged, full vectors",
    batch: 2,
    channels: 8,
    filters: 3,
    windows: [axis(14, 4, { stride: 2, ...padded }), axis(14, 4, { stride: 2, ...padded })],
    form: exchanged,
  },
  {
    name: "exchanged, large kernel",
    batch: 1,
    channels: 1,
    filters: 2,
    windows: [axis(12, 6), axis(12, 6, { begin: 2 })],
    form: exchanged,
  },
  { name: "exchanged, 1-D", batch: 2, channels: 3, filters: 2, windows: [axis(9, 4, { stride: 2 })], form: exchanged },
  {
    name: "1×1, a product per sample",
    batch: 3,
    channels: 2,
    filters: 3,
    windows: [axis(4, 1), axis(5, 1)],
    form: noUnfolding,
  },
  { name: "1×1, one product", batch: 3, channels: 9, filters: 8, windows: [axis(2, 1), axis(2, 1)], form: noUnfolding },
  {
    name: "1×1, strided",
    batch: 3,
    channels: 3,
    filters: 2,
    windows: [axis(5, 1, { stride: 2 }), axis(4, 1, { stride: 3 })],
    form: perSample,
  },
  {
    name: "depthwise",
    batch: 3,
    channels: 4,
    filters: 4,
    group: 4,
    windows: [axis(7, 3, padded), axis(6, 3, padded)],
    form: depthwise,
  },
  {
    name: "depthwise, strided with a rest, dilated",
    batch: 2,
    channels: 3,
    filters: 3,
    group: 3,
    windows: [axis(8, 3, { stride: 2 }), axis(9, 2, { dilation: 3, begin: 1 })],
    form: depthwise,
  },
  {
    name: "depthwise, 1-D",
    batch: 2,
    channels: 5,
    filters: 5,
    group: 5,
    windows: [axis(9, 4, padded)],
    form: depthwise,
  },
];

describe.each(cases)("filter gradient: $name", (each) => {
  const { batch, channels, filters, group = 1, windows } = each;
  const xShape = [batch, channels, ...windows.map(({ input }) => input)];
  const yShape = [batch, filters, ...windows.map(({ output }) => output)];
  const inputs = { x: normalTensor("x", xShape), y: normalTensor("y", yShape) };

  it("takes the form meant for it and agrees with the sum of its definition", async () => {
    let ops: readonly string[] = [];
    const { result } = await runGraph(inputs, (emit, { x, y }) => {
      const value = filterGradient(emit, x, y, windows, group);
      ops = emit.nodes.map((node) => node.op);
      return { result: value };
    });
    expect(each.form(ops)).toBe(true);
    expect(result.shape).toEqual([filters, channels / group, ...windows.map(({ kernel }) => kernel)]);
    const expected = definition(inputs.x.data, inputs.y.data, each);
    const error = expected.reduce(
      (worst, e, index) => Math.max(worst, Math.abs(e - (result.data as Float32Array)[index])),
      0,
    );
    expect(error / Math.max(1, ...expected.map(Math.abs))).toBeLessThan(1e-5);
  });

  it("has gradients itself", async () => {
    await checkGradients(inputs, (emit, { x, y }) => filterGradient(emit, x, y, windows, group), { order: 1 });
  });
});

describe("a batch that would unfold to too much", () => {
  /** Samples of the parts, for 8 · 9 rows and 128² positions: more than 2^20 numbers a sample. */
  const partsOf = (batch: number): number[] => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [batch, 8, 128, 128]);
    const y = emit.input("y", "float32", [batch, 4, 128, 128]);
    filterGradient(emit, x, y, [axis(128, 3, padded), axis(128, 3, padded)], 1);
    return emit.nodes.filter(({ op }) => op === "MatMul").map(({ outputs }) => outputs[0].shape[0]);
  };

  it("is cut into eight parts for the cache", () => {
    expect(partsOf(70)).toEqual([9, 9, 9, 9, 9, 9, 9, 7]);
  });

  it("is cut into more parts than that for the memory: 2^26 numbers at most", () => {
    expect(partsOf(600)).toEqual([...new Array(10).fill(56), 40]);
  });
});

function definition(
  x: Float32Array,
  y: Float32Array,
  { batch, channels, filters, group = 1, windows }: Case,
): number[] {
  const places = indices(windows.map(({ output }) => output));
  const taps = indices(windows.map(({ kernel }) => kernel));
  const area = sizeOf(windows.map(({ input }) => input));
  const perGroup = channels / group;
  const sums: number[] = [];
  for (let k = 0; k < filters; k++)
    for (let c = 0; c < perGroup; c++)
      for (const tap of taps) {
        let sum = 0;
        for (let n = 0; n < batch; n++)
          places.forEach((place, index) => {
            const at = windows.map(({ stride, dilation, begin }, i) => place[i] * stride + tap[i] * dilation - begin);
            if (at.some((position, i) => position < 0 || position >= windows[i].input)) return;
            const flat = at.reduce((outer, position, i) => outer * windows[i].input + position, 0);
            const channel = Math.floor(k / (filters / group)) * perGroup + c;
            sum += y[(n * filters + k) * places.length + index] * x[(n * channels + channel) * area + flat];
          });
        sums.push(sum);
      }
  return sums;
}

function indices(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, size) => all.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i])),
    [[]],
  );
}
