import { expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.js";
import { Topics, topicsSize } from "../../src/training/topics.js";
import { textDataset, toyTexts } from "../support/toy-data.js";

const vocabulary = 16;

test("texts of one class are described alike, and otherwise than those of the other", async () => {
  const topics = await Topics.open(textDataset(400), vocabulary, 0);
  const { tokens, labels } = toyTexts(60, 1);
  const described = topics.describe(tokens, 60);
  expect(described.length).toBe(60 * topicsSize);
  expect(described.every(Number.isFinite)).toBe(true);
  const [first, second] = [0, 1].map((label) =>
    Array.from({ length: topicsSize }, (_, topic) => {
      const rows = [...labels.keys()].filter((row) => labels[row] === label);
      return rows.reduce((sum, row) => sum + described[row * topicsSize + topic], 0) / rows.length;
    }),
  );
  // The nearer mean tells each text's class, in both kinds of numbers.
  for (const [from, to] of [
    [0, topicsSize / 2],
    [topicsSize / 2, topicsSize],
  ]) {
    const distance = (row: number, mean: readonly number[]): number => {
      const own = described.subarray(row * topicsSize + from, row * topicsSize + to);
      return own.reduce((sum, value, at) => sum + (value - mean[from + at]) ** 2, 0);
    };
    const right = [...labels].filter((label, row) => +(distance(row, second) < distance(row, first)) === label).length;
    expect(right).toBeGreaterThanOrEqual(57);
  }
});

test("tokens that more than half of the texts have say nothing", async () => {
  const topics = await Topics.open(textDataset(400), vocabulary, 0);
  expect(topics.describe(new Float32Array(8), 1)).toEqual(new Float32Array(topicsSize));
  const [one, padded] = [Float32Array.of(3, 3, 4, 15, 3, 4, 3, 9), Float32Array.of(3, 3, 4, 15, 3, 4, 3, 0)];
  expect(topics.describe(one, 1)).not.toEqual(topics.describe(padded, 1));
});

test("stop where the signal aborts", async () => {
  const opening = Topics.open(textDataset(400), vocabulary, 0, { signal: AbortSignal.abort() });
  await expect(opening).rejects.toThrow(InterruptedError);
});
