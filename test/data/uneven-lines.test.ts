import { expect, it } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { unevenLines, unevenPositionsNote } from "../../src/data/uneven-lines.js";
import { RandomStream } from "../../src/random/stream.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { npyFile } from "./array-files.js";

const [count, frames, coefficients] = [20, 12, 8];

/** Random coefficients by sample, frame and coefficient, the first of which is large, as that of an MFCC is. */
function cepstra(exchanged: boolean, first: (value: number) => number): Float32Array {
  const stream = new RandomStream(0, "cepstra");
  const values = new Float32Array(count * frames * coefficients);
  for (let sample = 0; sample < count; sample++)
    for (let frame = 0; frame < frames; frame++)
      for (let place = 0; place < coefficients; place++) {
        const within = exchanged ? place * frames + frame : frame * coefficients + place;
        const value = stream.normal();
        values[sample * frames * coefficients + within] = place === 0 ? first(value) : value;
      }
  return values;
}

const suggested = (values: Float32Array, shape: readonly number[], normalise = "standard") =>
  unevenLines(memoryDataset(values, shape, undefined, { normalise }));

it("finds coefficients of other means or deviations, whichever axis they lie along", async () => {
  const far = (value: number): number => 40 * value - 300;
  expect(await suggested(cepstra(false, far), [1, frames, coefficients])).toEqual({
    normalise: "standard-columns",
    because: expect.stringMatching(
      /^the columns of its samples lie or spread up to \d{3} times further than the middle/,
    ),
  });
  expect((await suggested(cepstra(true, far), [coefficients, frames, 1]))?.normalise).toBe("standard-rows");
  expect((await suggested(cepstra(true, far), [1, coefficients, frames]))?.normalise).toBe("standard-rows");
  expect(
    (
      await suggested(
        cepstra(false, (value) => 40 * value),
        [1, frames, coefficients],
      )
    )?.normalise,
  ).toBe("standard-columns");
});

it("says nothing where they are alike, of pictures, of several channels, and where something else was asked for", async () => {
  const far = cepstra(false, (value) => 40 * value - 300);
  expect(
    await suggested(
      cepstra(false, (value) => 2 * value),
      [1, frames, coefficients],
    ),
  ).toBeUndefined();
  const bytes = far.map((value) => Math.min(255, Math.max(0, value + 128)));
  expect(await suggested(bytes, [1, frames, coefficients])).toBeUndefined();
  expect(await suggested(far, [2, frames / 2, coefficients])).toBeUndefined();
  expect(await suggested(far, [frames, coefficients])).toBeUndefined();
  expect(await suggested(far, [1, frames, coefficients], "standard-columns")).toBeUndefined();
  expect(await suggested(far, [1, frames, coefficients], "unit")).toBeUndefined();
});

it("compares with the lines that vary, where most are padded", async () => {
  const height = 9;
  const stream = new RandomStream(1, "padded");
  const padded = (first: number): Float32Array =>
    Float32Array.from({ length: count * height * coefficients }, (_, place) => {
      const row = Math.floor(place / coefficients) % height;
      return row > 3 ? 0.37 : stream.normal() * (row === 0 ? first : 1);
    });
  expect(await suggested(padded(1), [1, height, coefficients])).toBeUndefined();
  expect((await suggested(padded(40), [1, height, coefficients]))?.because).toMatch(
    /^the rows of its samples lie or spread up to \d\d times further than the middle one/,
  );
  expect(await suggested(new Float32Array(count * 12).fill(3), [1, 3, 4])).toBeUndefined();
});

it("is noted of data that is opened without a word on it", async () => {
  const values = cepstra(false, (value) => 40 * value - 300);
  const path = `${temporaryFolder({ "mfcc.npy": npyFile("<f4", [count, frames, coefficients], values) })}/mfcc.npy`;
  const shape = [1, frames, coefficients];
  const { notes } = (await openDataset(path, { shape })).record as { notes: string[] };
  expect(notes).toEqual([
    expect.stringMatching(/^the columns .*: --normalise standard-columns gives each its own scale$/),
  ]);
  expect((await openDataset(path, { shape, normalise: "standard-columns" })).record.notes).toBeUndefined();
});

it("is told of signals by their positions, whatever scale their channels were given", async () => {
  const note = (
    values: Float32Array,
    shape: readonly number[],
    options: { normalise?: string; layout?: "NHWC" } = {},
  ) => unevenPositionsNote(memoryDataset(values, shape, undefined, { normalise: "standard", ...options }));
  const far = (value: number): number => 40 * value - 300;
  expect(await note(cepstra(false, far), [frames, coefficients])).toMatch(
    /^the columns of its samples .* \d{3} times further .* needs --normalise standard-columns/,
  );
  // A single channel is no spectrogram.
  expect(await note(cepstra(false, far), [1, frames * coefficients])).toBeUndefined();
  // Channels have scales of their own already, wherever they lie.
  expect(await note(cepstra(true, far), [coefficients, frames])).toBeUndefined();
  expect(await note(cepstra(false, far), [frames, coefficients], { layout: "NHWC" })).toBeUndefined();
  expect(await note(cepstra(false, far), [frames, coefficients], { normalise: "none" })).toBeUndefined();
  expect(
    await note(
      cepstra(false, (value) => 2 * value),
      [frames, coefficients],
    ),
  ).toBeUndefined();
});
