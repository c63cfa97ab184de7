import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import type { Value } from "../../src/graph/builder.js";
import { type Attribute, attribute } from "../../src/graph/graph.js";
import { floatTensor, sizeOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { RandomStream } from "../../src/random/stream.js";
import { checkGradients } from "../support/check-gradients.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

const { int, ints, string } = attribute;

interface Case {
  readonly name: string;
  readonly x: readonly number[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

const windows: readonly Case[] = [
  { name: "1-D", x: [2, 2, 7], attributes: { kernel_shape: ints([3]) } },
  { name: "side by side", x: [2, 3, 6, 4], attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) } },
  {
    name: "side by side, with a rest",
    x: [2, 2, 7, 8],
    attributes: { kernel_shape: ints([2, 3]), strides: ints([2, 3]) },
  },
  {
    name: "side by side, ceil_mode",
    x: [2, 2, 7, 8],
    attributes: { kernel_shape: ints([2, 3]), strides: ints([2, 3]), ceil_mode: int(1) },
  },
  {
    name: "overlapping, padded",
    x: [1, 2, 7, 6],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
  },
  {
    name: "overlapping, uneven pads",
    x: [1, 2, 7, 6],
    attributes: { kernel_shape: ints([3, 4]), strides: ints([2, 1]), pads: ints([0, 2, 1, 1]) },
  },
  {
    name: "overlapping, ceil_mode",
    x: [1, 2, 8, 6],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), ceil_mode: int(1) },
  },
  { name: "gaps", x: [1, 2, 8, 7], attributes: { kernel_shape: ints([1, 2]), strides: ints([3, 3]) } },
  {
    name: "dilated",
    x: [1, 2, 8, 7],
    attributes: {
      kernel_shape: ints([2, 3]),
      dilations: ints([3, 2]),
      strides: ints([2, 1]),
      pads: ints([1, 0, 0, 1]),
    },
  },
  {
    name: "SAME_UPPER",
    x: [1, 2, 7, 6],
    attributes: { kernel_shape: ints([2, 3]), strides: ints([2, 2]), auto_pad: string("SAME_UPPER") },
  },
  {
    name: "SAME_LOWER",
    x: [1, 2, 7, 6],
    attributes: { kernel_shape: ints([2, 3]), strides: ints([2, 2]), auto_pad: string("SAME_LOWER") },
  },
  {
    name: "VALID",
    x: [1, 2, 7, 6],
    attributes: { kernel_shape: ints([2, 3]), strides: ints([2, 2]), auto_pad: string("VALID") },
  },
  { name: "3-D", x: [1, 2, 4, 5, 4], attributes: { kernel_shape: ints([2, 3, 2]), strides: ints([2, 1, 2]) } },
];

const all = windows.flatMap((each) => [
  { ...each, op: "MaxPool" },
  { ...each, op: "AveragePool" },
  ...(each.attributes.pads || each.attributes.auto_pad || each.attributes.ceil_mode
    ? [
        {
          ...each,
          op: "AveragePool",
          name: `${each.name}, count_include_pad`,
          attributes: { ...each.attributes, count_include_pad: int(1) },
        },
      ]
    : []),
]);

describe.each(all)("$op, $name", ({ op, x, attributes }) => {
  it("has ONNX Runtime's shape, and gradients to second order", async () => {
    const shape = await shapes(op, x, attributes);
    expect(shape.declared).toEqual(shape.actual);
    await checkGradients({ x: distinct(x) }, (emit, values) => emit.square(emit.one(op, [values.x], attributes)));
  });
});

describe.each(["GlobalAveragePool", "GlobalMaxPool"])("%s", (op) => {
  it.each([[[2, 3, 5]], [[2, 3, 4, 5]], [[1, 2, 3, 2, 2]]])("of shape %j", async (x) => {
    const shape = await shapes(op, x, {});
    expect(shape.declared).toEqual(shape.actual);
    await checkGradients({ x: distinct(x) }, (emit, values) => emit.square(emit.one(op, [values.x])));
  });
});

describe("ties", () => {
  const gradientOf = async (op: string, x: readonly number[], attributes: Record<string, Attribute>) => {
    const { gx, sum } = await runGraph({ x: floatTensor(new Float32Array(sizeOf(x)), x) }, (emit, values) => {
      const y = emit.one(op, [values.x], attributes);
      const gradient = emit.constant(normalTensor("gradient", y.shape, 0.1, 1));
      return { gx: gradients(emit, [{ value: y, gradient }], [values.x])[0] as Value, sum: emit.reduceSum(gradient) };
    });
    return { elements: Array.from(gx.data as Float32Array), sum: (sum.data as Float32Array)[0] };
  };

  it("of MaxPool go to the first element alone", async () => {
    const { elements, sum } = await gradientOf("MaxPool", [1, 2, 4, 4], {
      kernel_shape: ints([2, 2]),
      strides: ints([2, 2]),
    });
    expect(elements.flatMap((element, index) => (element !== 0 ? [index] : []))).toEqual([0, 2, 8, 10, 16, 18, 24, 26]);
    expect(elements.reduce((a, b) => a + b)).toBeCloseTo(sum, 4);
  });

  it("of overlapping MaxPool windows add up where they meet", async () => {
    const { elements, sum } = await gradientOf("MaxPool", [1, 1, 3, 3], {
      kernel_shape: ints([3, 3]),
      pads: ints([1, 1, 1, 1]),
    });
    expect(elements.reduce((a, b) => a + b)).toBeCloseTo(sum, 4);
    expect(elements.filter((element) => element !== 0).length).toBe(4);
  });

  it("of GlobalMaxPool go to the first element alone", async () => {
    const { elements } = await gradientOf("GlobalMaxPool", [1, 2, 2, 3], {});
    expect(elements.flatMap((element, index) => (element !== 0 ? [index] : []))).toEqual([0, 6]);
  });
});

