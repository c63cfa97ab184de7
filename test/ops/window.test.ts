import { describe, expect, it } from "vitest";
import { type Attribute, attribute } from "../../src/graph/graph.js";
import type { NodeContext } from "../../src/ops/operator.js";
import { extentOf, padsOf, slidingWindows, spanOf, withoutIdleCeil } from "../../src/ops/window.js";

const { int, ints, string } = attribute;
const node = (attributes: Record<string, Attribute>): NodeContext => ({
  op: "MaxPool",
  inputs: [],
  attributes,
  outputCount: 1,
});

describe("sliding windows", () => {
  it.each([
    ["defaults", {}, { begin: 0, end: 0, output: 6 }],
    ["pads", { pads: ints([1, 2]) }, { begin: 1, end: 2, output: 9 }],
    ["strides, floor", { strides: ints([3]) }, { begin: 0, end: 0, output: 2 }],
    ["strides, ceil", { strides: ints([3]), ceil_mode: int(1) }, { begin: 0, end: 0, output: 3 }],
    ["SAME_UPPER", { auto_pad: string("SAME_UPPER"), strides: ints([2]) }, { begin: 0, end: 1, output: 4 }],
    ["SAME_LOWER", { auto_pad: string("SAME_LOWER"), strides: ints([2]) }, { begin: 1, end: 0, output: 4 }],
    ["VALID forgets pads", { auto_pad: string("VALID"), pads: ints([1, 1]) }, { begin: 0, end: 0, output: 6 }],
    ["dilations", { dilations: ints([3]) }, { begin: 0, end: 0, output: 2 }],
  ])("%s", (_, attributes: Record<string, Attribute>, expected) => {
    expect(slidingWindows(node(attributes), [8], [3])[0]).toMatchObject(expected);
  });

  it("know what they span", () => {
    const [axis] = slidingWindows(node({ strides: ints([2]), dilations: ints([2]), pads: ints([1, 0]) }), [10], [3]);
    expect(extentOf(axis)).toBe(5);
    expect(axis.output).toBe(4);
    expect(spanOf(axis)).toBe(11);
    expect(padsOf([axis])).toEqual([1, 0]);
  });

  it.each([
    ["strides that divide", { strides: ints([5]), kernel_shape: ints([3]) }, 0],
    ["a window more", { strides: ints([3]), kernel_shape: ints([3]) }, 1],
    [
      "a window that would begin in the padding",
      { strides: ints([5]), pads: ints([2, 2]), kernel_shape: ints([3]) },
      0,
    ],
    ["its sizes left to SAME", { strides: ints([5]), kernel_shape: ints([3]), auto_pad: string("SAME_UPPER") }, 1],
  ])("keep ceil_mode only where it adds a window: %s", (_, attributes: Record<string, Attribute>, kept) => {
    const x = { name: "x", type: "float32", shape: [1, 1, 8] } as const;
    const pool = { ...node({ ...attributes, ceil_mode: int(1) }), inputs: [x] };
    expect(withoutIdleCeil(pool).ceil_mode).toEqual(int(kept));
  });

  it.each([
    [{ pads: ints([-1, 0]) }, /pads holds -1/],
    [{ pads: ints([1]) }, /pads has 1 numbers, its input needs 2/],
    [{ auto_pad: string("SAME_UPPER"), dilations: ints([2]) }, /auto_pad SAME_UPPER with dilations/],
    [{ dilations: ints([0]) }, /dilations holds 0/],
    [{ pads: ints([2 ** 30, 0]) }, /1073741830 windows along an axis/],
    [{ dilations: ints([5]) }, /a window of 11 does not fit into 8/],
    [{ strides: ints([9]), pads: ints([0, 4]), ceil_mode: int(1) }, /disagree/],
  ])("refuse %j", (attributes: Record<string, Attribute>, message) => {
    expect(() => slidingWindows(node(attributes), [8], [3])).toThrow(message);
  });
});
