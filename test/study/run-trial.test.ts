import { expect, test } from "vitest";
import { divergence } from "../../src/study/run-trial.js";

/** A run of 100 steps: the first batch's loss, those of all others, and the test loss before and after. */
function run(first: number, others: number, before: number, after: number) {
  const losses = [first, ...new Array<number>(99).fill(others)];
  const at = (step: number, loss: number) => ({ step, loss, score: 0.5 });
  return { losses, evaluations: [at(0, before), at(50, 9), at(100, after)] };
}

test("a loss that rises on training and test data has diverged", () => {
  expect(divergence(run(2.3, 2.5, 2.3, 2.6), 100)).toBe("loss above its start");
  expect(divergence(run(2.3, 2.5, 2.3, Number.NaN), 100)).toBe("loss above its start");
});

test("a first batch with a small loss is no divergence, nor is a test loss that rises alone", () => {
  expect(divergence(run(0.7, 0.75, 0.76, 0.75), 100)).toBeNull();
  expect(divergence(run(2.3, 0.1, 2.3, 2.6), 100)).toBeNull();
  expect(divergence(run(2.3, 2.31, 2.3, 2.31), 100)).toBeNull();
});

test("without a measurement before training the training loss decides", () => {
  expect(divergence({ ...run(2.3, 2.5, 2.3, 2.2), evaluations: [] }, 100)).toBe("loss above its start");
});

test("a loss that is not finite counts within the steps that are compared", () => {
  const { losses, evaluations } = run(2.3, 0.1, 2.3, 0.2);
  expect(divergence({ losses, evaluations, divergedAt: 60 }, 100)).toBe("non-finite");
  expect(divergence({ losses, evaluations, divergedAt: 100 }, 100)).toBeNull();
});
