import { describe, expect, test } from "vitest";
import {
  interquartileMean,
  mean,
  median,
  quantile,
  standardDeviation,
} from "../../../src/study/statistics/sample-statistics.js";
import { reference } from "../../support/statistics-reference.js";

describe("sample statistics", () => {
  test.each(reference.samples)("equal NumPy's and SciPy's for $values.length values", (sample) => {
    expect(mean(sample.values)).toBeCloseTo(sample.mean, 12);
    expect(standardDeviation(sample.values)).toBeCloseTo(sample.standardDeviation, 12);
    expect(median(sample.values)).toBeCloseTo(sample.median, 12);
    expect(interquartileMean(sample.values)).toBeCloseTo(sample.interquartileMean, 12);
    for (const [probability, value] of Object.entries(sample.quantiles)) {
      expect(quantile(sample.values, Number(probability))).toBeCloseTo(value, 12);
    }
  });

  test("leave their input as it was", () => {
    const values = [3, 1, 2];
    interquartileMean(values);
    quantile(values, 0.5);
    expect(values).toEqual([3, 1, 2]);
  });

  test.each([mean, median, interquartileMean])("refuse an empty sample and values that are not finite", (statistic) => {
    expect(() => statistic([])).toThrow(RangeError);
    expect(() => statistic([1, Number.NaN])).toThrow(/position 1/);
    expect(() => statistic([Infinity])).toThrow(RangeError);
  });

  test("refuse a spread of one value and a probability outside 0 to 1", () => {
    expect(() => standardDeviation([1])).toThrow(/2 or more/);
    expect(() => quantile([1], 1.1)).toThrow(RangeError);
  });
});
