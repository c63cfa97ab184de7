import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import type { Value } from "../../src/graph/builder.js";
import { type Attribute, attribute } from "../../src/graph/graph.js";
import { sizeOf, type Tensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { checkGradients } from "../support/check-gradients.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

interface Case {
  readonly name: string;
  readonly op: "Conv" | "ConvTranspose";
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly bias?: boolean;
  readonly strides?: readonly number[];
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly group?: number;
  readonly autoPad?: string;
  readonly outputPadding?: readonly number[];
  readonly outputShape?: readonly number[];
  /** What the pads come to where auto_pad or output_shape decide them. */
  readonly effectivePads?: readonly number[];
}

const cases: readonly Case[] = [
  { name: "1-D", op: "Conv", x: [2, 3, 9], weight: [4, 3, 3], bias: true },
  {
    name: "1-D strided, dilated, padded",
    op: "Conv",
    x: [2, 2, 11],
    weight: [3, 2, 3],
    strides: [2],
    dilations: [3],
    pads: [2, 1],
  },
  { name: "2-D", op: "Conv", x: [2, 3, 6, 5], weight: [4, 3, 3, 3], bias: true, pads: [1, 1, 1, 1] },
  { name: "2-D 1×1", op: "Conv", x: [3, 4, 3, 5], weight: [2, 4, 1, 1] },
  { name: "2-D 1×1, stride 2", op: "Conv", x: [3, 4, 5, 6], weight: [2, 4, 1, 1], strides: [2, 2] },
  { name: "2-D 1×1, padded", op: "Conv", x: [2, 3, 3, 3], weight: [2, 3, 1, 1], pads: [1, 0, 1, 2] },
  {
    name: "kernel 4, stride 2",
    op: "Conv",
    x: [2, 3, 8, 8],
    weight: [5, 3, 4, 4],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  },
  {
    name: "kernel 3, stride 2, odd rest",
    op: "Conv",
    x: [2, 2, 8, 7],
    weight: [3, 2, 3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  },
  { name: "kernel smaller than stride", op: "Conv", x: [2, 2, 9, 10], weight: [3, 2, 2, 1], strides: [3, 4] },
  {
    name: "uneven pads, strides, dilations",
    op: "Conv",
    x: [1, 2, 9, 8],
    weight: [2, 2, 2, 3],
    strides: [1, 3],
    pads: [0, 2, 3, 1],
    dilations: [3, 2],
  },
  {
    name: "SAME_UPPER",
    op: "Conv",
    x: [1, 2, 6, 5],
    weight: [2, 2, 4, 2],
    autoPad: "SAME_UPPER",
    effectivePads: [1, 0, 2, 1],
  },
  {
    name: "SAME_UPPER, stride 2",
    op: "Conv",
    x: [1, 2, 7, 6],
    weight: [2, 2, 3, 3],
    strides: [2, 2],
    autoPad: "SAME_UPPER",
    effectivePads: [1, 0, 1, 1],
  },
  {
    name: "SAME_LOWER",
    op: "Conv",
    x: [1, 2, 6, 5],
    weight: [2, 2, 4, 2],
    autoPad: "SAME_LOWER",
    effectivePads: [2, 1, 1, 0],
  },
  {
    name: "SAME_LOWER, stride 3",
    op: "Conv",
    x: [1, 2, 7],
    weight: [2, 2, 2],
    strides: [3],
    autoPad: "SAME_LOWER",
    effectivePads: [1, 0],
  },
  { name: "VALID", op: "Conv", x: [1, 2, 6, 5], weight: [2, 2, 3, 2], strides: [2, 2], autoPad: "VALID" },
  {
    name: "grouped",
    op: "Conv",
    x: [2, 6, 5, 5],
    weight: [4, 3, 3, 3],
    group: 2,
    bias: true,
    pads: [1, 0, 0, 1],
    strides: [2, 1],
  },
  { name: "depthwise", op: "Conv", x: [2, 4, 6, 5], weight: [4, 1, 3, 3], group: 4, pads: [1, 1, 1, 1], bias: true },
  {
    name: "depthwise, stride 2, dilated",
    op: "Conv",
    x: [2, 3, 8, 7],
    weight: [3, 1, 3, 2],
    group: 3,
    strides: [2, 2],
    dilations: [1, 2],
  },
  {
    name: "depthwise with multiplier",
    op: "Conv",
    x: [2, 3, 6, 5],
    weight: [6, 1, 3, 3],
    group: 3,
    pads: [1, 1, 1, 1],
  },
  {
    name: "3-D",
    op: "Conv",
    x: [1, 2, 4, 5, 4],
    weight: [3, 2, 2, 3, 2],
    strides: [1, 2, 1],
    pads: [0, 1, 1, 0, 0, 0],
  },
  { name: "1-D", op: "ConvTranspose", x: [2, 3, 4], weight: [3, 2, 3], bias: true, strides: [2] },
  {
    name: "2-D",
    op: "ConvTranspose",
    x: [2, 3, 4, 3],
    weight: [3, 2, 4, 4],
    bias: true,
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  },
  { name: "2-D 1×1", op: "ConvTranspose", x: [2, 3, 4, 3], weight: [3, 2, 1, 1] },
  {
    name: "output_padding",
    op: "ConvTranspose",
    x: [1, 2, 3, 3],
    weight: [2, 2, 3, 3],
    strides: [3, 2],
    outputPadding: [2, 1],
    pads: [1, 0, 0, 1],
  },
  {
    name: "grouped, dilated",
    op: "ConvTranspose",
    x: [1, 4, 3, 4],
    weight: [4, 3, 2, 2],
    group: 2,
    dilations: [2, 1],
    strides: [1, 2],
    pads: [0, 1, 1, 0],
  },
  {
    name: "depthwise",
    op: "ConvTranspose",
    x: [2, 3, 3, 4],
    weight: [3, 1, 3, 3],
    group: 3,
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    outputPadding: [1, 1],
  },
  {
    name: "depthwise with multiplier",
    op: "ConvTranspose",
    x: [2, 3, 3, 4],
    weight: [3, 2, 3, 2],
    group: 3,
    strides: [2, 1],
  },
  { name: "VALID", op: "ConvTranspose", x: [1, 2, 3, 4], weight: [2, 1, 3, 2], strides: [2, 2], autoPad: "VALID" },
  {
    name: "SAME_UPPER",
    op: "ConvTranspose",
    x: [1, 2, 3, 4],
    weight: [2, 1, 3, 4],
    strides: [2, 2],
    autoPad: "SAME_UPPER",
    effectivePads: [0, 1, 1, 1],
  },
  {
    name: "SAME_LOWER",
    op: "ConvTranspose",
    x: [1, 2, 3, 4],
    weight: [2, 1, 3, 4],
    strides: [2, 2],
    autoPad: "SAME_LOWER",
    effectivePads: [1, 1, 0, 1],
  },
  {
    name: "output_shape",
    op: "ConvTranspose",
    x: [1, 2, 3, 4],
    weight: [2, 2, 4, 3],
    strides: [2, 2],
    outputShape: [5, 8],
    effectivePads: [2, 1, 1, 0],
  },
  {
    name: "output_shape, SAME_UPPER",
    op: "ConvTranspose",
    x: [1, 2, 3, 4],
    weight: [2, 2, 4, 3],
    strides: [2, 2],
    outputShape: [5, 8],
    autoPad: "SAME_UPPER",
    effectivePads: [1, 0, 2, 1],
  },
  {
    name: "output_shape larger than what is reached",
    op: "ConvTranspose",
    x: [1, 2, 3],
    weight: [2, 2, 2],
    strides: [2],
    outputShape: [7],
  },
];

/** y = Conv(x) as a map from (x index, weight index) pairs to y: the definition, with no cleverness. */
function eachProduct(
  each: Case,
  narrow: readonly number[],
  wide: readonly number[],
  visit: (narrowIndex: number, wideIndex: number, weightIndex: number) => void,
): void {
  const rank = wide.length - 2;
  const group = each.group ?? 1;
  const [batch, filters] = narrow;
  const pads = each.effectivePads ?? each.pads ?? new Array(2 * rank).fill(0);
  const perGroup = wide[1] / group;
  const places = indices(narrow.slice(2));
  const taps = indices(each.weight.slice(2));
  for (let n = 0; n < batch; n++)
    for (let k = 0; k < filters; k++)
      for (let c = 0; c < perGroup; c++) {
        const channel = Math.floor(k / (filters / group)) * perGroup + c;
        places.forEach((place, placeIndex) => {
          taps.forEach((tap, tapIndex) => {
            let flat = 0;
            for (let axis = 0; axis < rank; axis++) {
              const at =
                place[axis] * (each.strides?.[axis] ?? 1) + tap[axis] * (each.dilations?.[axis] ?? 1) - pads[axis];
              if (at < 0 || at >= wide[axis + 2]) return;
              flat = flat * wide[axis + 2] + at;
            }
            visit(
              (n * filters + k) * places.length + placeIndex,
              (n * wide[1] + channel) * sizeOf(wide.slice(2)) + flat,
              (k * perGroup + c) * taps.length + tapIndex,
            );
          });
        });
      }
}

function indices(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, size) => all.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i])),
    [[]],
  );
}

