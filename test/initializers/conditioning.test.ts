import { describe, expect, test, vi } from "vitest";
import { UserError } from "../../src/errors.js";
import type { WeightLayout } from "../../src/graph/weight-layout.js";
import {
  type ConditioningLayer,
  conditionLayer,
  type LayerTensors,
  mergeUnitStatistics,
  scaleUnits,
  unitStatistics,
} from "../../src/initializers/conditioning.js";
import { drawNormal } from "../../src/initializers/distributions.js";
import { singularValues } from "../../src/initializers/spectrum.js";
import { RandomStream } from "../../src/random/stream.js";

const [samples, inputs, units] = [200, 6, 4];
const inOut: WeightLayout = { kind: "matrix", inputAxis: 0 };
const stream = new RandomStream(13, "test/conditioning");
const data = drawNormal([samples, inputs], 3, stream).map((value, index) => value + (index % inputs));
const weight = drawNormal([inputs, units], 0.1, stream);
const bias = Float32Array.of(1, -2, 0.5, 7);

/** data · weight + bias: the pre-activation [samples, units] of a layer whose weight is [in, out]. */
function preActivation({ weight, bias }: LayerTensors): Float32Array {
  const result = new Float32Array(samples * units);
  for (let sample = 0; sample < samples; sample++) {
    for (let unit = 0; unit < units; unit++) {
      let sum = bias?.[unit] ?? 0;
      for (let input = 0; input < inputs; input++) sum += data[sample * inputs + input] * weight[input * units + unit];
      result[sample * units + unit] = sum;
    }
  }
  return result;
}

const measure = (tensors: LayerTensors) => unitStatistics(preActivation(tensors), [samples, units], 1);

function expectAll(values: Float32Array, expected: number, digits = 4): void {
  for (const value of values) expect(value).toBeCloseTo(expected, digits);
}

describe("unit statistics", () => {
  test("over samples and positions, whichever axis the channels have", () => {
    // [2 samples, 2 channels, 2 positions]
    const activation = Float32Array.of(1, 3, 10, 10, 5, 7, 10, 30);
    const expected = { mean: Float32Array.of(4, 15), std: Float32Array.of(Math.sqrt(5), Math.sqrt(75)), count: 4 };
    expect(unitStatistics(activation, [2, 2, 2], 1)).toEqual(expected);
    const channelsLast = Float32Array.of(1, 10, 3, 10, 5, 10, 7, 30);
    expect(unitStatistics(channelsLast, [2, 2, 2], -1)).toEqual(expected);
    expect(unitStatistics(channelsLast, [4, 2], 1)).toEqual(expected);
  });

  test.each([1, 2, 3, 4, 5, 7, 9])("of each of %i units are what they are of it alone, to the bit", (count) => {
    const stream = new RandomStream(0, "units");
    const [outer, inner] = [3, 5];
    const activation = Float32Array.from({ length: outer * count * inner }, () => 3 * stream.normal() + 1);
    const together = unitStatistics(activation, [outer, count, inner], 1);
    for (let unit = 0; unit < count; unit++) {
      const own = activation.filter((_, place) => Math.floor(place / inner) % count === unit);
      const sum = own.reduce((total, value) => total + value, 0);
      const mean = sum / own.length;
      const squares = own.reduce((total, value) => total + (value - mean) ** 2, 0);
      expect(together.mean[unit]).toBe(Math.fround(mean));
      expect(together.std[unit]).toBe(Math.fround(Math.sqrt(squares / own.length)));
    }
  });

  test("stay exact beside a large mean", () => {
    const { std } = unitStatistics(Float32Array.of(1e6 + 1, 1e6 - 1), [2, 1], 1);
    expect(std[0]).toBe(1);
  });

  test("of two batches merge into those of both", () => {
    const all = preActivation({ weight, bias });
    const cut = 30 * units;
    const first = unitStatistics(all.slice(0, cut), [30, units], 1);
    const second = unitStatistics(all.slice(cut), [samples - 30, units], 1);
    const merged = mergeUnitStatistics(first, second);
    const expected = unitStatistics(all, [samples, units], 1);
    expect(merged.count).toBe(samples);
    for (let unit = 0; unit < units; unit++) {
      expect(merged.mean[unit]).toBeCloseTo(expected.mean[unit], 5);
      expect(merged.std[unit]).toBeCloseTo(expected.std[unit], 5);
    }
  });

  test("refuse a shape that does not fit", () => {
    expect(() => unitStatistics(new Float32Array(5), [2, 3], 1)).toThrow("shape [2, 3]");
    expect(() => unitStatistics(new Float32Array(6), [2, 3], 2)).toThrow("channel axis 2");
  });
});

