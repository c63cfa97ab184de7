import { expect, test } from "vitest";
import { dateText } from "../../src/data/date-text.js";

test("dates are written as pandas does, times only where it is not midnight", () => {
  const texts = ["2024-01-31", "1969-12-31T23:59:59Z", "2024-01-31T17:05:00.250Z"].map((text) =>
    dateText(new Date(text)),
  );
  expect(texts).toEqual(["2024-01-31", "1969-12-31 23:59:59", "2024-01-31 17:05:00.250"]);
});

test("what is beyond all dates is a missing value", () => {
  expect(dateText(new Date(1e16))).toBeNull();
});