function emitCase(emit: Emitter, each: Case, values: Record<string, Value>): Value {
  const attributes: Record<string, Attribute> = {};
  if (each.strides) attributes.strides = attribute.ints(each.strides);
  if (each.pads) attributes.pads = attribute.ints(each.pads);
  if (each.dilations) attributes.dilations = attribute.ints(each.dilations);
  if (each.group) attributes.group = attribute.int(each.group);
  if (each.autoPad) attributes.auto_pad = attribute.string(each.autoPad);
  if (each.outputPadding) attributes.output_padding = attribute.ints(each.outputPadding);
  if (each.outputShape) attributes.output_shape = attribute.ints(each.outputShape);
  return emit.one(each.op, [values.x, values.weight, values.bias], attributes);
}

function inputsOf(each: Case): Record<string, Tensor> {
  const channels = each.op === "Conv" ? each.weight[0] : each.weight[1] * (each.group ?? 1);
  return {
    x: normalTensor("x", each.x),
    weight: normalTensor("weight", each.weight),
    ...(each.bias ? { bias: normalTensor("bias", [channels]) } : {}),
  };
}

describe.each(cases)("$op, $name", (each) => {
  it("has the shape, the values and the gradients of the definition", async () => {
    const inputs = inputsOf(each);
    let declared: readonly number[] = [];
    const result = await runGraph(inputs, (emit, values) => {
      const y = emitCase(emit, each, values);
      declared = y.shape;
      const seed = { value: y, gradient: emit.constant(normalTensor("gradient", y.shape)) };
      const names = Object.keys(values);
      const found = gradients(
        emit,
        [seed],
        names.map((name) => values[name]),
      );
      return { y, ...Object.fromEntries(names.map((name, index) => [`gradient/${name}`, found[index] as Value])) };
    });
    expect(result.y.shape).toEqual(declared);
    const x = inputs.x.data as Float32Array;
    const weight = inputs.weight.data as Float32Array;
    const gradient = normalTensor("gradient", declared).data;
    const y = new Float32Array(sizeOf(declared));
    const gx = new Float32Array(x.length);
    const gw = new Float32Array(weight.length);
    if (each.op === "Conv")
      eachProduct(each, declared, each.x, (yi, xi, wi) => {
        y[yi] += x[xi] * weight[wi];
        gx[xi] += gradient[yi] * weight[wi];
        gw[wi] += gradient[yi] * x[xi];
      });
    else
      eachProduct(each, each.x, declared, (xi, yi, wi) => {
        y[yi] += x[xi] * weight[wi];
        gx[xi] += gradient[yi] * weight[wi];
        gw[wi] += gradient[yi] * x[xi];
      });
    const bias = inputs.bias?.data as Float32Array | undefined;
    const area = sizeOf(declared.slice(2));
    const gb = new Float32Array(declared[1]);
    y.forEach((_, index) => {
      const channel = Math.floor(index / area) % declared[1];
      gb[channel] += gradient[index];
      if (bias) y[index] += bias[channel];
    });
    expectClose(result.y, y);
    expectClose(result["gradient/x"], gx);
    expectClose(result["gradient/weight"], gw);
    if (bias) expectClose(result["gradient/bias"], gb);
  });

  it("has gradients of gradients", async () => {
    // Bilinear: differences are exact but for rounding, so that a large step is best.
    await checkGradients(inputsOf(each), (emit, values) => emit.tanh(emit.scale(emitCase(emit, each, values), 0.2)), {
      step: 3e-3,
    });
  });
});

