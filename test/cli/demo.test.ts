import { expect, test } from "vitest";
import { Console } from "../../src/cli/console.js";
import { report } from "../../src/cli/demo.js";
import type { DemoResult } from "../../src/library/demo.js";
import { RecordingStream } from "../support/recording-stream.js";

const result: DemoResult = {
  model: "headstart-demo/fashion-cnn.onnx",
  folder: "headstart-demo",
  labels: 300,
  steps: [0, 5, 20, 50, 100, 200],
  seeds: 2,
  testSamples: 2000,
  arms: [
    {
      name: "random start (He)",
      accuracies: [
        [0.1, 0.2, 0.5, 0.6, 0.7, 0.72],
        [0.1, 0.3, 0.52, 0.62, 0.7, 0.74],
      ],
    },
    {
      name: "headstart",
      accuracies: [
        [0.1, 0.4, 0.6, 0.7, 0.74, 0.76],
        [0.1, 0.4, 0.64, 0.7, 0.76, 0.76],
      ],
    },
  ],
  pretrainingSeconds: 17.6,
};

function reported(of: DemoResult): string {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()];
  report(new Console({ stdout, stderr, json: false, variables: {} }), of);
  expect(stderr.text).toBe("");
  return stdout.text;
}

test("prints the accuracies with their spread as they came out, and what to try next", () => {
  const text = reported(result);
  expect(text).toMatch(/random start \(He\) +51\.0 ± 1\.4 +61\.0 ± 1\.4 +70\.0 ± 0\.0 +73\.0 ± 1\.4/);
  expect(text).toMatch(/headstart +62\.0 ± 2\.8 +70\.0 ± 0\.0 +75\.0 ± 1\.4 +76\.0 ± 0\.0/);
  expect(text).toContain("20 steps");
  expect(text).toContain("over 2 seeds");
  expect(text).toContain("headstart init model.onnx --data ./images");
  expect(text).not.toMatch(/NaN|undefined/);
});

test("prints a shorter demo with the columns that it has", () => {
  const text = reported({
    ...result,
    steps: [0, 5, 12],
    arms: result.arms.map(({ name, accuracies }) => ({ name, accuracies: accuracies.map((row) => row.slice(0, 3)) })),
  });
  expect(text).toContain("12 steps");
  expect(text).not.toContain("20 steps");
  expect(text).not.toMatch(/NaN|undefined/);
});
