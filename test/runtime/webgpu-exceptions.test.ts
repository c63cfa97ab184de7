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

it.each<[number, number[], "NHWC" | "NCHW"]>([
  // Filters a group: 4, 8 in one, 1 and 3 (less than are computed at once), 9, 6.
  [2, [8, 2, 3, 3], "NHWC"],
  [1, [9, 4, 3, 3], "NHWC"],
  [4, [4, 1, 3, 3], "NHWC"],
  [4, [12, 1, 3, 3], "NHWC"],
  [4, [36, 1, 3, 3], "NCHW"],
  [2, [12, 2, 3, 3], "NCHW"],
])("convolutions in %d groups, filters %j, are computed in the layout %s", (group, shape, layout) => {
  const emit = new Emitter();
  const x = emit.input("x", "float32", [1, 4, 5, 5]);
  const settings = { kernel_shape: attribute.ints([3, 3]), group: attribute.int(group) };
  emit.output("given", emit.one("Conv", [x, emit.input("w", "float32", shape)], settings));
  emit.output("known", emit.one("Conv", [x, emit.filled(1, shape)], settings));
  expect(webgpuLayout(emit.build("convolutions"))).toBe(layout);
});
