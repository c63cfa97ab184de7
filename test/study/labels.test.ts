import { expect, test } from "vitest";
import { labelledSamples, parseLabelAmount, tuningSplit } from "../../src/study/labels.js";

const labels = Int32Array.from({ length: 300 }, (_, index) => (index % 10 === 9 ? -1 : index % 3));

test("reads amounts", () => {
  for (const text of ["300", "10/class", "5%", "0.5%", "all"]) expect(parseLabelAmount(text)).toBe(text);
  for (const text of ["0", "-3", "most", "0%", "101%", "3.5", ""])
    expect(() => parseLabelAmount(text)).toThrow(/^labels: required/);
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

test("tuning holds a fifth back", () => {
  const indices = labelledSamples({ labels: labels, count: labels.length }, "50", 0);
  const { train, validation } = tuningSplit(indices, 0);
  expect([train.length, validation.length]).toEqual([40, 10]);
  expect(new Set([...train, ...validation])).toEqual(new Set(indices));
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
