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

test("a cell that stands twice is one", () => {
  expect(parseGrid("depth=2,2 activation=relu,relu widths=8,8")).toEqual({
    depths: [2],
    activations: ["relu"],
    widths: [8, 8],
  });
});

test("refuses what would be left out", () => {
  expect(() => parseGrid("depth=1 depth=2")).toThrow(/^grid: depth: required the key once, got it twice\./);
  expect(() => parseGrid("normalization=batch,layer")).toThrow(
    /^grid: normalization: required one, .*got "batch,layer"/,
  );
});

test("refuses what it does not know", () => {
  expect(() => parseGrid("dept=2")).toThrow(/Did you mean depth/);
  expect(() => parseGrid("depth=")).toThrow(/Give it values/);
  expect(() => parseGrid("depth=x")).toThrow(/grid: depth: required whole numbers/);
  expect(() => parseGrid("activation=sigmoidd")).toThrow(/Did you mean sigmoid/);
});
