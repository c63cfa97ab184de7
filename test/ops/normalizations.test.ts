import { describe, expect, it, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import type { Value } from "../../src/graph/builder.js";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, numbersOf, sizeOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { normalizationNames } from "../../src/ops/names.js";
import {
  batchNormalizationTraining,
  groupNormalizationOf,
  groupNormalizationPerChannel,
} from "../../src/ops/normalizations.js";
import { checkGradients } from "../support/check-gradients.js";
import { expectGradients, expectShapesAsRun, type OperatorCase, titleOf } from "../support/check-operator.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

const image = normalTensor("image", [2, 4, 3, 2], 1.5, 0.5);
const table = normalTensor("table", [5, 4], 1.5, 0.5);
const scale = normalTensor("scale", [4], 0.3, 1);
const bias = normalTensor("bias", [4]);
const mean = normalTensor("mean", [4]);
const variance = floatTensor([0.8, 1.5, 2, 0.6]);
const epsilon = { epsilon: attribute.float(0.1) };

const cases: OperatorCase[] = [
  { op: "BatchNormalization", inputs: [image, scale, bias, mean, variance] },
  {
    op: "BatchNormalization",
    variant: "of vectors",
    inputs: [table, scale, bias, mean, variance],
    attributes: epsilon,
  },
  { op: "InstanceNormalization", inputs: [image, scale, bias] },
  {
    op: "InstanceNormalization",
    variant: "1-D, epsilon 0.1",
    inputs: [normalTensor("signal", [2, 4, 5]), scale, bias],
    attributes: epsilon,
  },
  { op: "LayerNormalization", inputs: [table, scale, bias] },
  { op: "LayerNormalization", variant: "no bias, epsilon 0.1", inputs: [table, scale], attributes: epsilon },
  {
    op: "LayerNormalization",
    variant: "from axis 1 on",
    inputs: [normalTensor("x", [3, 2, 4]), normalTensor("scale", [2, 4]), normalTensor("bias", [2, 4])],
    attributes: { axis: attribute.int(1) },
  },
  { op: "LayerNormalization", variant: "three outputs", inputs: [table, scale, bias], outputCount: 3 },
  {
    op: "GroupNormalization",
    inputs: [image, normalTensor("scale", [2], 0.3, 1), normalTensor("bias", [2])],
    attributes: { num_groups: attribute.int(2) },
  },
  {
    op: "GroupNormalization",
    variant: "one group, epsilon 0.1",
    inputs: [image, floatTensor([1.2]), floatTensor([0.3])],
    attributes: { num_groups: attribute.int(1), ...epsilon },
  },
];

describe("types and shapes are those of ONNX Runtime", () => {
  test.each(cases.map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectShapesAsRun(each);
  });

  it("has cases for every operator", () => {
    const tested = new Set(cases.map(({ op }) => op));
    expect(normalizationNames.filter((name) => !tested.has(name))).toEqual([]);
  });

  it.each([
    ["BatchNormalization", [[2, 3], [3], [3], [3], [4]], {}, "its input 5 has shape [4], not [3]"],
    ["BatchNormalization", [[2, 3], [3], [3], [3], [3]], { training_mode: attribute.int(1) }, "in training mode"],
    ["InstanceNormalization", [[2, 3], [3], [3]], {}, "needs axes for batch, channels and at least one more"],
    ["GroupNormalization", [[2, 3, 4], [2], [2]], { num_groups: attribute.int(2) }, "3 channels do not make 2 groups"],
    ["LayerNormalization", [[2, 3], [4]], {}, "do not broadcast"],
  ] as const)("%s of %j is refused", (op, shapes, attributes, message) => {
    const emit = new Emitter();
    const inputs = shapes.map((shape, index) => emit.input(`${index}`, "float32", [...shape]));
    expect(() => emit.one(op, inputs, attributes)).toThrow(message);
  });
});

describe("gradients agree with differences", () => {
  test.each(cases.map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectGradients({ ...each, check: { step: 5e-3, tolerance: 4e-3 } });
  });
});