describe("scaling units", () => {
  const before = measure({ weight, bias });
  const scale = (options?: Parameters<typeof scaleUnits>[6], withBias: Float32Array | undefined = bias) =>
    scaleUnits(weight, withBias, [inputs, units], inOut, before.mean, before.std, options);

  test("per unit: measured again, every unit has mean 0 and deviation 1", () => {
    const scaled = scale();
    const after = measure(scaled);
    expectAll(after.mean, 0);
    expectAll(after.std, 1);
    expect(scaled).toMatchObject({ dead: 0, capped: 0 });
    expect(bias).toEqual(Float32Array.of(1, -2, 0.5, 7));
  });

  test("units that are to be open have mean 1", () => {
    const after = measure(scale({ openUnits: [1, 2] }));
    [0, 1, 1, 0].forEach((mean, unit) => {
      expect(after.mean[unit]).toBeCloseTo(mean, 5);
    });
    expectAll(after.std, 1);
  });

  test("another target", () => {
    expectAll(measure(scale({ target: 0.5 })).std, 0.5);
  });

  test("per layer: one factor, the root mean square of the deviations is 1", () => {
    const scaled = scale({ granularity: "layer" });
    const after = measure(scaled);
    expectAll(after.mean, 0);
    expect(new Set(scaled.factors).size).toBe(1);
    expect(Math.hypot(...after.std) / Math.sqrt(units)).toBeCloseTo(1, 4);
    expect(Math.max(...after.std) - Math.min(...after.std)).toBeGreaterThan(0.05);
  });

  test("without a bias the scale alone is set", () => {
    const { mean, std } = measure({ weight, bias: undefined });
    const scaled = scaleUnits(weight, undefined, [inputs, units], inOut, mean, std);
    expect(scaled.bias).toBeUndefined();
    const after = measure(scaled);
    expectAll(after.std, 1);
    expect(Math.max(...after.mean.map(Math.abs))).toBeGreaterThan(0.1);
  });

  test("dead units are left as they are and counted, and do not weigh in a layer's factor", () => {
    const silent = weight.map((value, index) => (index % units === 2 ? 0 : value));
    const { mean, std } = measure({ weight: silent, bias });
    expect(std[2]).toBe(0);
    for (const granularity of ["unit", "layer"] as const) {
      const scaled = scaleUnits(silent, bias, [inputs, units], inOut, mean, std, { granularity });
      expect(scaled.dead).toBe(1);
      expect(scaled.factors[2]).toBe(1);
      expect(scaled.bias?.[2]).toBe(0.5);
      const after = measure(scaled);
      const living = [0, 1, 3].map((unit) => after.std[unit]);
      expect(Math.hypot(...living) / Math.sqrt(3)).toBeCloseTo(1, 4);
    }
  });

  test("a layer that is dead as a whole stays as it is", () => {
    const none = new Float32Array(units);
    const scaled = scaleUnits(weight, bias, [inputs, units], inOut, none, none, { granularity: "layer" });
    expect(scaled.weight).toEqual(weight);
    expect(scaled.bias).toEqual(bias);
    expect(scaled.dead).toBe(units);
  });

  test("the factor is limited both ways, and the mean is zero even so", () => {
    for (const factor of [100, 0.01]) {
      const other = weight.map((value) => value / factor / 10);
      const { mean, std } = measure({ weight: other, bias });
      const scaled = scaleUnits(other, bias, [inputs, units], inOut, mean, std, { largestFactor: 2 });
      expect(scaled.capped).toBe(units);
      expectAll(scaled.factors, factor === 100 ? 2 : 0.5);
      expectAll(measure(scaled).mean, 0, 3);
    }
  });

  test("a grouped transposed convolution's channels are scaled where they lie", () => {
    // [in 4, out / groups 1, kernel 1] of 2 groups: inputs 0 and 1 make channel 0, 2 and 3 channel 1.
    const layout: WeightLayout = { kind: "convolution", groups: 2, transposed: true };
    const std = Float32Array.of(0.5, 0.25);
    const scaled = scaleUnits(Float32Array.of(1, 1, 1, 1), undefined, [4, 1, 1], layout, new Float32Array(2), std);
    expect(scaled.weight).toEqual(Float32Array.of(2, 2, 4, 4));
  });

  test("refuses a bias of another length", () => {
    expect(() => scale({}, new Float32Array(3))).toThrow("3 biases");
  });
});

