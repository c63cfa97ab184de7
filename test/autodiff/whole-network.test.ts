import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import type { Value } from "../../src/graph/builder.js";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import type { Emitter } from "../../src/ops/emitter.js";
import { batchNormalizationTraining } from "../../src/ops/normalizations.js";
import { checkGradients } from "../support/check-gradients.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

/** Mean cross-entropy of logits against one-hot labels. */
function crossEntropy(emit: Emitter, logits: Value, labels: Value): Value {
  const logarithms = emit.one("LogSoftmax", [logits]);
  return emit.negate(emit.reduceMean(emit.reduceSum(emit.multiply(logarithms, labels), [1]), [0]));
}

function layer(emit: Emitter, x: Value, weight: Value, bias: Value): Value {
  return emit.one("Gemm", [x, weight, bias], { transB: attribute.int(1) });
}

const [samples, features, hidden, classes] = [6, 5, 7, 3];
const labels = floatTensor(
  Array.from({ length: samples * classes }, (_, index) =>
    Math.floor(index / classes) % classes === index % classes ? 1 : 0,
  ),
  [samples, classes],
);
const inputs: Record<string, Tensor> = {
  x: normalTensor("x", [samples, features]),
  w1: normalTensor("w1", [hidden, features], 0.6),
  b1: normalTensor("b1", [hidden], 0.3),
  w2: normalTensor("w2", [classes, hidden], 0.6),
  b2: normalTensor("b2", [classes], 0.3),
  labels,
};
const parameters = ["w1", "b1", "w2", "b2"];

function perceptron(emit: Emitter, values: Record<string, Value>, activate: (a: Value) => Value): Value {
  return layer(emit, activate(layer(emit, values.x, values.w1, values.b1)), values.w2, values.b2);
}

/** The same network's gradients by the textbook's formulas, in float64. */
function byHand(): Record<string, number[]> {
  const read = (name: string): number[] => numbersOf(inputs[name]);
  const [x, w1, b1, w2, b2, targets] = ["x", ...parameters, "labels"].map(read);
  const found: Record<string, number[]> = Object.fromEntries(parameters.map((name) => [name, read(name).map(() => 0)]));
  for (let sample = 0; sample < samples; sample++) {
    const input = x.slice(sample * features, (sample + 1) * features);
    const h = b1.map((bias, unit) =>
      Math.tanh(input.reduce((sum, each, i) => sum + each * w1[unit * features + i], bias)),
    );
    const logits = b2.map((bias, unit) => h.reduce((sum, each, i) => sum + each * w2[unit * hidden + i], bias));
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    const atLogits = logits.map(
      (logit, unit) => (Math.exp(logit) / total - targets[sample * classes + unit]) / samples,
    );
    const atHidden = h.map(
      (each, i) => (1 - each * each) * atLogits.reduce((sum, delta, unit) => sum + delta * w2[unit * hidden + i], 0),
    );
    atLogits.forEach((delta, unit) => {
      found.b2[unit] += delta;
      h.forEach((each, i) => {
        found.w2[unit * hidden + i] += delta * each;
      });
    });
    atHidden.forEach((delta, unit) => {
      found.b1[unit] += delta;
      input.forEach((each, i) => {
        found.w1[unit * features + i] += delta * each;
      });
    });
  }
  return found;
}

describe("a perceptron with cross-entropy", () => {
  it("has the textbook's gradients", async () => {
    const results = await runGraph(inputs, (emit, values) => {
      const loss = crossEntropy(emit, perceptron(emit, values, emit.tanh), values.labels);
      const found = gradients(
        emit,
        [{ value: loss }],
        parameters.map((name) => values[name]),
      );
      return Object.fromEntries(found.map((gradient, index) => [`gradient/${parameters[index]}`, gradient!]));
    });
    for (const [name, expected] of Object.entries(byHand())) {
      expect(results[`gradient/${name}`].shape).toEqual(inputs[name].shape);
      const actual = numbersOf(results[`gradient/${name}`]);
      const size = Math.hypot(...expected);
      expect(Math.hypot(...expected.map((element, index) => element - actual[index])) / size).toBeLessThan(1e-6);
    }
  });

  it("has an input gradient whose penalty can be differentiated (R1)", async () => {
    await checkGradients(
      inputs,
      (emit, values) => {
        const score = emit.reduceSum(perceptron(emit, values, emit.softplus));
        const [slope] = gradients(emit, [{ value: score }], [values.x]);
        return emit.reduceMean(emit.reduceSum(emit.square(slope!), [1]));
      },
      { fixed: ["labels"], order: 1, step: 5e-3 },
    );
  });
});

describe("a network with attention, residuals and normalizations", () => {
  const [batch, length, width] = [2, 3, 4];
  const tokens: Record<string, Tensor> = {
    x: normalTensor("tokens", [batch, length, width]),
    query: normalTensor("query", [width, width], 0.5),
    key: normalTensor("key", [width, width], 0.5),
    content: normalTensor("content", [width, width], 0.5),
    scale: normalTensor("scale", [width], 0.2, 1),
    shift: normalTensor("shift", [width], 0.2),
    w: normalTensor("w", [classes, width], 0.5),
    b: normalTensor("b", [classes], 0.2),
    labels: floatTensor([1, 0, 0, 0, 0, 1], [batch, classes]),
  };

  it("agrees with differences to second order", async () => {
    await checkGradients(
      tokens,
      (emit, v) => {
        const [query, key, content] = [v.query, v.key, v.content].map((weight) => emit.matmul(v.x, weight));
        const scores = emit.scale(emit.matmul(query, emit.transposeMatrix(key)), 1 / Math.sqrt(width));
        const mixed = emit.matmul(emit.one("Softmax", [scores]), content);
        const normal = emit.one("LayerNormalization", [emit.add(v.x, mixed), v.scale, v.shift], {
          epsilon: attribute.float(0.1),
        });
        const pooled = emit.reduceMean(emit.one("Gelu", [normal]), [1]);
        return crossEntropy(emit, layer(emit, pooled, v.w, v.b), v.labels);
      },
      { fixed: ["labels"] },
    );
  });

  it("agrees with differences through batch statistics", async () => {
    await checkGradients(
      { ...inputs, scale: normalTensor("s", [hidden], 0.2, 1), shift: normalTensor("t", [hidden], 0.2) },
      (emit, v) => {
        const before = layer(emit, v.x, v.w1, v.b1);
        const [zero, one] = [emit.filled(0, [hidden]), emit.filled(1, [hidden])];
        const { output } = batchNormalizationTraining(emit, before, v.scale, v.shift, zero, one);
        return crossEntropy(emit, layer(emit, emit.sigmoid(output), v.w2, v.b2), v.labels);
      },
      { fixed: ["labels"], step: 5e-3 },
    );
  });
});
