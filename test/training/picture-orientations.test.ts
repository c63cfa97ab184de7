import { expect, it } from "vitest";
import { orientationsSize, pictureOrientations } from "../../src/training/picture-orientations.js";

const grey = { channels: 1, height: 8, width: 8, layout: "NCHW" } as const;

/** A picture of 8×8 by its brightness at each place. */
function picture(brightness: (row: number, column: number) => number): Float32Array {
  return Float32Array.from({ length: 64 }, (_, at) => brightness(Math.floor(at / 8), at % 8));
}

/** How strong each direction is, over all cells. */
function directionsOf(description: Float32Array): number[] {
  return Array.from({ length: 8 }, (_, direction) =>
    description.reduce((sum, value, at) => (at % 8 === direction ? sum + value : sum), 0),
  );
}

const strongest = (values: number[]): number => values.indexOf(Math.max(...values));

it("tells edges by their direction, whichever side is brighter", () => {
  const across = (sign: number) =>
    pictureOrientations(
      picture((_, column) => sign * column),
      1,
      grey,
    );
  expect(strongest(directionsOf(across(1)))).toBe(0);
  expect(across(-1)).toEqual(across(1));
  expect(
    strongest(
      directionsOf(
        pictureOrientations(
          picture((row) => row),
          1,
          grey,
        ),
      ),
    ),
  ).toBe(4);
  expect(
    strongest(
      directionsOf(
        pictureOrientations(
          picture((row, column) => row + column),
          1,
          grey,
        ),
      ),
    ),
  ).toBe(2);
});

it("says where an edge is", () => {
  const corner = pictureOrientations(
    picture((row, column) => (row < 2 && column < 1 ? 1 : 0)),
    1,
    grey,
  );
  const cells = Array.from({ length: 9 }, (_, cell) => corner.slice(cell * 8, cell * 8 + 8).some((value) => value > 0));
  expect(cells.indexOf(true)).toBe(0);
  expect(cells[8]).toBe(false);
});

it("does not depend on contrast and brightness, and knows an empty picture", () => {
  const plain = picture((row, column) => Math.sin(row * column));
  const described = pictureOrientations(plain, 1, grey);
  const brighter = pictureOrientations(
    plain.map((value) => 5 * value + 3),
    1,
    grey,
  );
  described.forEach((value, at) => {
    expect(brighter[at]).toBeCloseTo(value, 4);
  });
  expect(pictureOrientations(new Float32Array(64).fill(7), 1, grey)).toEqual(new Float32Array(orientationsSize));
});

it("takes the channel with the strongest edge, in either layout, and each picture by itself", () => {
  const [faint, strong] = [picture((row) => row / 10), picture((_, column) => column)];
  const both = (layout: "NCHW" | "NHWC"): Float32Array =>
    Float32Array.from({ length: 128 }, (_, at) => {
      const [channel, place] = layout === "NCHW" ? [Math.floor(at / 64), at % 64] : [at % 2, Math.floor(at / 2)];
      return [faint, strong][channel][place];
    });
  const alone = pictureOrientations(strong, 1, grey);
  for (const layout of ["NCHW", "NHWC"] as const)
    expect(pictureOrientations(both(layout), 1, { ...grey, channels: 2, layout }), layout).toEqual(alone);
  const two = pictureOrientations(Float32Array.from([...faint, ...strong]), 2, grey);
  expect(two.subarray(orientationsSize)).toEqual(alone);
});

it("divides an edge between the two directions next to its own", () => {
  const side = 60;
  const wide = { channels: 1, height: side, width: side, layout: "NCHW" } as const;
  for (let degrees = 1; degrees < 180; degrees += 4) {
    const angle = (degrees * Math.PI) / 180;
    const ramp = Float32Array.from(
      { length: side * side },
      (_, at) => (at % side) * Math.cos(angle) + Math.floor(at / side) * Math.sin(angle),
    );
    // The cell in the middle, which the picture's border does not reach.
    const cell = pictureOrientations(ramp, 1, wide).subarray(4 * 8, 5 * 8);
    const sum = cell.reduce((all, value) => all + value, 0);
    const lower = Math.floor(degrees / 22.5);
    const share = degrees / 22.5 - lower;
    expect(Math.abs(cell[lower] / sum - (1 - share)), `${degrees}°`).toBeLessThan(0.02);
    expect(Math.abs(cell[(lower + 1) % 8] / sum - share), `${degrees}°`).toBeLessThan(0.02);
  }
});
