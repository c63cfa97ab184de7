import { describe, expect, it } from "vitest";
import { principalFilters } from "../../src/initializers/principal-components.js";
import { RandomStream } from "../../src/random/stream.js";
import { leadingComponents } from "../../src/training/leading-components.js";

const layout = { kind: "convolution", groups: 1, transposed: false } as const;
const count = 4000;

/** Patches of four values: two that vary together and much, one that varies little by itself, one that never changes. */
function correlated(): Float64Array {
  const stream = new RandomStream(0, "test");
  const patches = new Float64Array(4 * count);
  for (let patch = 0; patch < count; patch++) {
    const shared = 3 * stream.normal();
    patches[patch] = 5 + shared + 0.1 * stream.normal();
    patches[count + patch] = -1 + shared + 0.1 * stream.normal();
    patches[2 * count + patch] = 0.5 * stream.normal();
    patches[3 * count + patch] = 7;
  }
  return patches;
}

/** What a unit yields on a patch. */
function response(
  weight: Float32Array,
  bias: Float32Array,
  unit: number,
  patches: Float64Array,
  patch: number,
): number {
  let sum = bias[unit];
  for (let place = 0; place < 4; place++) sum += weight[4 * unit + place] * patches[place * count + patch];
  return sum;
}

describe("principalFilters", async () => {
  const patches = correlated();
  const rows = Float32Array.from({ length: 4 * count }, (_, at) => patches[(at % 4) * count + Math.floor(at / 4)]);
  const components = await leadingComponents(rows, 4, 4, 0);
  const shape = [7, 1, 2, 2];
  const drawn = Float32Array.from({ length: 28 }, (_, index) => index / 10);
  const zeros = new Float32Array(7);

  it("gives pairs of units the components with both signs, at mean 0 and deviation 1, and leaves the rest", () => {
    const { weight, bias, units } = principalFilters(drawn, zeros, shape, layout, [components], true);
    // Three components vary; seven units have room for three pairs.
    expect(units).toBe(6);
    for (let unit = 0; unit < 6; unit++) {
      let [sum, squares] = [0, 0];
      for (let patch = 0; patch < count; patch++) {
        const value = response(weight, bias!, unit, patches, patch);
        sum += value;
        squares += value * value;
      }
      expect(sum / count).toBeCloseTo(0, 4);
      expect(Math.sqrt(squares / count)).toBeCloseTo(1, 4);
    }
    for (let place = 0; place < 12; place++) expect(weight[12 + place]).toBeCloseTo(-weight[place], 6);
    expect([...weight.slice(24)]).toEqual([...drawn.slice(24)]);
    expect(zeros).toEqual(new Float32Array(7));
  });

  it("takes the component of most variance first", () => {
    const { weight } = principalFilters(drawn, undefined, shape, layout, [components], true);
    const [first, second, third] = weight;
    expect(first / second).toBeCloseTo(1, 1);
    expect(Math.abs(third / first)).toBeLessThan(0.05);
    // The weights of a component are as small as its variance is large.
    expect(Math.hypot(...weight.slice(0, 4))).toBeLessThan(Math.hypot(...weight.slice(4, 8)));
  });

  it("gives each component once where activations pass both signs", () => {
    const { weight, units, bias } = principalFilters(drawn, undefined, shape, layout, [components], false);
    expect(units).toBe(3);
    expect(bias).toBeUndefined();
    expect([...weight.slice(12)]).toEqual([...drawn.slice(12)]);
    const products = [0, 1, 2].map((place) => weight[place] * weight[4 + place]);
    expect(products.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 3);
  });

  it("gives each group of a depthwise convolution its own components, and leaves one whose channel never changes", () => {
    const depthwise = { ...layout, groups: 3 };
    const constant = { ...components, variances: [1e-14, 0, 0, 0] };
    const turned = { ...components, directions: [...components.directions].reverse() };
    const groups = [components, constant, turned];
    const made = principalFilters(drawn.slice(0, 12), new Float32Array(3), [3, 1, 2, 2], depthwise, groups, false);
    expect(made.units).toBe(2);
    expect([...made.weight.slice(4, 8)]).toEqual([...drawn.slice(4, 8)]);
    for (const [unit, { means, variances, directions }] of [[0, components] as const, [2, turned] as const]) {
      const deviation = Math.sqrt(variances[0]);
      for (let place = 0; place < 4; place++)
        expect(made.weight[4 * unit + place]).toBeCloseTo(directions[0][place] / deviation, 5);
      const atMean = directions[0].reduce((sum, value, place) => sum + (value * means[place]) / deviation, 0);
      expect(made.bias![unit]).toBeCloseTo(-atMean, 4);
    }
  });

  it("takes no components of another size", () => {
    expect(() =>
      principalFilters(drawn, zeros, shape, layout, [{ ...components, means: new Float64Array(5) }], true),
    ).toThrow(/components of 5 values in 1 groups for filters of 4 in 1/);
  });
});
