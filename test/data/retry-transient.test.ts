import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { type Attempt, refused, retryTransient } from "../../src/data/retry-transient.js";
import { InterruptedError, UserError } from "../../src/errors.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const failed = (reason: string, advice = "") => new UserError(`failed: ${reason}. ${advice}`);

/** What comes of work that throws these errors, one after another, and then succeeds; and how often it was done. */
async function outcome(errors: readonly Error[], signal?: AbortSignal): Promise<{ result: unknown; times: number }> {
  let times = 0;
  const work = async () => {
    const error = errors[times++];
    if (error) throw error;
    return "done";
  };
  const result = retryTransient(work, failed, { signal }).catch((error: Error) => error.message);
  await vi.runAllTimersAsync();
  return { result: await result, times };
}

const broken = () => new TypeError("fetch failed", { cause: new Error("connection reset") });
const answer = (status: number) => refused(new Response(null, { status }), new UserError(`status ${status}`));

test("asks again where the connection breaks off or the server is busy, up to four times", async () => {
  expect(await outcome([broken(), answer(503), answer(429)])).toEqual({ result: "done", times: 4 });
  expect(await outcome([broken(), broken(), broken(), answer(500)])).toEqual({ result: "status 500", times: 4 });
  expect(await outcome(Array.from({ length: 5 }, broken))).toEqual({ result: "failed: connection reset. ", times: 4 });
});

test("a proxy that Node does not ask is told of", async () => {
  const proxies = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NODE_USE_ENV_PROXY"];
  const result = async (name: string): Promise<unknown> => {
    for (const each of proxies) vi.stubEnv(each, each === name ? "http://proxy:3128" : "");
    return (await outcome(Array.from({ length: 4 }, broken))).result;
  };
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await result("")).toBe("failed: connection reset. ");
  for (const name of ["HTTPS_PROXY", "http_proxy"]) expect(await result(name)).toMatch(/set NODE_USE_ENV_PROXY=1/);
  vi.stubEnv("NODE_USE_ENV_PROXY", "1");
  expect((await outcome(Array.from({ length: 4 }, broken))).result).toBe("failed: connection reset. ");
});

test("what will not change is told at once", async () => {
  expect(await outcome([answer(404)])).toEqual({ result: "status 404", times: 1 });
  expect(await outcome([broken(), answer(403)])).toEqual({ result: "status 403", times: 2 });
});

test("an aborted signal ends it", async () => {
  const { result, times } = await outcome([], AbortSignal.abort());
  expect({ result, times }).toEqual({ result: expect.stringMatching(/interrupted|stopped/i), times: 0 });
});

/** Work that is never done, but ends where its attempt is given up, and is heard of a minute less a bit after it began. */
const silence = ({ signal, heard }: Attempt) =>
  new Promise<never>((_, reject) => {
    setTimeout(heard, 59_000);
    signal.addEventListener("abort", () => reject(new DOMException("This operation was aborted", "AbortError")));
  });

test("asks again where nothing is heard for a minute, and tells of that in the end", async () => {
  const began: number[] = [];
  const start = Date.now();
  const work = vi.fn((attempt: Attempt) => {
    began.push(Date.now() - start);
    return silence(attempt);
  });
  const result = retryTransient(work, failed, {}).catch((error: Error) => error.message);
  await vi.runAllTimersAsync();
  expect(await result).toBe("failed: nothing for 60 s, 4 times. Check the connection, or try again later");
  // Each attempt is heard of once after 59 s.
  expect(began).toEqual([0, 119_100, 238_500, 359_100]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a signal ends a silent attempt at once, and nothing waits on behind work that is done", async () => {
  const controller = new AbortController();
  const result = retryTransient(silence, failed, { signal: controller.signal, idleTimeout: 1e9 });
  controller.abort();
  await expect(result).rejects.toThrow(InterruptedError);
  await vi.runAllTimersAsync();
  expect(await retryTransient(async () => "done", failed, {})).toBe("done");
  expect(vi.getTimerCount()).toBe(0);
});