describe("conditioning a layer", () => {
  const layer: ConditioningLayer = {
    weight: "hidden.weight",
    shape: [inputs, units],
    layout: inOut,
    bias: "hidden.bias",
    followedByNormalisation: false,
  };

  test("flattens, then scales by what the flattened layer yields", async () => {
    const measured = vi.fn(measure);
    const result = await conditionLayer(layer, { weight, bias }, { alpha: 0, granularity: "layer" }, measured);
    const [[given]] = measured.mock.calls;
    for (const value of singularValues(Float64Array.from(given.weight), inputs, units)) expect(value).toBeCloseTo(1, 5);
    const spectrum = singularValues(Float64Array.from(result.weight), inputs, units);
    expect(spectrum[0] / spectrum[units - 1]).toBeCloseTo(1, 4);
    const after = measure(result);
    expectAll(after.mean, 0);
    expect(Math.hypot(...after.std) / Math.sqrt(units)).toBeCloseTo(1, 4);
  });

  test("without alpha the spectrum keeps its shape", async () => {
    const result = await conditionLayer(layer, { weight, bias }, { granularity: "layer" }, measure);
    const factor = result.factors[0];
    expect(result.weight).toEqual(weight.map((value) => value * factor));
  });

  test("before normalisation, or when asked, only the spectrum changes and nothing is measured", async () => {
    const measured = vi.fn(measure);
    for (const [normalised, scale] of [
      [true, true],
      [false, false],
    ]) {
      const followed = { ...layer, followedByNormalisation: normalised };
      const result = await conditionLayer(followed, { weight, bias }, { alpha: 0.5, scale }, measured);
      expect(result.bias).toBe(bias);
      expect(singularValues(Float64Array.from(result.weight), inputs, units)[0]).toBeCloseTo(1, 5);
    }
    expect(measured).not.toHaveBeenCalled();
  });

  test("a layer that has some of its weight's units only is left unscaled", async () => {
    const part = () => ({ mean: new Float32Array(units - 1), std: new Float32Array(units - 1).fill(2), count: 1 });
    const result = await conditionLayer(layer, { weight, bias }, {}, part);
    expect(result).toMatchObject({ weight, bias, dead: 0, capped: 0 });
  });

  test("names the layer whose weights or pre-activations are not finite", async () => {
    const broken = weight.map((value, index) => (index === 5 ? Number.NaN : value));
    const attempt = conditionLayer(layer, { weight: broken, bias }, { alpha: 0 }, measure);
    await expect(attempt).rejects.toThrow(UserError);
    await expect(attempt).rejects.toThrow(/^hidden\.weight: required finite weights to condition, got NaN/);
    const overflow = () => ({ mean: new Float32Array(units), std: new Float32Array(units).fill(Infinity), count: 1 });
    await expect(conditionLayer(layer, { weight, bias }, {}, overflow)).rejects.toThrow("got Infinity");
  });
});
