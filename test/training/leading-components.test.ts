import { describe, expect, it } from "vitest";
import { RandomStream } from "../../src/random/stream.js";
import { componentsOfParts, leadingComponents } from "../../src/training/leading-components.js";

const count = 1500;

/** Vectors whose value at each place has a variance of its own and nothing to do with the others, around a mean. */
function independent(deviations: readonly number[]): Float32Array {
  const stream = new RandomStream(0, "test");
  return Float32Array.from(
    { length: count * deviations.length },
    (_, at) => 3 + deviations[at % deviations.length] * stream.normal(),
  );
}

describe("leadingComponents", () => {
  // Up to 256 places all components are computed, beyond it the leading ones.
  it.each([40, 300])("finds the directions of most variance among %i", async (size) => {
    // Few places vary much, and these not in the order of their variance.
    const deviations = Array.from({ length: size }, (_, place) => (place % 13 === 5 ? 1 + place / 20 : 0.1));
    const vectors = independent(deviations);
    const { means, variances, directions } = await leadingComponents(vectors.slice(), size, 4, 0, { threads: 1 });
    const expected = [...deviations.keys()].sort((a, b) => deviations[b] - deviations[a]);
    for (let place = 0; place < size; place++)
      expect(Math.abs(means[place] - 3)).toBeLessThan(0.12 * deviations[place]);
    for (let component = 0; component < 3; component++) {
      const place = expected[component];
      expect(variances[component] / deviations[place] ** 2).toBeCloseTo(1, 0);
      expect(Math.hypot(...directions[component])).toBeCloseTo(1, 5);
      // Their variance over the vectors is what is said of it.
      let squares = 0;
      for (let vector = 0; vector < count; vector++) {
        const response = directions[component].reduce(
          (sum, weight, at) => sum + weight * (vectors[vector * size + at] - means[at]),
          0,
        );
        squares += response * response;
      }
      expect(squares / count / variances[component]).toBeCloseTo(1, 4);
      for (let other = 0; other < component; other++)
        expect(directions[component].reduce((sum, weight, at) => sum + weight * directions[other][at], 0)).toBeCloseTo(
          0,
          5,
        );
    }
    expect(variances[0]).toBeGreaterThan(variances[1]);
    const again = await leadingComponents(vectors.slice(), size, 4, 0, { threads: 1 });
    expect(again.directions[0]).toEqual(directions[0]);
  });

  it("finds by iteration what it finds at once", async () => {
    // The same vectors, beside places that never change: the components are the same.
    const deviations = Array.from({ length: 200 }, (_, place) => 0.97 ** place);
    const vectors = independent(deviations);
    const padded = new Float32Array(count * 400);
    for (let vector = 0; vector < count; vector++)
      padded.set(vectors.subarray(vector * 200, (vector + 1) * 200), vector * 400);
    const whole = await leadingComponents(vectors, 200, 200, 0, { threads: 1 });
    const leading = await leadingComponents(padded, 400, 12, 0, { threads: 1 });
    expect(leading.directions).toHaveLength(28);
    for (let component = 0; component < 8; component++) {
      expect(leading.variances[component] / whole.variances[component]).toBeCloseTo(1, 3);
      const likeness = whole.directions[component].reduce(
        (sum, weight, at) => sum + weight * leading.directions[component][at],
        0,
      );
      expect(Math.abs(likeness)).toBeGreaterThan(0.98);
    }
  });
});

describe("componentsOfParts", () => {
  it("finds in each part what leadingComponents does", async () => {
    const vectors = independent([1, 3, 0.2, 2, 5, 0.1, 1, 2]);
    const parts = componentsOfParts(vectors, 2, 4);
    expect(vectors).toEqual(independent([1, 3, 0.2, 2, 5, 0.1, 1, 2]));
    expect(parts).toHaveLength(2);
    for (const [part, found] of parts.entries()) {
      const alone = Float32Array.from({ length: count * 4 }, (_, at) => vectors[(at >> 2) * 8 + part * 4 + (at & 3)]);
      const expected = await leadingComponents(alone, 4, 4, 0, { threads: 1 });
      for (let component = 0; component < 4; component++) {
        expect(found.means[component]).toBeCloseTo(expected.means[component], 6);
        expect(found.variances[component] / expected.variances[component]).toBeCloseTo(1, 4);
        const product = found.directions[component].reduce(
          (sum, value, at) => sum + value * expected.directions[component][at],
          0,
        );
        expect(Math.abs(product)).toBeCloseTo(1, 5);
      }
    }
  });
});
