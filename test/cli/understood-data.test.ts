import { expect, test } from "vitest";
import { understoodData } from "../../src/cli/understood-data.js";

const channels = { mean: [109.386, 1], std: [74.2139, 2], min: [0, -0.25], max: [255, 3] };

test.each([
  [
    { source: "folder of pictures", resized: true, converted: true, measured: channels, classNames: ["cat", "dog"] },
    "data: folder of pictures, resized and cut where they have another size, converted between grey and colour where " +
      "they differ; values from -0.25 to 255, mean 109/1, deviation 74.2/2; 2 classes: cat, dog",
  ],
  [
    {
      source: "npy",
      measured: { mean: [0, 0, 0, 0, 0], std: [1, 1, 1, 1, 1], min: [0, 0, 0, 0, 0], max: [1, 1, 1, 1, 9] },
    },
    "data: npy; values from 0 to 9",
  ],
  [
    {
      source: "table",
      table: { columns: [{ name: "age" }, { name: "kind", categories: ["a"] }], labelColumn: { name: "income" } },
      classNames: Array.from({ length: 30 }, (_, place) => `c${place}`),
    },
    "data: table; columns age, kind (1 category); labels in income, which F does not see; " +
      "30 classes: c0, c1, c2, c3, c4, ... (30)",
  ],
  [{ source: "stream" }, "data: stream"],
])("%j", (record, text) => {
  expect(understoodData(record)).toBe(text);
});
