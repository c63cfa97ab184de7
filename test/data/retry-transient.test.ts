import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { refused, retryTransient } from "../../src/data/retry-transient.js";
import { UserError } from "../../src/errors.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const failed = (reason: string) => new UserError(`failed: ${reason}`);

/** What comes of work that throws these errors, one after another, and then succeeds; and how often it was done. */
async function outcome(errors: readonly Error[], signal?: AbortSignal): Promise<{ result: unknown; times: number }> {
  let times = 0;
  const work = async () => {
    const error = errors[times++];
    if (error) throw error;
    return "done";
  };
  const result = retryTransient(work, failed, signal).catch((error: Error) => error.message);
  await vi.runAllTimersAsync();
  return { result: await result, times };
}

const broken = () => new TypeError("fetch failed", { cause: new Error("connection reset") });
const answer = (status: number) => refused(new Response(null, { status }), new UserError(`status ${status}`));

test("asks again where the connection breaks off or the server is busy, up to four times", async () => {
  expect(await outcome([broken(), answer(503), answer(429)])).toEqual({ result: "done", times: 4 });
  expect(await outcome([broken(), broken(), broken(), answer(500)])).toEqual({ result: "status 500", times: 4 });
  expect(await outcome(Array.from({ length: 5 }, broken))).toEqual({ result: "failed: connection reset", times: 4 });
});

test("what will not change is told at once", async () => {
  expect(await outcome([answer(404)])).toEqual({ result: "status 404", times: 1 });
  expect(await outcome([broken(), answer(403)])).toEqual({ result: "status 403", times: 2 });
});

test("an aborted signal ends it", async () => {
  const { result, times } = await outcome([], AbortSignal.abort());
  expect({ result, times }).toEqual({ result: expect.stringMatching(/interrupted|stopped/i), times: 0 });
});
