import fc from "fast-check";
import { expect, test } from "vitest";
import { seriesOf, thinOut } from "../../src/web/thin-out.js";

test("keeps the ends, the extremes and every gap", () => {
  const value = fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: -1000, max: 1000 }) },
    { weight: 1, arbitrary: fc.constant(null) },
  );
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 400 }),
      fc.integer({ min: 2, max: 60 }),
      (values, points) => {
        const series = { steps: values.map((_, index) => index), values };
        const thin = thinOut(series, points);
        const numbers = (all: readonly (number | null)[]) => all.filter((one) => one !== null);
        expect(thin.steps[0]).toBe(0);
        expect(thin.steps.at(-1)).toBe(values.length - 1);
        expect(Math.max(...numbers(thin.values))).toBe(Math.max(...numbers(values)));
        expect(Math.min(...numbers(thin.values))).toBe(Math.min(...numbers(values)));
        expect(thin.values.length - numbers(thin.values).length).toBe(values.length - numbers(values).length);
        expect(numbers(thin.values).length).toBeLessThanOrEqual(
          Math.max(points, numbers(values).length > points ? points + 2 : values.length),
        );
        expect(thin.steps).toEqual([...new Set(thin.steps)].sort((a, b) => a - b));
      },
    ),
    { seed: 7, numRuns: 200 },
  );
});

test("what was not finite becomes a gap; text and flags are no metrics", () => {
  const rows = [
    { step: 1, loss: 2, note: "x" },
    { step: 2, loss: "NaN", diverged: true },
  ];
  expect(seriesOf(rows, 100)).toEqual({ loss: { steps: [1, 2], values: [2, null] } });
});