describe("MaxPool's Indices", () => {
  it.each([0, 1])("are typed, and leave the gradient as it is with storage_order %i", async (order) => {
    const attributes = { kernel_shape: ints([2, 2]), storage_order: int(order) };
    const result = await runGraph({ x: distinct([1, 2, 3, 4]) }, (emit, { x }) => {
      const [y, indices] = emit.node("MaxPool", [x], attributes, 2);
      expect(indices.type).toBe("int64");
      expect(indices.shape).toEqual(y.shape);
      const plain = emit.one("MaxPool", [x], { kernel_shape: ints([2, 2]) });
      const of = (value: Value) => gradients(emit, [{ value }], [x])[0] as Value;
      return { indices, difference: emit.subtract(of(y), of(plain)) };
    });
    expect(result.indices.shape).toEqual([1, 2, 2, 3]);
    expect(Array.from(result.difference.data as Float32Array).every((element) => element === 0)).toBe(true);
  });
});

describe("what does not fit is refused", () => {
  const pool = (x: readonly number[], attributes: Record<string, Attribute>, op = "MaxPool") => {
    const emit = new Emitter();
    return () => emit.one(op, [emit.input("x", "float32", x)], attributes);
  };

  it.each([
    ["no kernel_shape", pool([1, 1, 4], {}), /kernel_shape/],
    ["kernel_shape of another rank", pool([1, 1, 4], { kernel_shape: ints([2, 2]) }), /does not fit 1 spatial axes/],
    ["kernel zero", pool([1, 1, 4], { kernel_shape: ints([0]) }), /kernel_shape/],
    ["window too large", pool([1, 1, 4], { kernel_shape: ints([5]) }), /a window of 5 does not fit into 4/],
    [
      "ceil_mode, last window in the padding",
      pool([1, 1, 5], { kernel_shape: ints([2]), strides: ints([3]), pads: ints([0, 1]), ceil_mode: int(1) }),
      /disagree/,
    ],
    [
      "pads as large as the kernel",
      pool([1, 1, 5], { kernel_shape: ints([2]), pads: ints([0, 2]) }),
      /must be less than the kernel's 2/,
    ],
    [
      "a window without elements",
      pool([1, 1, 2], { kernel_shape: ints([2]), dilations: ints([3]), pads: ints([1, 1]) }),
      /in the padding altogether/,
    ],
    [
      "SAME with gaps",
      pool([1, 1, 11], { kernel_shape: ints([1]), strides: ints([3]), auto_pad: string("SAME_UPPER") }),
      /between windows/,
    ],
    ["no spatial axis", pool([1, 4], {}, "GlobalAveragePool"), /at least one more axis/],
  ])("%s", (_, emitting, message) => {
    expect(emitting).toThrow(message);
  });

  it("windows that read padding alone, wherever they are", () => {
    let refused = 0;
    for (const [input, kernel, stride, dilation] of combinations([1, 2, 3, 5], [1, 2, 3, 4], [1, 2, 3], [1, 2, 3, 4]))
      for (const [begin, end] of combinations([0, 1, 2, 3], [0, 1, 2, 3])) {
        const output = Math.floor((input + begin + end - (kernel - 1) * dilation - 1) / stride) + 1;
        if (begin >= kernel || end >= kernel || output < 1) continue;
        const isInside = (window: number, tap: number): boolean => {
          const place = window * stride + tap * dilation - begin;
          return place >= 0 && place < input;
        };
        const isEmpty = (window: number): boolean =>
          Array.from({ length: kernel }, (_, tap) => tap).every((tap) => !isInside(window, tap));
        const emitting = pool([1, 1, input], {
          kernel_shape: ints([kernel]),
          strides: ints([stride]),
          dilations: ints([dilation]),
          pads: ints([begin, end]),
        });
        if (Array.from({ length: output }, (_, window) => window).some(isEmpty)) {
          refused++;
          expect(emitting).toThrow(/in the padding altogether/);
        } else expect(emitting().shape).toEqual([1, 1, output]);
      }
    expect(refused).toBeGreaterThan(0);
  });

  it("takes kernels and pads of any size", () => {
    const size = 2 ** 22;
    const pads = ints([size - 1, size - 1]);
    expect(pool([1, 1, 1], { kernel_shape: ints([size]), pads })().shape).toEqual([1, 1, size]);
  });
});

function combinations(...lists: readonly (readonly number[])[]): readonly (readonly number[])[] {
  return lists.reduce<readonly (readonly number[])[]>(
    (all, list) => all.flatMap((before) => list.map((number) => [...before, number])),
    [[]],
  );
}

async function shapes(op: string, x: readonly number[], attributes: Readonly<Record<string, Attribute>>) {
  let declared: readonly number[] = [];
  const { y } = await runGraph({ x: distinct(x) }, (emit, values) => {
    const value = emit.one(op, [values.x], attributes);
    declared = value.shape;
    return { y: value };
  });
  return { declared, actual: y.shape };
}

/** Shuffled numbers that lie 0.1 apart, so that no step of a difference changes which one is the largest. */
function distinct(shape: readonly number[]) {
  const size = sizeOf(shape);
  const stream = new RandomStream(0, "distinct");
  const keys = Array.from({ length: size }, (_, index) => ({ index, key: stream.normal() })).sort(
    (a, b) => a.key - b.key,
  );
  const elements = new Float32Array(size);
  keys.forEach(({ index }, rank) => {
    elements[index] = (rank - size / 2) * 0.1;
  });
  return floatTensor(elements, shape);
}
