import { expect, test } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { InterruptedError } from "../../src/errors.js";
import { duplicatesOf } from "../../src/study/duplicates.js";
import { curvedVectors } from "../support/toy-data.js";

test("finds exactly the samples that both data sets have", async () => {
  const train = curvedVectors(600, 5, 0);
  const test = curvedVectors(300, 5, 1);
  const fitted = memoryDataset(train, [5], undefined, { normalise: "standard" });
  const of = (samples: Float32Array) => memoryDataset(samples, [5], undefined, { fitted: fitted.record });
  expect(await duplicatesOf(fitted, of(test))).toEqual([]);
  train.copyWithin(5 * 10, 5 * 500, 5 * 501);
  const leaky = test.slice();
  leaky.set(train.subarray(5 * 500, 5 * 501), 5 * 299);
  expect(await duplicatesOf(of(train), of(leaky))).toEqual([10, 500]);
});

test("stops between two parts of the samples", async () => {
  const whole = memoryDataset(curvedVectors(1000, 5, 0), [5], undefined, { normalise: "none" });
  const interruption = new AbortController();
  let reads = 0;
  const told = {
    ...whole,
    read: async (...asked: Parameters<typeof whole.read>) => {
      reads++;
      // As a signal from the keyboard: told when other things have their turn.
      setImmediate(() => interruption.abort());
      await whole.read(...asked);
    },
  };
  await expect(duplicatesOf(told, whole, interruption.signal)).rejects.toThrow(InterruptedError);
  expect(reads).toBe(1);
});
