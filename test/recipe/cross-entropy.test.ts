import { describe, expect, it } from "vitest";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { crossEntropy, mapCrossEntropy } from "../../src/recipe/cross-entropy.js";
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

describe("of maps", () => {
  // Two samples, two classes, three positions; the second sample's last position has no class.
  const numbers = [1, -1, 0.5, 0, 2, -0.5, 3, 0, 1, 1, 1, 4];
  const classes = [0, 1, 1, 1, 0, -1];

  it("is the mean over the positions that have a class", async () => {
    const logits = floatTensor(numbers, [2, 2, 3]);
    const results = await runGraph({ logits, targets: floatTensor(classes, [2, 3]) }, (emit, v) =>
      mapCrossEntropy(emit, v.logits, v.targets),
    );
    let [loss, right] = [0, 0];
    for (const [place, label] of classes.entries()) {
      if (label < 0) continue;
      const [sample, position] = [Math.floor(place / 3), place % 3];
      const scores = [0, 1].map((number) => numbers[sample * 6 + number * 3 + position]);
      loss += Math.log(Math.exp(scores[0]) + Math.exp(scores[1])) - scores[label];
      right += scores[label] > scores[1 - label] ? 1 : 0;
    }
    expect(numbersOf(results.loss)[0]).toBeCloseTo(loss / 5, 6);
    expect(numbersOf(results.accuracy)[0]).toBeCloseTo(right / 5, 6);
  });

  it("is nothing where no position has a class", async () => {
    const logits = floatTensor(numbers, [2, 2, 3]);
    const results = await runGraph({ logits, targets: floatTensor(new Array(6).fill(-1), [2, 3]) }, (emit, v) =>
      mapCrossEntropy(emit, v.logits, v.targets),
    );
    expect([numbersOf(results.loss)[0], numbersOf(results.accuracy)[0]].map(Math.abs)).toEqual([0, 0]);
  });

  it("has the gradients that differences give", async () => {
    await checkGradients({ logits: normalTensor("logits", [2, 2, 3]) }, (emit, v) => {
      return mapCrossEntropy(emit, v.logits, emit.constant(floatTensor(classes, [2, 3]))).loss;
    });
  });
});
