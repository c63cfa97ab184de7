import { expect, test } from "vitest";
import { logTicks } from "../../src/study/charts.js";

test.each([
  ["a few powers of ten", [0.004, 2.6], [0.01, 0.1, 1]],
  ["a decade", [0.02, 0.3], [0.02, 0.05, 0.1, 0.2]],
  ["close values", [0.998, 1.33], [1, 1.1, 1.2, 1.3]],
  ["closer ones", [1.301, 1.339], [1.31, 1.32, 1.33]],
  ["one value", [0.5, 0.5], [0.5]],
])("ticks of a logarithmic axis over %s", (_, values, ticks) => {
  expect(logTicks(values)).toEqual(ticks);
});
