import { expect, test } from "vitest";
import { memoryNote } from "../../src/library/run-notes.js";

test("warns of training steps that take more memory than is free", () => {
  const training = { peakBytes: 10 * 2 ** 30, batchSize: 128 };
  expect(memoryNote(training, "cpu", 12 * 2 ** 30)).toBe(
    "a training step of 128 samples takes about 13.0 GiB of memory or more, and 12.0 GiB are free, so it may be slow, or the system may end it: a smaller --batch-size takes less",
  );
  expect(memoryNote(training, "cpu", 13 * 2 ** 30)).toBeUndefined();
  // Its memory is another, and what it has no room for it says itself.
  expect(memoryNote(training, "cuda", 2 ** 30)).toBeUndefined();
});
