import { expect, test } from "vitest";
import { counted, plural } from "../src/counted.js";

test("one thing is in the singular, none and several are not", () => {
  expect([0, 1, 2].map((count) => counted(count, "seed"))).toEqual(["0 seeds", "1 seed", "2 seeds"]);
  expect([1, 3].map((count) => counted(count, "class", "classes"))).toEqual(["1 class", "3 classes"]);
  expect(`${(1000).toLocaleString("en")} ${plural(1000, "sample")}`).toBe("1,000 samples");
});
