import { expect, it } from "vitest";
import { NormalPool } from "../../src/training/normal-pool.js";

const fill = (pool: NormalPool, purpose: string, step: number, length = 20000, deviation = 2): Float32Array => {
  const target = new Float32Array(length);
  pool.fill(target, deviation, purpose, step);
  return target;
};

it("gives normal numbers of the deviation, addressed by seed, purpose and step", () => {
  const pool = new NormalPool(3);
  const noise = fill(pool, "a", 7);
  const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
  const deviation = Math.sqrt(noise.reduce((sum, value) => sum + value ** 2, 0) / noise.length);
  expect(Math.abs(mean)).toBeLessThan(0.1);
  expect(deviation).toBeGreaterThan(1.9);
  expect(deviation).toBeLessThan(2.1);
  expect(Math.max(...noise.map(Math.abs))).toBeLessThan(12);
  fill(pool, "b", 1);
  expect(fill(pool, "a", 7)).toEqual(noise);
  expect(fill(new NormalPool(3), "a", 7)).toEqual(noise);
  expect(fill(pool, "a", 8)).not.toEqual(noise);
  expect(fill(pool, "b", 7)).not.toEqual(noise);
  expect(fill(new NormalPool(4), "a", 7)).not.toEqual(noise);
});

it("gives nothing for a deviation of nothing", () => {
  expect(fill(new NormalPool(0), "a", 0, 5000, 0).every((value) => value === 0)).toBe(true);
});
