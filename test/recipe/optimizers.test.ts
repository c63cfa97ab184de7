import { describe, expect, it } from "vitest";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { clipGradients, optimizerScalars, optimizerSlots, optimizerStep } from "../../src/recipe/optimizers.js";
import { type OptimizerSettings, parseRecipe } from "../../src/recipe/recipe.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

function settings(given: Partial<OptimizerSettings>): OptimizerSettings {
  return parseRecipe({ reconstruction: { weight: 1 }, generatorOptimizer: given }, "test").generatorOptimizer;
}

const start = numbersOf(normalTensor("start", [6]));
/** Gradients of five steps; one is nothing, one large. */
const slopes = [1, 1e-3, 0, 50, 1].map((scale, step) => numbersOf(normalTensor(`slope/${step}`, [6], scale)));
const rates = [0.1, 0.1, 0.05, 0.02, 0.01];

/** The steps in float64, each formula as its paper has it. */
function reference({ kind, momentum, secondMoment, epsilon, weightDecay }: OptimizerSettings): number[] {
  return start.map((first, index) => {
    let parameter = first;
    let velocity = 0;
    let m = 0;
    let v = 0;
    slopes.forEach((gradients, step) => {
      const rate = rates[step];
      const t = step + 1;
      const gradient = gradients[index] + (kind === "adamw" ? 0 : weightDecay * parameter);
      if (kind === "sgd") {
        velocity = momentum * velocity + gradient;
        parameter -= rate * velocity;
        return;
      }
      m = momentum * m + (1 - momentum) * gradient;
      v = secondMoment * v + (1 - secondMoment) * gradient ** 2;
      if (kind === "adamw") parameter -= rate * weightDecay * parameter;
      parameter -= (rate * (m / (1 - momentum ** t))) / (Math.sqrt(v / (1 - secondMoment ** t)) + epsilon);
    });
    return parameter;
  });
}

/** The same steps by the emitted graph. */
async function emitted(given: OptimizerSettings): Promise<number[]> {
  let parameter = floatTensor(start);
  let state = optimizerSlots(given).map(() => floatTensor(new Float32Array(start.length)));
  for (const [step, gradient] of slopes.entries()) {
    const [rate, first, second] = optimizerScalars(given, step + 1, rates[step]);
    const slots = Object.fromEntries(state.map((tensor, index) => [`slot${index}`, tensor]));
    const results = await runGraph(
      {
        parameter,
        gradient: floatTensor(gradient),
        rate: floatTensor([rate], []),
        first: floatTensor([first], []),
        second: floatTensor([second], []),
        ...slots,
      },
      (emit, v) => {
        const next = optimizerStep(
          emit,
          given,
          { learningRate: v.rate, firstCorrection: v.first, secondCorrection: v.second },
          v.parameter,
          v.gradient,
          Object.keys(slots).map((name) => v[name]),
        );
        return {
          next: next.parameter,
          ...Object.fromEntries(next.slots.map((value, index) => [`next${index}`, value])),
        };
      },
    );
    parameter = floatTensor(numbersOf(results.next));
    state = state.map((_, index) => floatTensor(numbersOf(results[`next${index}`])));
  }
  return numbersOf(parameter);
}

describe("optimizerStep", () => {
  it.each<Partial<OptimizerSettings>>([
    { kind: "sgd", momentum: 0 },
    { kind: "sgd", momentum: 0.9 },
    { kind: "sgd", momentum: 0.9, weightDecay: 0.1 },
    { kind: "adam" },
    { kind: "adam", momentum: 0 },
    { kind: "adam", momentum: 0.5, secondMoment: 0.99, epsilon: 1e-3, weightDecay: 0.1 },
    { kind: "adamw", weightDecay: 0.1 },
    { kind: "adamw", weightDecay: 0 },
  ])("%j follows its paper over several steps", async (given) => {
    const full = settings(given);
    const expected = reference(full);
    (await emitted(full)).forEach((value, index) => {
      expect(Math.abs(value - expected[index])).toBeLessThan(2e-6 * Math.max(1, Math.abs(expected[index])));
    });
  });

  it("keeps only what the optimiser needs", () => {
    expect(optimizerSlots(settings({ kind: "sgd", momentum: 0 }))).toEqual([]);
    expect(optimizerSlots(settings({ kind: "sgd" }))).toEqual(["velocity"]);
    expect(optimizerSlots(settings({ kind: "adamw" }))).toEqual(["first-moment", "second-moment"]);
  });
});

describe("clipGradients", () => {
  const a = normalTensor("a", [2, 3]);
  const b = normalTensor("b", [4]);
  const norm = Math.hypot(...numbersOf(a), ...numbersOf(b));
  const clip = (limit: number, factor = 1) =>
    runGraph({ a, b }, (emit, v) => {
      const clipped = clipGradients(emit, [emit.scale(v.a, factor), emit.scale(v.b, factor)], limit);
      return { "clipped/a": clipped.gradients[0], "clipped/b": clipped.gradients[1], norm: clipped.norm };
    });

  it.each([
    [0, 1],
    [norm * 2, 1],
    [norm / 4, 0.25],
  ])("a limit of %d scales by %d", async (limit, factor) => {
    const clipped = await clip(limit);
    expect(numbersOf(clipped.norm)[0]).toBeCloseTo(norm, 5);
    for (const [name, tensor] of Object.entries({ a, b }))
      numbersOf(clipped[`clipped/${name}`]).forEach((value, index) => {
        expect(value).toBeCloseTo(factor * numbersOf(tensor)[index], 5);
      });
  });

  it("leaves gradients of nothing as they are", async () => {
    const clipped = await clip(1, 0);
    expect(numbersOf(clipped.norm)).toEqual([0]);
    expect(numbersOf(clipped["clipped/a"]).every((value) => value === 0)).toBe(true);
  });
});
