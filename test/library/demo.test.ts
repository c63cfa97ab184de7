import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { InterruptedError } from "../../src/errors.js";
import { type DemoEvent, demo } from "../../src/library/demo.js";
import { folderWith } from "../support/toy-data.js";

const short = { seeds: 2, steps: 8, trainingSteps: 12, threads: 2 };

it("pretrains, compares and writes what it found", async () => {
  const path = folderWith({});
  const events: DemoEvent[] = [];
  const result = await demo({ ...short, output: path("demo"), onEvent: (event) => events.push(event) });
  expect(result).toMatchObject({ labels: 300, steps: [0, 5, 10, 12], seeds: 2, testSamples: 2000 });
  expect(result.arms.map(({ name }) => name)).toEqual([
    "random start (He)",
    "random start (PyTorch's)",
    "random start, calibrated",
    "headstart",
  ]);
  for (const { accuracies } of result.arms) {
    expect(accuracies.length).toBe(2);
    for (const row of accuracies) {
      expect(row.length).toBe(4);
      expect(row.every((accuracy) => accuracy >= 0 && accuracy <= 1)).toBe(true);
      // Ten classes: a dozen steps are enough to beat chance.
      expect(row[3]).toBeGreaterThan(0.2);
    }
    expect(accuracies[0]).not.toEqual(accuracies[1]);
  }
  expect(JSON.parse(readFileSync(path("demo/demo.json"), "utf8"))).toEqual(result);
  expect(existsSync(path("demo/run/weights.safetensors"))).toBe(true);
  expect(readdirSync(path("demo/run/filters")).length).toBeGreaterThan(0);
  expect(events.filter(({ type }) => type === "trial").length).toBe(8);
  expect(events.filter(({ type }) => type === "pretrained").length).toBe(1);
});

/** A demo that is interrupted at the first event of which that is asked. */
function interruptedDemo(output: string, when: (event: DemoEvent) => boolean): Promise<unknown> {
  const interruption = new AbortController();
  return demo({
    ...short,
    output,
    signal: interruption.signal,
    onEvent: (event) => when(event) && interruption.abort(),
  });
}

it("stops where it is told to", async () => {
  const path = folderWith({});
  const stopped = interruptedDemo(path("demo"), ({ type }) => type === "step");
  await expect(stopped).rejects.toThrow(InterruptedError);
  expect(existsSync(path("demo/demo.json"))).toBe(false);
});

it("stops while it calibrates a start, not behind that", async () => {
  // The next start is the calibrated one.
  const stopped = interruptedDemo(folderWith({})("demo"), (event) => event.type === "trial" && event.done === 2);
  await expect(stopped).rejects.toThrow(/^stopped while measuring$/);
});

it("says where it could not write", async () => {
  const path = folderWith({ file: "" });
  await expect(demo({ ...short, output: path("file") })).rejects.toThrow(
    /file: required a folder for the demo, got something there already\./,
  );
});

it.each([
  [{ seeds: 0 }, /^seeds: required a whole number of at least 1, got 0\./],
  [{ trainingSteps: 1.5 }, /^trainingSteps: required a whole number of at least 1, got 1\.5\./],
])("refuses %j before anything is written", async (settings, message) => {
  const path = folderWith({});
  await expect(demo({ ...short, ...settings, output: path("demo") })).rejects.toThrow(message);
  expect(existsSync(path("demo"))).toBe(false);
});
