import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { npyFile } from "./array-files.js";
import { readAll } from "./read-all.js";

describe("pictures of floats of which some cannot be used", () => {
  const usable = [0, 0.25, 0.5, 1];
  const of = (bad: number) => npyFile("<f4", [3, 1, 2, 2], Float32Array.of(...usable, 0.5, bad, 200, 0, ...usable));

  test.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN])(
    "have the range of the others, in memory and in files: %d",
    async (bad) => {
      const folder = temporaryFolder({ "x.npy": of(bad) });
      const options = { shape: [1, 2, 2], onBad: "skip", normalise: "unit", cache: folder } as const;
      for (const memory of [1e6, 16]) {
        const dataset = await openDataset(join(folder, "x.npy"), { ...options, memory });
        expect(dataset.count).toBe(2);
        expect(dataset.record.normalisation).toMatchObject({ low: [0], high: [1] });
        expect([...(await readAll(dataset))]).toEqual([...usable, ...usable]);
      }
    },
  );
});
