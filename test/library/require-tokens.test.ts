import { expect, it } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { InterruptedError } from "../../src/errors.js";
import { requireTokens } from "../../src/library/require-tokens.js";

const of = (values: readonly number[]) => memoryDataset(Float32Array.from(values), [2]);

it("lets tokens pass, and whatever a network of numbers takes", async () => {
  await requireTokens(of([0, 1, 2, 9]), 10);
  await requireTokens(of([0.5, -1, 2, 9]), undefined);
});

it.each([
  [[0, 1, 2, 10], /memory: sample 1: required tokens, whole numbers from 0 to 9, .*, got 10\. Make the tokens as/],
  [[0, 1, -1, 3], /sample 1: .*, got -1\. Make the tokens/],
  [[0, 0.5, 1, 3], /sample 0: .*, got 0\.5\. Give the tokens as they are, without --normalise/],
])("refuses %j", async (values, message) => {
  await expect(requireTokens(of(values), 10)).rejects.toThrow(message);
});

it("names the sample, of many", async () => {
  const values = new Float32Array(2 * 3000);
  values[2 * 2500 + 1] = 7;
  await expect(requireTokens(memoryDataset(values, [2]), 7)).rejects.toThrow(/sample 2500: /);
  await expect(requireTokens(memoryDataset(values, [2]), 7, AbortSignal.abort())).rejects.toThrow(InterruptedError);
});
