import { expect, test } from "vitest";
import { readFitted } from "../../src/data/fitted-record.js";

const normalisation = { name: "standard", scale: [0.5, 1], offset: [1, 2], low: [0, 0], high: [255, 255] };

test("takes a normalisation of a number a channel, and no other", () => {
  expect(readFitted({ normalisation })).toEqual({ normalisation });
  for (const change of [{ offset: [] }, { offset: [1] }, { low: [0] }, { high: [1, 2, 3] }, { scale: [0.5] }])
    expect(() => readFitted({ normalisation: { ...normalisation, ...change } })).toThrow(
      /required a record that headstart wrote, got scale, offset, low and high must have a number a channel at normalisation\./,
    );
  expect(() => readFitted({ normalisation: { name: "none", scale: [], offset: [], low: [], high: [] } })).toThrow(
    /at normalisation\.scale\./,
  );
});
