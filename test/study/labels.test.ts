import { describe, expect, test } from "vitest";
import { labelledSamples, parseLabelAmount, tuningSplit } from "../../src/study/labels.js";

const labels = Int32Array.from({ length: 300 }, (_, index) => (index % 10 === 9 ? -1 : index % 3));

test("reads amounts", () => {
  for (const text of ["300", "10/class", "5%", "0.5%", "10%", "12.05%", "all"])
    expect(parseLabelAmount(text)).toBe(text);
  expect(["5.0%", "05%", " 5% ", "00.50%", "10.0%", "100%", "100.0%"].map(parseLabelAmount)).toEqual([
    "5%",
    "5%",
    "5%",
    "0.5%",
    "10%",
    "all",
    "all",
  ]);
  for (const text of ["0", "-3", "most", "0%", "0.0%", "100.01%", "101%", "3.5", "0.05", ""])
    expect(() => parseLabelAmount(text)).toThrow(/^labels: required .* 10\/class, a share such as 10%, or all, got/);
});

test("draws as many as asked for, labelled ones only, anew for each seed", () => {
  expect(labelledSamples({ labels: labels, count: labels.length }, "all", 0)).toHaveLength(270);
  expect(labelledSamples({ labels: labels, count: labels.length }, "10%", 0)).toHaveLength(27);
  const perClass = labelledSamples({ labels: labels, count: labels.length }, "7/class", 0);
  for (const kind of [0, 1, 2]) expect(perClass.filter((index) => labels[index] === kind)).toHaveLength(7);
  const drawn = labelledSamples({ labels: labels, count: labels.length }, "30", 1);
  expect(new Set(drawn).size).toBe(30);
  expect(drawn.every((index) => labels[index] >= 0)).toBe(true);
  expect(labelledSamples({ labels: labels, count: labels.length }, "30", 1)).toEqual(drawn);
  expect(labelledSamples({ labels: labels, count: labels.length }, "30", 2)).not.toEqual(drawn);
  expect(() => labelledSamples({ labels: labels, count: labels.length }, "271", 0)).toThrow(/270 labels/);
});

describe("tuning holds a fifth back", () => {
  const split = (labels: Int32Array | undefined, count: number, seed: number) => {
    const indices = Uint32Array.from({ length: count }, (_, place) => place);
    const { train, validation } = tuningSplit(indices, labels, seed);
    expect(new Set([...train, ...validation])).toEqual(new Set(indices));
    expect(train.length + validation.length).toBe(count);
    return validation;
  };
  const seeds = [0, 1, 2, 3, 4, 5, 6, 7];

  test("of what was drawn, anew for each seed", () => {
    const indices = labelledSamples({ labels, count: labels.length }, "50", 0);
    const { train, validation } = tuningSplit(indices, labels, 0);
    expect([train.length, validation.length]).toEqual([40, 10]);
    expect(new Set([...train, ...validation])).toEqual(new Set(indices));
    expect(tuningSplit(indices, labels, 0).validation).toEqual(validation);
    expect(tuningSplit(indices, labels, 1).validation).not.toEqual(validation);
  });

  test.each([
    ["equal classes", [10, 10, 10], [2, 2, 2]],
    ["classes of their shares", [60, 30, 10], [12, 6, 2]],
    ["not of a class that has one or two", [20, 17, 2, 1], [4, 4, 0, 0]],
  ])("%s", (_, sizes, held) => {
    const of = Int32Array.from(sizes.flatMap((size, label) => new Array<number>(size).fill(label)));
    for (const seed of seeds) {
      const validation = split(of, of.length, seed);
      expect(sizes.map((__, label) => validation.filter((place) => of[place] === label).length)).toEqual(held);
    }
  });

  test("as many as there must be, of classes by chance, where none has enough", () => {
    const each = Int32Array.from({ length: 10 }, (_, place) => place);
    const chosen = seeds.map((seed) => split(each, 10, seed));
    expect(chosen.every(({ length }) => length === 2)).toBe(true);
    expect(new Set(chosen.map(String)).size).toBeGreaterThan(1);
    expect(split(Int32Array.of(0, 1), 2, 0)).toHaveLength(1);
  });

  test("by chance where the labels are numbers", () => {
    const chosen = seeds.map((seed) => split(undefined, 50, seed));
    expect(chosen.every(({ length }) => length === 10)).toBe(true);
    expect(new Set(chosen.map(String)).size).toBe(seeds.length);
  });
});

test("a total keeps the classes' shares, with one of each at least", () => {
  const skewed = Int32Array.from({ length: 1000 }, (_, index) => (index < 900 ? 0 : index < 995 ? 1 : 2));
  const counts = (total: string) => {
    const chosen = labelledSamples({ labels: skewed, count: skewed.length }, total, 3);
    expect(new Set(chosen).size).toBe(chosen.length);
    return [0, 1, 2].map((label) => chosen.filter((index) => skewed[index] === label).length);
  };
  expect(counts("200")).toEqual([180, 19, 1]);
  expect(counts("20")).toEqual([17, 2, 1]);
  expect(counts("1000")).toEqual([900, 95, 5]);
  expect(counts("1").reduce((sum, count) => sum + count, 0)).toBe(1);
});

test("numbers are drawn from all samples alike", () => {
  const numbers = { count: 50 };
  const drawn = labelledSamples(numbers, "20", 1);
  expect(new Set(drawn).size).toBe(20);
  expect(labelledSamples(numbers, "20", 1)).toEqual(drawn);
  expect(labelledSamples(numbers, "20", 2)).not.toEqual(drawn);
  expect(labelledSamples(numbers, "10%", 0)).toHaveLength(5);
  expect(labelledSamples(numbers, "all", 0)).toHaveLength(50);
  expect(() => labelledSamples(numbers, "51", 0)).toThrow(/50 labels/);
  expect(() => labelledSamples(numbers, "5/class", 0)).toThrow(/no classes to draw from/);
});
