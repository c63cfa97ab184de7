import { expect, it } from "vitest";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { crossEntropy } from "../../src/recipe/cross-entropy.js";
import { checkGradients } from "../support/check-gradients.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

const targets = floatTensor([1, 0, 0, 0, 0, 1, 0, 1, 0], [3, 3]);

async function measure(logits: readonly number[]) {
  const results = await runGraph({ logits: floatTensor(logits, [3, 3]), targets }, (emit, v) => ({
    ...crossEntropy(emit, v.logits, v.targets),
  }));
  return { loss: numbersOf(results.loss)[0], accuracy: numbersOf(results.accuracy)[0] };
}

it("is the mean of −log softmax at the targets", async () => {
  const logits = [1, 2, 3, -1, 0, 1, 0.5, 2, -2];
  const expected = [0, 2, 1].map((target, row) => {
    const line = logits.slice(3 * row, 3 * row + 3);
    return Math.log(line.reduce((sum, z) => sum + Math.exp(z), 0)) - line[target];
  });
  const { loss, accuracy } = await measure(logits);
  expect(loss).toBeCloseTo(expected.reduce((a, b) => a + b) / 3, 6);
  expect(accuracy).toBeCloseTo(2 / 3, 6);
});

it("does not overflow", async () => {
  expect(await measure([1e4, 0, 0, 0, 0, 1e4, 0, 1e4, 0])).toEqual({ loss: expect.closeTo(0, 6), accuracy: 1 });
  expect((await measure([0, 1e4, 0, 1e4, 0, 0, 1e4, 0, 0])).loss).toBeCloseTo(1e4, 0);
});

it("has the gradients that differences give", async () => {
  await checkGradients({ logits: normalTensor("logits", [3, 3]) }, (emit, v) => {
    return crossEntropy(emit, v.logits, emit.constant(targets)).loss;
  });
});
