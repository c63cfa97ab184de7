import { expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.js";
import { letOthersRun } from "../../src/training/let-others-run.js";

test("what waits runs, and a signal that it gives is heard", async () => {
  const controller = new AbortController();
  await letOthersRun(undefined, "measuring");
  await letOthersRun(controller.signal, "measuring");
  setImmediate(() => controller.abort());
  const interrupted = letOthersRun(controller.signal, "measuring");
  await expect(interrupted).rejects.toThrow(InterruptedError);
  await expect(interrupted).rejects.toThrow("stopped while measuring");
});
