import { expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import type { WeightLayout } from "../../src/graph/weight-layout.js";
import {
  drawLayer,
  gain,
  type InitializerContext,
  initializerNames,
  initializers,
  parseInitializer,
} from "../../src/initializers/initializers.js";
import { RandomStream } from "../../src/random/stream.js";

const linear: WeightLayout = { kind: "matrix", inputAxis: 1 };
const stream = () => new RandomStream(11, "test/initializers");

function deviation(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

// Shape [out 300, in 200] and a grouped convolution: fan-in 4 · 9 = 36, fan-out 16 · 9 = 144 in each of 2 groups.
const grouped: [number[], WeightLayout] = [[32, 4, 3, 3], { kind: "convolution", groups: 2, transposed: false }];
test.each<[string, number, number]>([
  ["lecun", Math.sqrt(1 / 200), Math.sqrt(1 / 36)],
  ["xavier", Math.sqrt(2 / 500), Math.sqrt(2 / 180)],
  ["he", Math.sqrt(2 / 200), Math.sqrt(2 / 36)],
])("the deviation of %s follows its formula in all three distributions", (family, matrix, convolution) => {
  for (const distribution of ["normal", "uniform", "truncated"]) {
    const initializer = parseInitializer(`${family}-${distribution}`);
    expect(deviation(initializer.draw([300, 200], linear, stream())) / matrix).toBeCloseTo(1, 1.9);
    const drawn = initializer.draw(...grouped, stream());
    expect(Math.abs(deviation(drawn) / convolution - 1)).toBeLessThan(5 / Math.sqrt(2 * drawn.length));
  }
});

test.each<[InitializerContext, number]>([
  [{}, Math.SQRT2],
  [{ activation: "Relu" }, Math.SQRT2],
  [{ activation: "LeakyRelu", slope: 1 }, 1],
  [{ activation: "LeakyRelu" }, Math.sqrt(2 / 1.0001)],
  [{ activation: "PRelu" }, Math.sqrt(2 / 1.0625)],
  [{ activation: "Selu" }, 1],
  [{ activation: "Sigmoid" }, Math.SQRT2],
  [{ activation: "Tanh" }, Math.SQRT2],
])("He's scale with %o", (context, factor) => {
  const he = parseInitializer("he");
  const ratio = he.draw([20, 50], linear, stream(), context)[0] / stream().normal();
  expect(ratio).toBeCloseTo(factor / Math.sqrt(50), 6);
});

test("orthogonal takes the activation's gain, 1 without one", () => {
  const draw = (context?: InitializerContext) =>
    parseInitializer("orthogonal").draw([4, 4], linear, stream(), context).slice(0, 4);
  const length = (row: Float32Array) => Math.hypot(...row);
  expect(length(draw())).toBeCloseTo(1, 6);
  expect(length(draw({ activation: "Tanh" }))).toBeCloseTo(5 / 3, 6);
  expect(gain({ activation: "Sigmoid" }, 1)).toBe(1);
});

function bounds(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

test("PyTorch's default: U(±1/√fan-in) for weights and biases, fan-in as PyTorch counts it", () => {
  const initializer = parseInitializer("pytorch-default");
  const weight = initializer.draw([500, 64], linear, stream());
  expect(bounds(weight)).toBeLessThanOrEqual(1 / 8);
  expect(bounds(weight)).toBeGreaterThan(0.1249);
  const bias = initializer.bias(5000, [5000, 64], linear, stream());
  expect(bounds(bias)).toBeLessThanOrEqual(1 / 8);
  expect(bounds(bias)).toBeGreaterThan(0.1249);
  // ConvTranspose2d(100, 1, 4): PyTorch takes axis 1 for the inputs, so its bound is 1/√16.
  const transposed: WeightLayout = { kind: "convolution", groups: 1, transposed: true };
  const largest = bounds(initializer.draw([100, 1, 4, 4], transposed, stream()));
  expect(largest).toBeLessThanOrEqual(1 / 4);
  expect(largest).toBeGreaterThan(0.248);
});

test("Keras' and TensorFlow.js' defaults", () => {
  const keras = parseInitializer("keras-default").draw([300, 300], linear, stream());
  expect(bounds(keras)).toBeLessThanOrEqual(0.1);
  expect(bounds(keras)).toBeGreaterThan(0.0999);
  // Keras counts the outputs of both groups: √(6 / (36 + 288)).
  const inGroups = bounds(parseInitializer("keras-default").draw(...grouped, stream()));
  expect(inGroups).toBeLessThanOrEqual(Math.fround(Math.sqrt(6 / 324)));
  expect(inGroups).toBeGreaterThan(0.98 * Math.sqrt(6 / 324));
  // Cut at two deviations, with no correction: smaller than Glorot's formula says.
  const tfjs = parseInitializer("tfjs-default").draw([200, 200], linear, stream());
  expect(bounds(tfjs)).toBeLessThanOrEqual(2 * Math.sqrt(1 / 200));
  expect(deviation(tfjs) / Math.sqrt(1 / 200)).toBeCloseTo(0.8796, 2);
});

test("constants", () => {
  const draw = (name: string) => [...parseInitializer(name).draw([1, 2], linear, stream())];
  expect(draw("zeros")).toEqual([0, 0]);
  expect(draw("ones")).toEqual([1, 1]);
  expect(draw("constant:-0.5")).toEqual([-0.5, -0.5]);
  expect(draw("constant:1e-2")).toEqual([Math.fround(0.01), Math.fround(0.01)]);
});

test("every entry says its formula and source, and draws zero biases unless it says otherwise", () => {
  for (const [name, initializer] of initializers) {
    expect(initializer.name).toBe(name);
    expect(initializer.formula).not.toBe("");
    expect(initializer.source).not.toBe("");
    expect(initializer.draw([3, 2, 2], { kind: "convolution", groups: 1, transposed: false }, stream())).toHaveLength(
      12,
    );
    const bias = initializer.bias(3, [3, 2], linear, stream());
    expect(
      bias.some((value) => value !== 0),
      name,
    ).toBe(name === "pytorch-default");
  }
});

test("names, aliases and short names", () => {
  expect(parseInitializer("he").name).toBe("he-normal");
  expect(parseInitializer("kaiming_uniform").name).toBe("he-uniform");
  expect(parseInitializer("Glorot").name).toBe("xavier-normal");
  expect(parseInitializer("glorot-truncated").name).toBe("xavier-truncated");
  for (const name of initializerNames().filter((known) => known !== "constant:VALUE")) {
    expect(initializerNames()).toContain(parseInitializer(name).name);
  }
});

test.each([
  ["xaviar", "Did you mean xavier?"],
  ["he-unifrom", "Did you mean he-uniform?"],
  ["orthogonal-normal", "Did you mean orthogonal?"],
  ["constructor", "Known are"],
  ["__proto__-normal", "Known are"],
  ["", "Known are"],
  ["constant:", "finite number"],
  ["constant:nan", "finite number"],
  ["constant:1e99", "finite number"],
])("refuses %o", (name, message) => {
  expect(() => parseInitializer(name, "--start")).toThrow(UserError);
  expect(() => parseInitializer(name, "--start")).toThrow(message);
  expect(() => parseInitializer(name, "--start")).toThrow(/^--start: /);
});

test("a layer's values depend on the seed and its name alone", () => {
  const he = parseInitializer("he");
  const pytorch = parseInitializer("pytorch-default");
  const layer = (name: string) => ({
    weight: name,
    shape: [8, 8],
    layout: linear,
    bias: { name: `${name}.b`, count: 8 },
  });
  const first = drawLayer(he, layer("first"), 3).weight;
  drawLayer(he, layer("other"), 3);
  expect(drawLayer(he, layer("first"), 3).weight).toEqual(first);
  expect(drawLayer(he, layer("second"), 3).weight).not.toEqual(first);
  expect(drawLayer(he, layer("first"), 4).weight).not.toEqual(first);
  expect(drawLayer(he, { weight: "first", shape: [8, 8], layout: linear }, 3)).toEqual({
    weight: first,
    bias: undefined,
  });
  const { weight, bias } = drawLayer(pytorch, layer("first"), 3);
  expect(weight.slice(0, 8)).not.toEqual(bias);
  expect(drawLayer(he, layer("first"), 3).bias).toEqual(new Float32Array(8));
});

// Sums of fan-in and fan-out as the kernels of Keras 3.15.1 have them: 6 over the square of the largest of many weights.
const channels = (groups: number, transposed = false): WeightLayout => ({ kind: "convolution", groups, transposed });
const inputsFirst: WeightLayout = { kind: "matrix", inputAxis: 0 };
test.each<[string, number[], WeightLayout, number]>([
  ["query of MultiHeadAttention(4, 30): [50, 4, 30]", [50, 120], inputsFirst, 170],
  ["key: [20, 4, 30]", [20, 120], inputsFirst, 140],
  ["value: [20, 4, 10]", [20, 40], inputsFirst, 60],
  ["attention_output: [4, 10, 50]", [40, 50], inputsFirst, 90],
  ["Conv2D(8, 3, groups=4): [3, 3, 4, 8]", [8, 4, 3, 3], channels(4), 108],
  ["DepthwiseConv2D(3, depth_multiplier=2): [3, 3, 8, 2]", [16, 1, 3, 3], channels(8), 90],
  ["SeparableConv2D(40, 3, depth_multiplier=3): [3, 3, 16, 3]", [48, 1, 3, 3], channels(16), 171],
  ["Conv2DTranspose(32, 3): [3, 3, 32, 16]", [16, 32, 3, 3], channels(1, true), 432],
  ["LSTM(20): [30, 80]", [80, 30], linear, 110],
])("keras-default has Keras' fans of %s", (_, shape, layout, sum) => {
  const drawn = parseInitializer("keras-default").draw(shape, layout, stream());
  const largest = drawn.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(largest).toBeLessThanOrEqual(Math.fround(Math.sqrt(6 / sum)));
  expect(largest).toBeGreaterThan(Math.sqrt(6 / sum) * (1 - 20 / drawn.length));
});
