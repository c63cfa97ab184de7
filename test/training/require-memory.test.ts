import { expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import { requireMemory } from "../../src/training/require-memory.js";
import { Trainer } from "../../src/training/trainer.js";
import { squaresGraph, squaresStart } from "../support/squares-graph.js";

it("refuses a step that does not fit, before it is opened", async () => {
  const training = { ...squaresGraph(), batchSize: 64, peakBytes: 3 * 2 ** 40 };
  expect(() => requireMemory(training, "cpu", 16 * 2 ** 30)).toThrow(
    new UserError(
      "a training step of 64 samples: required values that fit into 16 GiB of memory, got about 3072 GiB of them. " +
        "Take a smaller batch (--batch-size) or a smaller network.",
    ),
  );
  await expect(Trainer.open({ ...training, peakBytes: 2 ** 60 }, squaresStart)).rejects.toThrow(UserError);
});

it("takes what fits, and leaves other devices to themselves", () => {
  requireMemory(squaresGraph());
  requireMemory({ ...squaresGraph(), peakBytes: 2 ** 60 }, "webgpu");
});