describe("batch normalization that trains", () => {
  const inputs = { x: image, scale, bias, runningMean: mean, runningVariance: variance };

  it("normalizes with the batch's statistics and moves the running ones", async () => {
    const results = await runGraph(inputs, (emit, fed) => {
      const settings = { epsilon: 0.01, momentum: 0.8 };
      const { x, scale, bias, runningMean, runningVariance } = fed;
      const made = batchNormalizationTraining(emit, x, scale, bias, runningMean, runningVariance, settings);
      return { output: made.output, newMean: made.runningMean, newVariance: made.runningVariance };
    });
    for (let channel = 0; channel < 4; channel++) {
      const places = Array.from(image.data.keys()).filter((place) => Math.floor(place / 6) % 4 === channel);
      const own = places.map((place) => image.data[place]);
      const average = own.reduce((a, b) => a + b) / own.length;
      const spread = own.reduce((total, element) => total + (element - average) ** 2, 0) / own.length;
      for (const place of places) {
        const standard = (image.data[place] - average) / Math.sqrt(spread + 0.01);
        expect(numbersOf(results.output)[place]).toBeCloseTo(standard * scale.data[channel] + bias.data[channel], 5);
      }
      expect(numbersOf(results.newMean)[channel]).toBeCloseTo(0.8 * mean.data[channel] + 0.2 * average, 5);
      expect(numbersOf(results.newVariance)[channel]).toBeCloseTo(0.8 * variance.data[channel] + 0.2 * spread, 5);
    }
  });

  it.each([
    ["pictures", image],
    ["vectors", table],
  ])("has gradients that agree with differences, on %s", async (_, x) => {
    await checkGradients(
      { ...inputs, x },
      (emit, fed) =>
        batchNormalizationTraining(emit, fed.x, fed.scale, fed.bias, fed.runningMean, fed.runningVariance).output,
      { step: 5e-3, tolerance: 4e-3 },
    );
  });

  it("has gradients that have gradients", async () => {
    const weight = normalTensor("weight", image.shape);
    await checkGradients(
      { ...inputs, weight },
      (emit, { weight, ...fed }) => {
        const { output } = batchNormalizationTraining(
          emit,
          fed.x,
          fed.scale,
          fed.bias,
          fed.runningMean,
          fed.runningVariance,
        );
        const [slope] = gradients(emit, [{ value: emit.multiply(output, weight) }], [fed.x]);
        return slope as Value;
      },
      { step: 5e-3, tolerance: 4e-3 },
    );
  });

  it("sends gradients through the batch's statistics in few passes over x", () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", image.shape);
    const [s, b, m, v] = ["s", "b", "m", "v"].map((name) => emit.input(name, "float32", [4]));
    const { output } = batchNormalizationTraining(emit, x, s, b, m, v);
    const g = emit.input("g", "float32", x.shape);
    const slopes = gradients(emit, [{ value: output, gradient: g }], [x, s, b]);
    slopes.forEach((slope, index) => {
      emit.output(`slope${index}`, emit.reshape(slope as Value, [sizeOf((slope as Value).shape), 1]));
    });
    const shapes = new Map(emit.nodes.map(({ name, outputs: [made] }) => [name, made.shape.join()]));
    const large = emit.build("model").nodes.filter(({ name }) => shapes.get(name) === x.shape.join());
    // x − mean, its square for the variance, its product with g; then the gradient itself.
    const ops = large.map(({ op }) => op);
    expect(ops.slice(0, 2)).toEqual(["Sub", "Mul"]);
    expect(ops.slice(2).sort()).toEqual(["Add", "Add", "Mul", "Mul", "Mul"]);
  });
});

describe("group normalization", () => {
  it.each([2, 4])("keeps its digits where means are large, with %i scales", async (count) => {
    const far = normalTensor("far", [2, 4, 8], 1, 1000);
    const own = floatTensor(scale.data.slice(0, count));
    const { y } = await runGraph({ far, own, shift: floatTensor(bias.data.slice(0, count)) }, (emit, fed) => ({
      y: groupNormalizationOf(emit, [fed.far, fed.own, fed.shift], { num_groups: attribute.int(2) }),
    }));
    for (let group = 0; group < 4; group++) {
      const values = Array.from(far.data.slice(16 * group, 16 * (group + 1)));
      const mean = values.reduce((a, b) => a + b) / values.length;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      values.forEach((value, place) => {
        const at = Math.floor(((group % 2) * 2 + Math.floor(place / 8)) / (4 / count));
        const wanted = ((value - mean) / Math.sqrt(variance + 1e-5)) * scale.data[at] + bias.data[at];
        expect(Math.abs(numbersOf(y)[16 * group + place] - wanted)).toBeLessThan(1e-3);
      });
    }
  });

  it("says what does not fit", () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [2, 3, 4]);
    const two = emit.input("two", "float32", [2]);
    const attributes = { num_groups: attribute.int(2) };
    expect(() => groupNormalizationOf(emit, [x, two, two], attributes)).toThrow("3 channels do not make 2 groups");
    const even = emit.input("even", "float32", [2, 4, 4]);
    expect(() => groupNormalizationOf(emit, [even, two], attributes)).toThrow("needs its input 3");
  });
});

describe("group normalization with a scale a channel", () => {
  it("is instance normalization where every channel is a group", async () => {
    const { grouped, single } = await runGraph({ image, scale, bias }, (emit, fed) => ({
      grouped: groupNormalizationPerChannel(emit, fed.image, fed.scale, fed.bias, { groups: 4 }),
      single: emit.one("InstanceNormalization", [fed.image, fed.scale, fed.bias]),
    }));
    numbersOf(single).forEach((element, index) => {
      expect(numbersOf(grouped)[index]).toBeCloseTo(element, 5);
    });
  });

  it("has gradients that agree with differences", async () => {
    await checkGradients(
      { image, scale, bias },
      (emit, fed) => groupNormalizationPerChannel(emit, fed.image, fed.scale, fed.bias, { groups: 2, epsilon: 0.1 }),
      { step: 5e-3, tolerance: 4e-3 },
    );
  });
});
