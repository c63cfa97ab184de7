import { describe, expect, it, test } from "vitest";
import { attribute } from "../../src/graph/graph.js";
import { type FloatTensor, intTensor, type Tensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { checkGradients } from "../support/check-gradients.js";
import { expectFoldAsRun, expectShapesAsRun, type OperatorCase, titleOf } from "../support/check-operator.js";
import { normalTensor } from "../support/run-graph.js";

const { int, string } = attribute;
const data = normalTensor("data", [2, 3, 4]);

const gathers: OperatorCase[] = [
  { op: "GatherND", variant: "elements", inputs: [data, intTensor([0, 1, -1, 1, -3, 0], [2, 3])] },
  { op: "GatherND", variant: "slices, some twice", inputs: [data, intTensor([1, 0, 1, 1], [2, 2, 1])] },
  { op: "GatherND", variant: "rows, some twice", inputs: [data, intTensor([1, 2, 1, 2, 0, 0], [1, 3, 2])] },
  {
    op: "GatherND",
    variant: "with a batch axis",
    inputs: [data, intTensor([2, 2, 0, -1], [2, 2, 1])],
    attributes: { batch_dims: int(1) },
  },
  {
    op: "GatherND",
    variant: "with two batch axes",
    inputs: [data, intTensor([0, 1, 2, 3, -1, 0], [2, 3, 1])],
    attributes: { batch_dims: int(2) },
  },
];

const scatters: OperatorCase[] = [
  {
    op: "ScatterND",
    variant: "rows",
    inputs: [data, intTensor([0, 1, 1, -1], [2, 2]), normalTensor("updates", [2, 4])],
  },
  {
    op: "ScatterND",
    variant: "elements",
    inputs: [data, intTensor([0, 1, 2, 1, 2, 3], [2, 3]), normalTensor("updates", [2])],
  },
  {
    op: "ScatterND",
    variant: "added, some twice",
    inputs: [data, intTensor([1, 0, 1], [3, 1]), normalTensor("updates", [3, 3, 4])],
    attributes: { reduction: string("add") },
  },
];

const titled = (cases: readonly OperatorCase[]) => cases.map((each) => [titleOf(each), each] as const);

describe.each(["known", "computed"])("with %s indices", (kind) => {
  const constants = kind === "known" ? [1] : [];
  test.each(titled([...gathers, ...scatters]))("%s has ONNX Runtime's shape", async (_, each) => {
    await expectShapesAsRun({ ...each, constants });
  });
  test.each(titled([...gathers, ...scatters]))("%s has first and second order gradients", async (_, each) => {
    const [x, indices, updates] = each.inputs as readonly [FloatTensor, Tensor, FloatTensor?];
    const fed = { x, ...(updates && { updates }), ...(kind === "computed" && { indices }) };
    await checkGradients(fed, (emit, values) => {
      const given = [values.x, values.updates].map((value) => value && emit.multiply(value, value));
      const inputs = [given[0], values.indices ?? emit.constant(indices), ...(updates ? [given[1]] : [])];
      const result = emit.one(each.op, inputs, each.attributes);
      // A square, so that the second order has something to find.
      return emit.multiply(result, result);
    });
  });
});

test.each(titled(gathers))("%s folds", async (_, each) => {
  await expectFoldAsRun(each);
});

describe("what does not fit", () => {
  it.each([
    ["GatherND", [2, 3], [2], 0, "index 2 does not exist in a dimension of 2"],
    ["GatherND", [2, 3], [0, 0, 0], 0, "indices [3] do not fit data [2, 3] with 0 batch axes"],
    ["GatherND", [2, 3], [0], 1, "indices [1] do not fit data [2, 3] with 1 batch axes"],
  ] as const)("%s of %j at %j: refused", (op, shape, indices, batch, message) => {
    const emit = new Emitter();
    const inputs = [emit.input("x", "float32", [...shape]), emit.ints(indices)];
    expect(() => emit.one(op, inputs, { batch_dims: int(batch) })).toThrow(message);
  });

  it("names the updates that ScatterND needs", () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [2, 3]);
    expect(() => emit.one("ScatterND", [x, emit.ints([1]), emit.input("u", "float32", [2])])).toThrow(
      "ScatterND: updates float32 [2] are not float32 [3]",
    );
  });

  it("refuses a gradient of ScatterND with another reduction", async () => {
    const check = checkGradients({ x: normalTensor("x", [2]) }, (emit, { x }) =>
      emit.one("ScatterND", [x, emit.constant(intTensor([0], [1, 1])), emit.filled(2, [1])], {
        reduction: string("max"),
      }),
    );
    await expect(check).rejects.toThrow("ScatterND with reduction max has no gradient rule");
  });
});
