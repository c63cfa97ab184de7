import { expect, it } from "vitest";
import { Emitter } from "../../src/ops/emitter.js";
import { joined, parted, smallTogether } from "../../src/recipe/joined-parameters.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

it("joins the small parameters of an owner and leaves the others alone", () => {
  const emit = new Emitter();
  const member = (name: string, owner: string, size: number) => ({ value: emit.input(name, "float32", [size]), owner });
  const members = [
    member("a", "features", 4),
    member("big", "features", 10000),
    member("b", "mirror", 4),
    member("c", "features", 8),
  ];
  expect(smallTogether(members).map((group) => group.map(({ value }) => value.name))).toEqual([
    ["a", "c"],
    ["big"],
    ["b"],
  ]);
});

it("joins all parameters of an owner where none is too large", () => {
  const emit = new Emitter();
  const member = (name: string, owner: string, size: number) => ({ value: emit.input(name, "float32", [size]), owner });
  const members = [member("a", "features", 4), member("b", "mirror", 10000), member("c", "features", 10000)];
  expect(smallTogether(members, Number.POSITIVE_INFINITY).map((group) => group.map(({ value }) => value.name))).toEqual(
    [["a", "c"], ["b"]],
  );
});

it("parts what it joined", async () => {
  const inputs = { a: normalTensor("a", [2, 3]), b: normalTensor("b", [4]), c: normalTensor("c", []) };
  const results = await runGraph(inputs, (emit, { a, b, c }) => {
    const [x, y, z] = parted(emit, joined(emit, [a, b, c]), [a.shape, b.shape, c.shape]);
    return { x, y, z };
  });
  expect([results.x, results.y, results.z].map(({ shape, data }) => [[...shape], data])).toEqual(
    [inputs.a, inputs.b, inputs.c].map(({ shape, data }) => [[...shape], data]),
  );
});
