import { expect, test } from "vitest";
import { legendPlaces } from "../../../src/web/page/legend-places.js";

test("a legend that is wider than its chart goes on in the next row", () => {
  const names = ["pytorch-default", "lecun", "xavier", "he", "orthogonal", "he+calibrated", "principal-components"];
  const places = legendPlaces(names, 500);
  expect(places[0]).toEqual({ x: 12, row: 0 });
  expect(new Set(places.map(({ row }) => row))).toEqual(new Set([0, 1]));
  places.forEach(({ x, row }, index) => {
    expect(x + 16 + 7 * names[index].length, names[index]).toBeLessThanOrEqual(500);
    const next = places[index + 1];
    if (next?.row === row) expect(next.x).toBeGreaterThanOrEqual(x + 16 + 7 * names[index].length);
  });
  // One that is too wide for any row stands in one alone.
  expect(legendPlaces(["x".repeat(100), "he"], 500)).toEqual([
    { x: 12, row: 0 },
    { x: 12, row: 1 },
  ]);
});
