import { expect, it } from "vitest";
import { type Attributes, attribute } from "../../src/graph/graph.js";
import { intTensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { webgpuExceptions, webgpuLayout } from "../../src/runtime/webgpu-exceptions.js";

const pool: Attributes = { kernel_shape: attribute.ints([2, 2]) };

/** How many nodes of a graph of one operator stay on the CPU. */
function count(op: string, shapes: readonly (readonly number[])[], attributes: Attributes, outputs = 1): number {
  const emit = new Emitter();
  const inputs = shapes.map((shape, index) => emit.input(`x${index}`, "float32", shape));
  emit.node(op, inputs, attributes, outputs).forEach((value, index) => {
    emit.output(`y${index}`, value);
  });
  return webgpuExceptions(emit.build("test")).length;
}

it.each<[string, string, number[][], Attributes, number, number]>([
  ["MaxPool with Indices", "MaxPool", [[1, 1, 4, 4]], pool, 2, 1],
  ["MaxPool alone", "MaxPool", [[1, 1, 4, 4]], pool, 1, 0],
  [
    "Conv in three dimensions",
    "Conv",
    [
      [1, 2, 3, 3, 3],
      [2, 2, 1, 1, 1],
    ],
    { kernel_shape: attribute.ints([1, 1, 1]) },
    1,
    0,
  ],
  [
    "the same with groups",
    "Conv",
    [
      [1, 2, 3, 3, 3],
      [2, 1, 1, 1, 1],
    ],
    { kernel_shape: attribute.ints([1, 1, 1]), group: attribute.int(2) },
    1,
    1,
  ],
  [
    "ConvTranspose in two dimensions",
    "ConvTranspose",
    [
      [1, 2, 3, 3],
      [2, 1, 2, 2],
    ],
    { strides: attribute.ints([2, 2]) },
    1,
    0,
  ],
  [
    "ConvTranspose in three",
    "ConvTranspose",
    [
      [1, 2, 3, 3, 3],
      [2, 1, 2, 2, 2],
    ],
    { strides: attribute.ints([2, 2, 2]) },
    1,
    1,
  ],
  ["BatchNormalization", "BatchNormalization", [[2, 4], [4], [4], [4], [4]], {}, 1, 1],
])("%s", (_, op, shapes, attributes, outputs, expected) => {
  expect(count(op, shapes, attributes, outputs)).toBe(expected);
});

it.each([
  [1, 0],
  [-1, 1],
])("Slice by steps of %d", (step, expected) => {
  const emit = new Emitter();
  const x = emit.input("x", "float32", [4]);
  const bounds = step > 0 ? [[0], [3], [0], [step]] : [[3], [0], [0], [step]];
  emit.output("y", emit.one("Slice", [x, ...bounds.map((values) => emit.constant(intTensor(values)))]));
  expect(webgpuExceptions(emit.build("test")).length).toBe(expected);
});

it.each<[string, number, number[], "NHWC" | "NCHW"]>([
  ["Conv", 2, [8, 2, 3, 3], "NHWC"],
  ["Conv", 1, [9, 4, 3, 3], "NHWC"],
  ["Conv", 1, [16, 3, 3, 3], "NHWC"],
  ["Conv", 1, [16, 6, 3, 3], "NCHW"],
  ["Conv", 4, [4, 1, 3, 3], "NHWC"],
  ["Conv", 4, [12, 1, 3, 3], "NHWC"],
  // Nine and six filters of a group.
  ["Conv", 4, [36, 1, 3, 3], "NCHW"],
  ["Conv", 2, [12, 2, 3, 3], "NCHW"],
  ["ConvTranspose", 1, [4, 1, 3, 3], "NHWC"],
  ["ConvTranspose", 4, [4, 1, 3, 3], "NHWC"],
  ["ConvTranspose", 2, [4, 3, 3, 3], "NHWC"],
  // Two channels become one.
  ["ConvTranspose", 2, [4, 1, 3, 3], "NCHW"],
])("%s in %d groups, filters %j, is computed in the layout %s", (op, group, shape, layout) => {
  for (const isConstant of [false, true]) {
    const emit = new Emitter();
    const channels = op === "Conv" ? group * shape[1] : shape[0];
    const x = emit.input("x", "float32", [1, channels, 5, 5]);
    const filters = isConstant ? emit.filled(1, shape) : emit.input("w", "float32", shape);
    const settings = { kernel_shape: attribute.ints([3, 3]), group: attribute.int(group) };
    emit.output("y", emit.one(op, [x, filters], settings));
    expect(webgpuLayout(emit.build("convolutions"))).toBe(layout);
  }
});
