import { describe, expect, test } from "vitest";
import { canTurnQuarter, flipHorizontal, rotateQuarter, shiftPixels } from "../../src/data/transform.js";

/** Two samples of two channels; the second has 100 added. */
const planar = [1, 2, 3, 4, 5, 6, 7, 8, 101, 102, 103, 104, 105, 106, 107, 108];
const shape = [2, 2, 2];
/** The same values with the channels last, and back. */
const lastFromFirst = (values: readonly number[]) => {
  const moved: number[] = [];
  for (let sample = 0; sample < 2; sample++) {
    for (let pixel = 0; pixel < 4; pixel++) for (let c = 0; c < 2; c++) moved.push(values[sample * 8 + c * 4 + pixel]);
  }
  return moved;
};

describe.each(["NCHW", "NHWC"] as const)("%s", (layout) => {
  const check = (transform: (batch: Float32Array) => void, expected: readonly number[]) => {
    const batch = Float32Array.from(layout === "NCHW" ? planar : lastFromFirst(planar));
    transform(batch);
    expect([...batch]).toEqual(layout === "NCHW" ? expected : lastFromFirst(expected));
  };

  test("quarter turns, counter-clockwise, for each sample its own", () => {
    check(
      (batch) => rotateQuarter(batch, 2, shape, [1, 2], layout),
      [2, 4, 1, 3, 6, 8, 5, 7, 104, 103, 102, 101, 108, 107, 106, 105],
    );
    check((batch) => rotateQuarter(batch, 2, shape, [3, 0], layout), [3, 1, 4, 2, 7, 5, 8, 6, ...planar.slice(8)]);
  });

  test("four quarter turns change nothing", () => {
    check((batch) => {
      for (let turn = 0; turn < 4; turn++) rotateQuarter(batch, 2, shape, [1, 3], layout);
    }, planar);
  });

  test("flips", () => {
    check(
      (batch) => flipHorizontal(batch, 2, shape, [0, 1], layout),
      [...planar.slice(0, 8), 102, 101, 104, 103, 106, 105, 108, 107],
    );
  });

  test("shifts, filled with a number or the edge", () => {
    check(
      (batch) => shiftPixels(batch, 2, shape, [1, 0], [0, 0], 9, layout),
      [9, 9, 1, 2, 9, 9, 5, 6, ...planar.slice(8)],
    );
    check(
      (batch) => shiftPixels(batch, 2, shape, [0, 0], [0, -1], "edge", layout),
      [...planar.slice(0, 8), ...[102, 102, 104, 104, 106, 106, 108, 108]],
    );
  });
});

test("pictures that are not square turn by halves only", () => {
  expect(canTurnQuarter([1, 2, 3])).toBe(false);
  expect(canTurnQuarter([3, 3, 1], "NHWC")).toBe(true);
  const batch = new Float32Array([1, 2, 3, 4, 5, 6]);
  rotateQuarter(batch, 1, [1, 2, 3], [2]);
  expect([...batch]).toEqual([6, 5, 4, 3, 2, 1]);
  expect(() => rotateQuarter(batch, 1, [1, 2, 3], [1])).toThrow(RangeError);
});
