import { describe, expect, test } from "vitest";
import { rotateQuarter } from "../../src/training/picture-rotation.js";

/** Two samples of two channels; the second has 100 added. */
const planar = [1, 2, 3, 4, 5, 6, 7, 8, 101, 102, 103, 104, 105, 106, 107, 108];
/** The same values with the channels last. */
const lastFromFirst = (values: readonly number[]) => {
  const moved: number[] = [];
  for (let sample = 0; sample < 2; sample++) {
    for (let pixel = 0; pixel < 4; pixel++) for (let c = 0; c < 2; c++) moved.push(values[sample * 8 + c * 4 + pixel]);
  }
  return moved;
};

describe.each(["NCHW", "NHWC"] as const)("rotateQuarter, %s", (layout) => {
  const picture = { channels: 2, height: 2, width: 2, layout };
  const turned = (...rounds: number[][]) => {
    const batch = Float32Array.from(layout === "NCHW" ? planar : lastFromFirst(planar));
    for (const turns of rounds) rotateQuarter(batch, 2, picture, turns);
    return [...batch];
  };
  const expected = (values: readonly number[]) => (layout === "NCHW" ? values : lastFromFirst(values));

  test("turns counter-clockwise, each sample by its own", () => {
    expect(turned([1, 2])).toEqual(expected([2, 4, 1, 3, 6, 8, 5, 7, 104, 103, 102, 101, 108, 107, 106, 105]));
    expect(turned([3, 0])).toEqual(expected([3, 1, 4, 2, 7, 5, 8, 6, ...planar.slice(8)]));
  });

  test("changes nothing in four quarter turns", () => {
    expect(turned([1, 3], [1, 3], [1, 3], [1, 3])).toEqual(expected(planar));
  });
});

test("pictures that are not square turn by halves only", () => {
  const picture = { channels: 1, height: 2, width: 3, layout: "NCHW" } as const;
  const batch = new Float32Array([1, 2, 3, 4, 5, 6]);
  rotateQuarter(batch, 1, picture, [2]);
  expect([...batch]).toEqual([6, 5, 4, 3, 2, 1]);
  expect(() => rotateQuarter(batch, 1, picture, [1])).toThrow(RangeError);
});
