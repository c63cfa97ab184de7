import { expect, test } from "vitest";
import { logTicks, marginOf, shortened } from "../../src/study/plot-svg.js";

test.each([
  ["a few powers of ten", [0.004, 2.6], [0.01, 0.1, 1]],
  ["a decade", [0.02, 0.3], [0.02, 0.05, 0.1, 0.2]],
  ["close values", [0.998, 1.33], [1, 1.1, 1.2, 1.3]],
  ["closer ones", [1.301, 1.339], [1.31, 1.32, 1.33]],
  ["sixty powers", [1e-25, 1e35], [1e-25, 1e-18, 1e-11, 1e-4, 1e3, 1e10, 1e17, 1e24, 1e31]],
  ["one value", [0.5, 0.5], [0.5]],
])("ticks of a logarithmic axis over %s", (_, values, ticks) => {
  expect(logTicks(values)).toEqual(ticks);
});

test("long names keep their beginning and end, and margins have room for them", () => {
  expect(shortened("default+self-training")).toBe("default+self-training");
  const long = `weights:/${"a".repeat(60)}/best.safetensors+calibrated`;
  expect(shortened(long)).toMatch(/^weights:\/a+….*safetensors\+calibrated$/);
  expect(shortened(long)).toHaveLength(44);
  expect(marginOf(["he", "lecun"])).toBe(130);
  expect(marginOf(["he", "x".repeat(40)])).toBeGreaterThan(40 * 6.6);
  expect(marginOf([long])).toBe(marginOf([shortened(long)]));
});
