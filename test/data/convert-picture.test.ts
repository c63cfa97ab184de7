import { describe, expect, test } from "vitest";
import { convertPicture, coveredPart } from "../../src/data/convert-picture.js";

const resized = (values: readonly number[], from: readonly [number, number], to: readonly [number, number]) => {
  const data = new Float32Array(to[0] * to[1]);
  convertPicture(
    { data: Float32Array.from(values), start: 0, channels: 1, height: from[0], width: from[1], layout: "NCHW" },
    { data, start: 0, channels: 1, height: to[0], width: to[1], layout: "NCHW" },
  );
  return [...data];
};

describe("resizing", () => {
  test("enlarges by linear interpolation between pixel centres", () => {
    expect(resized([0, 4], [1, 2], [2, 4])).toEqual([0, 1, 3, 4, 0, 1, 3, 4]);
  });

  test("shrinks without leaving pixels out: a chequerboard becomes even grey", () => {
    const board = Array.from({ length: 64 }, (_, at) => ((at >> 3) + at) % 2);
    const small = resized(board, [8, 8], [2, 2]);
    for (const value of small) expect(Math.abs(value - 0.5)).toBeLessThan(0.01);
  });

  test("a constant picture stays constant", () => {
    for (const value of resized(Array(35).fill(7), [5, 7], [3, 4])) expect(value).toBeCloseTo(7, 5);
  });

  test("cuts the overhang evenly", () => {
    expect(coveredPart({ channels: 1, height: 4, width: 10 }, 2, 2)).toEqual({ top: 0, left: 3, height: 4, width: 4 });
    const wide = [0, 5, 5, 5, 5, 0];
    expect(resized(wide, [1, 6], [1, 1]).every((value) => value > 4)).toBe(true);
  });
});

test("bytes are rounded, and neighbours in the target are left alone", () => {
  const data = new Uint8Array(6).fill(9);
  convertPicture(
    { data: new Uint8Array([255, 0, 0, 0, 255, 0]), start: 0, channels: 3, height: 1, width: 2, layout: "NHWC" },
    { data, start: 2, channels: 1, height: 1, width: 2, layout: "NCHW" },
  );
  expect([...data]).toEqual([9, 9, 76, 150, 9, 9]);
});