function expectClose(actual: Tensor, expected: Float32Array): void {
  const data = actual.data as Float32Array;
  expect(data.length).toBe(expected.length);
  const largest = Math.max(1, ...expected.map(Math.abs));
  const error = data.reduce((worst, element, index) => Math.max(worst, Math.abs(element - expected[index])), 0);
  expect(error / largest).toBeLessThan(1e-5);
}

describe("what does not fit is refused", () => {
  const conv = (
    x: readonly number[],
    weight: readonly number[],
    attributes: Record<string, Attribute> = {},
    op = "Conv",
    bias?: number,
  ) => {
    const emit = new Emitter();
    return () =>
      emit.one(
        op,
        [
          emit.input("x", "float32", x),
          emit.input("w", "float32", weight),
          bias === undefined ? undefined : emit.input("b", "float32", [bias]),
        ],
        attributes,
      );
  };

  it.each([
    ["channels", conv([1, 3, 5], [2, 2, 3]), /has 3 channels, the weight takes 2/],
    [
      "groups of filters",
      conv([1, 4, 5], [3, 2, 3], { group: attribute.int(2) }),
      /3 output channels do not split into 2 groups/,
    ],
    ["rank", conv([1, 3, 5, 5], [2, 3, 3]), /rank 4, the weight 3/],
    ["no spatial axis", conv([1, 3], [2, 3]), /at least one more axis/],
    ["bias", conv([1, 3, 5], [2, 3, 3], {}, "Conv", 3), /bias has shape \[3\], required \[2\]/],
    ["kernel larger than the input", conv([1, 3, 2], [2, 3, 3]), /does not fit into 2 elements/],
    ["kernel_shape", conv([1, 3, 5], [2, 3, 3], { kernel_shape: attribute.ints([5]) }), /kernel_shape is 5/],
    [
      "strides of another rank",
      conv([1, 3, 5], [2, 3, 3], { strides: attribute.ints([1, 1]) }),
      /strides has 2 numbers/,
    ],
    ["stride zero", conv([1, 3, 5], [2, 3, 3], { strides: attribute.ints([0]) }), /strides holds 0/],
    ["auto_pad", conv([1, 3, 5], [2, 3, 3], { auto_pad: attribute.string("SAME") }), /auto_pad SAME does not exist/],
    ["group zero", conv([1, 3, 5], [2, 3, 3], { group: attribute.int(0) }), /0 groups/],
    ["transposed channels", conv([1, 3, 5], [2, 2, 3], {}, "ConvTranspose"), /has 3 channels, the weight takes 2/],
    [
      "transposed pads",
      conv([1, 2, 1], [2, 2, 3], { pads: attribute.ints([2, 2]) }, "ConvTranspose"),
      /leave nothing of 3/,
    ],
    [
      "SAME beyond reach",
      conv(
        [1, 2, 4],
        [2, 2, 1],
        { strides: attribute.ints([2]), auto_pad: attribute.string("SAME_UPPER") },
        "ConvTranspose",
      ),
      /asks for 8 elements of the 7/,
    ],
    [
      "output_padding",
      conv([1, 2, 4], [2, 2, 2], { output_padding: attribute.ints([1]) }, "ConvTranspose"),
      /less than the stride 1/,
    ],
    [
      "output_shape beyond reach",
      conv([1, 2, 4], [2, 2, 2], { output_shape: attribute.ints([6]) }, "ConvTranspose"),
      /less than the stride 1/,
    ],
    [
      "output_shape below the input",
      conv([1, 2, 4], [2, 2, 3], { output_shape: attribute.ints([3]) }, "ConvTranspose"),
      /output_shape \[3\] is smaller than its input \[4\]/,
    ],
    [
      "output_shape",
      conv([1, 2, 1], [2, 2, 3], { output_shape: attribute.ints([1, 1]) }, "ConvTranspose"),
      /output_shape has 2/,
    ],
  ])("%s", (_, emitting, message) => {
    expect(emitting).toThrow(message);
  });
});
