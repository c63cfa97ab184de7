import { describe, expect, it } from "vitest";
import { type LoopFormula, type VectorMemory, vectorLoop, vectorMemory } from "../../src/runtime/vector-loop.js";

const count = 8;
const bytes = 4 * count;

function memoryOf(...arrays: readonly (readonly number[])[]): { memory: VectorMemory; places: number[] } {
  const memory = vectorMemory(bytes * arrays.length);
  if (!memory) throw new Error("no memory");
  const places = arrays.map((numbers, index) => {
    new Float32Array(memory.buffer, bytes * index, count).set(numbers);
    return bytes * index;
  });
  return { memory, places };
}

const zeros = new Array<number>(count).fill(0);
const a = [1.5, -2.25, 3e-3, 1e20, 0.1, -7, 1 / 3, 2];
const b = [2, 0.7, -1e-3, 1e15, 0.3, 3, 1 / 7, -0.5];

/** One result of a formula of a, b and the numbers 3 and 0.1. */
function computed(write: (formula: LoopFormula) => void): number[] {
  const { memory, places } = memoryOf(a, b, zeros);
  vectorLoop(memory, 3, 2, write)!(places, count, [3, 0.1]);
  return [...new Float32Array(memory.buffer, places[2], count)];
}

describe("vectorLoop", () => {
  const { fround } = Math;
  const [left, right] = [a.map(fround), b.map(fround)];
  it.each<[string, (f: LoopFormula) => ReturnType<LoopFormula["read"]>, (x: number, y: number) => number]>([
    ["add", (f) => f.add(f.read(0), f.read(1)), (x, y) => x + y],
    ["subtract", (f) => f.subtract(f.read(0), f.read(1)), (x, y) => x - y],
    ["multiply", (f) => f.multiply(f.read(0), f.read(1)), (x, y) => x * y],
    ["divide", (f) => f.divide(f.read(0), f.read(1)), (x, y) => x / y],
    ["squareRoot", (f) => f.squareRoot(f.multiply(f.read(0), f.read(0))), (x) => Math.sqrt(fround(x * x))],
    ["number", (f) => f.multiply(f.number(1), f.read(0)), (x) => x * fround(0.1)],
    ["scalar", (f) => f.add(f.read(0), f.scalar(-0.2)), (x) => x + fround(-0.2)],
    [
      "numbers alone",
      (f) => f.divide(f.number(0), f.squareRoot(f.number(1))),
      () => 3 / fround(Math.sqrt(fround(0.1))),
    ],
    ["zeroBelow", (f) => f.zeroBelow(f.read(0), f.scalar(1)), (x) => (Math.abs(x) >= 1 ? x : 0)],
  ])("%s rounds to float32", (_, write, expected) => {
    const actual = computed((f) => f.write(2, write(f)));
    expect(actual).toEqual(left.map((x, index) => fround(expected(x, right[index]))));
  });

  it("has room for many values and long formulas", () => {
    const terms = 300;
    const actual = computed((f) => {
      let sum = f.read(0);
      for (let term = 0; term < terms; term++) sum = f.add(sum, f.read(1));
      f.write(2, sum);
    });
    const expected = left.map((x, index) => {
      let sum = x;
      for (let term = 0; term < terms; term++) sum = fround(sum + right[index]);
      return sum;
    });
    expect(actual).toEqual(expected);
  });

  it("updates in place, and no more than it is told", () => {
    const { memory, places } = memoryOf(a);
    const loop = vectorLoop(memory, 1, 0, (f) => f.write(0, f.add(f.read(0), f.scalar(1))))!;
    loop(places, 4, []);
    const all = [...new Float32Array(memory.buffer, 0, count)];
    expect(all).toEqual(left.map((x, index) => (index < 4 ? fround(x + 1) : x)));
    loop(places, 0, []);
    expect([...new Float32Array(memory.buffer, 0, count)]).toEqual(all);
  });

  it("refuses what does not fit", () => {
    const { memory, places } = memoryOf(a);
    const loop = vectorLoop(memory, 1, 1, (f) => f.write(0, f.number(0)))!;
    expect(() => loop(places, 5, [1])).toThrow("5 elements do not fit");
    expect(() => loop([], 4, [1])).toThrow("0 arrays");
    expect(() => loop(places, 4, [])).toThrow("0 numbers");
  });
});

describe("vectorMemory", () => {
  it("is zero, and not there for more than addresses reach", () => {
    expect(new Float32Array(vectorMemory(100)!.buffer).every((number) => number === 0)).toBe(true);
    expect(vectorMemory(100)!.buffer.byteLength).toBeGreaterThanOrEqual(100);
    expect(vectorMemory(2 ** 33)).toBeUndefined();
  });
});
