import { describe, expect, it } from "vitest";
import type { Value } from "../../src/graph/builder.js";
import { type Attributes, attribute } from "../../src/graph/graph.js";
import { floatTensor, intTensor, sizeOf, type Tensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { RuleError } from "../../src/ops/operator.js";
import { checkGradients } from "../support/check-gradients.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

interface Case {
  readonly name: string;
  readonly x: readonly number[];
  readonly body: (emit: Emitter, x: Value) => Value | readonly Value[];
  /** Shapes of the outputs, where they are worth writing down. */
  readonly shapes?: readonly (readonly number[])[];
  /** ONNX Runtime has the operator for floats only. */
  readonly floatsOnly?: true;
  /** Our table has no fold: shape arithmetic does not use the operator. */
  readonly noFold?: true;
}

const { int, ints, string } = attribute;
const reshape = (shape: number[], allowzero = 0): Case["body"] => {
  return (emit, x) => emit.one("Reshape", [x, emit.ints(shape)], { allowzero: int(allowzero) });
};
const slice = (starts: number[], ends: number[], axes?: number[], steps?: number[]): Case["body"] => {
  return (emit, x) =>
    emit.one("Slice", [x, ...[starts, ends, axes, steps].map((numbers) => numbers && emit.ints(numbers))]);
};
const pad = (mode: string, pads: number[], axes?: number[]): Case["body"] => {
  return (emit, x) => emit.one("Pad", [x, emit.ints(pads), undefined, axes && emit.ints(axes)], { mode: string(mode) });
};
const gather = (axis: number, indices: Tensor): Case["body"] => {
  return (emit, x) => emit.one("Gather", [x, emit.constant(indices)], { axis: int(axis) });
};
const topK = (count: number, attributes: Attributes = {}): Case["body"] => {
  return (emit, x) => emit.one("TopK", [x, emit.ints([count])], attributes);
};
const blocks = (op: string, size: number, mode?: string): Case["body"] => {
  return (emit, x) => emit.one(op, [x], { blocksize: int(size), ...(mode && { mode: string(mode) }) });
};

const cases: readonly Case[] = [
  { name: "Reshape", x: [2, 3, 4], body: reshape([4, 6]), shapes: [[4, 6]] },
  { name: "Reshape with 0 and -1", x: [2, 3, 4], body: reshape([0, -1]), shapes: [[2, 12]] },
  { name: "Reshape to a scalar", x: [1, 1], body: reshape([]), shapes: [[]] },
  { name: "Flatten", x: [2, 3, 4], body: (emit, x) => emit.one("Flatten", [x]), shapes: [[2, 12]] },
  { name: "Flatten at 0", x: [2, 3], body: (emit, x) => emit.one("Flatten", [x], { axis: int(0) }), shapes: [[1, 6]] },
  {
    name: "Flatten at the rank",
    x: [2, 3],
    body: (emit, x) => emit.one("Flatten", [x], { axis: int(2) }),
    shapes: [[6, 1]],
  },
  {
    name: "Flatten from the end",
    x: [2, 3, 4],
    body: (emit, x) => emit.one("Flatten", [x], { axis: int(-1) }),
    shapes: [[6, 4]],
  },
  { name: "Squeeze all", x: [1, 3, 1], body: (emit, x) => emit.one("Squeeze", [x]), shapes: [[3]] },
  { name: "Squeeze one", x: [1, 3, 1], body: (emit, x) => emit.one("Squeeze", [x, emit.ints([-1])]), shapes: [[1, 3]] },
  {
    name: "Unsqueeze",
    x: [2, 3],
    body: (emit, x) => emit.one("Unsqueeze", [x, emit.ints([-1, 0])]),
    shapes: [[1, 2, 3, 1]],
  },
  { name: "Transpose", x: [2, 3, 4], body: (emit, x) => emit.one("Transpose", [x]), shapes: [[4, 3, 2]] },
  {
    name: "Transpose by perm",
    x: [2, 3, 4, 5],
    body: (emit, x) => emit.one("Transpose", [x], { perm: ints([0, 3, 1, 2]) }),
    shapes: [[2, 5, 3, 4]],
  },
  { name: "Expand", x: [3, 1], body: (emit, x) => emit.one("Expand", [x, emit.ints([2, 1, 4])]), shapes: [[2, 3, 4]] },
  {
    name: "Expand to less than the shape",
    x: [2, 3],
    body: (emit, x) => emit.one("Expand", [x, emit.ints([1])]),
    shapes: [[2, 3]],
  },
  { name: "Tile", x: [2, 3], body: (emit, x) => emit.one("Tile", [x, emit.ints([2, 3])]), shapes: [[4, 9]] },
  {
    name: "Tile one axis",
    x: [2, 1, 3],
    body: (emit, x) => emit.one("Tile", [x, emit.ints([1, 4, 1])]),
    shapes: [[2, 4, 3]],
  },
  {
    name: "Concat of one value twice",
    x: [2, 3],
    body: (emit, x) => emit.one("Concat", [x, x], { axis: int(-1) }),
    shapes: [[2, 6]],
  },
  {
    name: "Concat of different lengths",
    x: [2, 3],
    body: (emit, x) => emit.one("Concat", [x, emit.slice(x, [{ axis: 0, start: 0, end: 1 }])], { axis: int(0) }),
    shapes: [[3, 3]],
  },
  {
    name: "Split equally",
    x: [5, 2],
    body: (emit, x) => emit.node("Split", [x], { num_outputs: int(2) }, 2),
    shapes: [
      [3, 2],
      [2, 2],
    ],
  },
  {
    name: "Split by lengths",
    x: [2, 6],
    body: (emit, x) => emit.node("Split", [x, emit.ints([1, 3, 2])], { axis: int(1) }, 3),
    shapes: [
      [2, 1],
      [2, 3],
      [2, 2],
    ],
  },
  {
    name: "Split, one output used",
    x: [2, 6],
    body: (emit, x) => emit.node("Split", [x, emit.ints([1, 3, 2])], { axis: int(1) }, 3)[1],
    shapes: [[2, 3]],
  },
  {
    name: "Split, two outputs used",
    x: [2, 6],
    body: (emit, x) => {
      const parts = emit.node("Split", [x, emit.ints([1, 3, 2])], { axis: int(-1) }, 3);
      return [parts[0], parts[2]];
    },
  },
  { name: "Slice", x: [4, 5], body: slice([1], [3]), shapes: [[2, 5]] },
  { name: "Slice of several axes", x: [4, 5, 6], body: slice([-3, 1], [-1, 1000], [2, 0]), shapes: [[3, 5, 2]] },
  { name: "Slice with steps", x: [7, 8], body: slice([1, 0], [7, 8], [0, 1], [2, 3]), shapes: [[3, 3]] },
  { name: "Slice with a step past the end", x: [5, 2], body: slice([0], [5], [0], [3]), shapes: [[2, 2]] },
  { name: "Slice backwards", x: [5, 4], body: slice([-1, 3], [-1000, 0], [0, 1], [-1, -1]), shapes: [[5, 3]] },
  { name: "Slice backwards by two", x: [6], body: slice([1000], [-1000], [0], [-2]), shapes: [[3]] },
  { name: "Slice backwards, short", x: [6, 2], body: slice([4], [0], [0], [-3]), shapes: [[2, 2]] },
  { name: "Slice of nothing left", x: [6], body: slice([4], [2]), shapes: [[0]] },
  { name: "Pad", x: [2, 3], body: pad("constant", [1, 0, 2, 3]), shapes: [[5, 6]] },
  { name: "Pad by negative amounts", x: [4, 5], body: pad("constant", [-1, 2, 1, -3]), shapes: [[4, 4]] },
  { name: "Pad some axes", x: [2, 3, 4], body: pad("constant", [1, 2], [-1]), shapes: [[2, 3, 7]] },
  { name: "Pad by edges", x: [1, 2, 3, 4], body: pad("edge", [0, 0, 2, 1, 0, 0, 1, 3]), shapes: [[1, 2, 6, 8]] },
  { name: "Pad by reflection", x: [2, 3, 4], body: pad("reflect", [0, 2, 1, 0, 1, 3]), shapes: [[2, 6, 8]] },
  { name: "Crop, then pad by reflection", x: [5, 4], body: pad("reflect", [-1, 2, 3, -1]), shapes: [[7, 5]] },
  { name: "Crop, then pad by wrapping", x: [3, 4], body: pad("wrap", [2, -1, -1, 3]), shapes: [[4, 6]] },
  { name: "Crop, then pad by edges", x: [3, 4], body: pad("edge", [2, -1, -1, 3]), shapes: [[4, 6]] },
  { name: "Pad by wrapping, at most once", x: [3, 4], body: pad("wrap", [3, 2, 2, 4]), shapes: [[8, 10]] },
  { name: "Gather one", x: [2, 3, 4], body: gather(1, intTensor([-1], [])), shapes: [[2, 4]] },
  { name: "Gather a few", x: [5, 3], body: gather(0, intTensor([4, 0, 0, 3])), shapes: [[4, 3]] },
  { name: "Gather in rows", x: [2, 5], body: gather(-1, intTensor([3, 1, 1, -5, 0, 4], [2, 3])), shapes: [[2, 2, 3]] },
  { name: "Gather in the middle", x: [2, 5, 3], body: gather(1, intTensor([3, 0, 3])), shapes: [[2, 3, 3]] },
  { name: "Gather by a step", x: [7, 2], body: gather(0, intTensor([5, 3, 1])), shapes: [[3, 2]] },
  { name: "Gather from a long axis", x: [300, 2], body: gather(0, intTensor([299, 0, 0, 7])), shapes: [[4, 2]] },
  {
    name: "GatherElements",
    x: [3, 4],
    body: (emit, x) =>
      emit.one("GatherElements", [x, emit.constant(intTensor([0, 1, 1, -1, 0, 0], [3, 2]))], { axis: int(1) }),
    shapes: [[3, 2]],
    noFold: true,
  },
  { name: "TopK", x: [2, 5], body: topK(3), shapes: [[2, 3]], floatsOnly: true, noFold: true },
  {
    name: "TopK, least",
    x: [3, 2],
    body: topK(1, { axis: int(0), largest: int(0) }),
    shapes: [[1, 2]],
    floatsOnly: true,
    noFold: true,
  },
  {
    name: "TopK of none",
    x: [4, 3],
    body: topK(0, { axis: int(-2) }),
    shapes: [[0, 3]],
    floatsOnly: true,
    noFold: true,
  },
  {
    name: "DepthToSpace, depth first",
    x: [2, 8, 2, 3],
    body: blocks("DepthToSpace", 2),
    shapes: [[2, 2, 4, 6]],
    floatsOnly: true,
    noFold: true,
  },
  {
    name: "DepthToSpace, column first",
    x: [2, 8, 2, 3],
    body: blocks("DepthToSpace", 2, "CRD"),
    shapes: [[2, 2, 4, 6]],
    floatsOnly: true,
    noFold: true,
  },
  {
    name: "SpaceToDepth",
    x: [2, 2, 4, 6],
    body: blocks("SpaceToDepth", 2),
    shapes: [[2, 8, 2, 3]],
    floatsOnly: true,
    noFold: true,
  },
  { name: "Trilu, upper", x: [2, 3, 4], body: (emit, x) => emit.one("Trilu", [x]), shapes: [[2, 3, 4]] },
  {
    name: "Trilu, lower",
    x: [4, 3],
    body: (emit, x) => emit.one("Trilu", [x, emit.constant(intTensor([-1], []))], { upper: int(0) }),
  },
];

function list(values: Value | readonly Value[]): readonly Value[] {
  return [values].flat() as readonly Value[];
}

describe("movement operators", () => {
  describe.each(cases)("$name", ({ x: shape, body, shapes, floatsOnly, noFold }) => {
    const floats = normalTensor("x", shape);
    const whole = intTensor(
      Array.from({ length: sizeOf(shape) }, (_, index) => index * 7 - 20),
      shape,
    );
    it.each(floatsOnly ? [floats] : [floats, whole])("moves $type as ONNX Runtime does", async (x) => {
      const results: Value[] = [];
      const run = await runGraph({ x }, (emit, inputs) => {
        results.push(...list(body(emit, inputs.x)));
        return Object.fromEntries(results.map((value, index) => [`y${index}`, value]));
      });
      if (shapes) expect(results.map((value) => value.shape)).toEqual(shapes);
      results.forEach((value, index) => {
        expect(run[`y${index}`].shape).toEqual(value.shape);
        expect(run[`y${index}`].type).toBe(value.type);
      });
      const emit = new Emitter();
      list(body(emit, emit.constant(x))).forEach((value, index) => {
        if (noFold) expect(value.constant).toBeUndefined();
        else expect(value.constant?.data).toEqual(run[`y${index}`].data);
      });
    });
    it("has first and second order gradients", async () => {
      // A square makes the gradient depend on x, so that the second order has something to find.
      await checkGradients(
        { x: floats },
        (emit, { x }) => {
          return list(body(emit, emit.multiply(x, x))).map((value) => emit.multiply(value, value));
        },
        { tolerance: 5e-3 },
      );
    });
  });

  it("runs Gather backwards where the indices are not known", async () => {
    const indices = intTensor([2, 0, 2, -1], [2, 2]);
    await checkGradients({ x: normalTensor("x", [3, 4]), indices }, (emit, { x, indices: at }) => {
      const taken = emit.one("Gather", [emit.multiply(x, x), at], { axis: int(0) });
      return emit.multiply(taken, taken);
    });
  });

  it.each(["add", "none"])("runs ScatterElements (%s) backwards to data and updates", async (reduction) => {
    const indices = intTensor(reduction === "add" ? [0, 0, 3, -1, 1, 1] : [0, 2, 3, -3, 1, 3], [3, 2]);
    await checkGradients(
      { data: normalTensor("data", [3, 4]), updates: normalTensor("updates", [3, 2]) },
      (emit, { data, updates }) => {
        const parts = [emit.multiply(data, data), emit.constant(indices), emit.multiply(updates, updates)];
        const written = emit.one("ScatterElements", parts, { axis: int(1), reduction: string(reduction) });
        return emit.multiply(written, written);
      },
    );
  });

  it("refuses a gradient of ScatterElements with another reduction", async () => {
    const check = checkGradients({ data: normalTensor("data", [2]) }, (emit, { data }) =>
      emit.one("ScatterElements", [data, emit.ints([0]), emit.filled(2, [1])], { reduction: string("mul") }),
    );
    await expect(check).rejects.toThrow("reduction mul has no gradient rule");
  });

  it("gives Pad's constant its gradient", async () => {
    await checkGradients({ x: normalTensor("x", [3, 4]), c: normalTensor("c", []) }, (emit, { x, c }) => {
      const padded = emit.one("Pad", [x, emit.ints([1, -1, 0, 2]), emit.multiply(c, c)]);
      return emit.multiply(padded, padded);
    });
  });

  it("folds Pad with its constant", () => {
    const emit = new Emitter();
    const padded = emit.one("Pad", [emit.ints([5]), emit.ints([1, 2]), emit.scalar(-3, "int64")]);
    expect(padded.constant?.data).toEqual(BigInt64Array.of(-3n, 5n, -3n, -3n));
  });

  it("keeps zeros in Reshape with allowzero", () => {
    const emit = new Emitter();
    const empty = emit.input("x", "float32", [0, 3]);
    expect(reshape([3, 0], 1)(emit, empty)).toMatchObject({ shape: [3, 0] });
  });

  const wrong: readonly [string, Case["body"]][] = [
    ["Reshape: [2, 3] cannot become [4, 2]", reshape([4, 2])],
    ["Reshape: [-1, -1] is not a shape", reshape([-1, -1])],
    ["Flatten: axis 3 does not exist in rank 2", (emit, x) => emit.one("Flatten", [x], { axis: int(3) })],
    ["Squeeze: dimension 1 of [2, 3] is not 1", (emit, x) => emit.one("Squeeze", [x, emit.ints([1])])],
    ["Transpose: [0, 0] is not a permutation", (emit, x) => emit.one("Transpose", [x], { perm: ints([0, 0]) })],
    ["do not broadcast", (emit, x) => emit.one("Expand", [x, emit.ints([2, 2])])],
    ["does not split 3 into 2 outputs", (emit, x) => emit.node("Split", [x, emit.ints([1, 1])], { axis: int(1) }, 2)],
    ["a step other than 0", slice([0], [1], [0], [0])],
    ["index 2 does not exist in a dimension of 2", gather(0, intTensor([2]))],
    ["TopK needs one number from 0 to 3, the length of its axis, got 4", topK(4)],
    ["(reflect)", pad("reflect", [2, 0, 0, 0])],
    ["(wrap)", pad("wrap", [3, 0, 0, 0])],
    ["index 0.5 does not exist", (emit, x) => emit.one("Gather", [x, emit.scalar(0.5)])],
    ["index 0.5 does not exist", (emit, x) => emit.one("GatherND", [x, emit.constant(floatTensor([0.5]))])],
    ["input 2 holds 2.5, required are whole", (emit, x) => emit.one("Reshape", [x, emit.constant(floatTensor([2.5]))])],
    ["(reflect)", pad("reflect", [-1, 0, 1, 0])],
    ["(edge)", pad("edge", [-2, 0, 1, 0])],
  ];
  it.each(wrong)("says: %s", (message, body) => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [2, 3]);
    expect(() => body(emit, x)).toThrow(RuleError);
    expect(() => body(emit, x)).toThrow(message);
  });
});
