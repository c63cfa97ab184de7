import { expect, test } from "vitest";
import { parseGrid } from "../../src/study/grid.js";

test("reads cells", () => {
  expect(parseGrid("depth=2,4 activation=sigmoid,relu widths=64")).toEqual({
    depths: [2, 4],
    activations: ["sigmoid", "relu"],
    widths: [64],
  });
  expect(parseGrid("activation=tanh")).toEqual({ depths: [2], activations: ["tanh"] });
});

test("refuses what it does not know", () => {
  expect(() => parseGrid("dept=2")).toThrow(/Did you mean depth/);
  expect(() => parseGrid("depth=")).toThrow(/Give it values/);
  expect(() => parseGrid("depth=x")).toThrow(/grid: depth: required whole numbers/);
  expect(() => parseGrid("activation=sigmoidd")).toThrow(/Did you mean sigmoid/);
});
