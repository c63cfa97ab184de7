import { expect, test } from "vitest";
import { signalOfFlag } from "../../src/library/study-signal.js";

test("is aborted as soon as the flag is raised, without any event in between", () => {
  const flag = new SharedArrayBuffer(4);
  const signal = signalOfFlag(flag);
  const heard: string[] = [];
  signal.addEventListener("abort", () => heard.push("abort"));
  expect(signal.aborted).toBe(false);
  signal.throwIfAborted();
  Atomics.store(new Int32Array(flag), 0, 1);
  expect(signal.aborted).toBe(true);
  expect(signal.aborted).toBe(true);
  expect(heard).toEqual(["abort"]);
  expect(() => signal.throwIfAborted()).toThrow(/aborted/);
});
