import { describe, expect, it } from "vitest";
import type { Operator } from "../../src/ops/operator.js";
import { operators } from "../../src/ops/table.js";
import { checkGradients } from "./check-gradients.js";
import { normalTensor } from "./run-graph.js";

const x = normalTensor("x", [3, 4]);
const y = normalTensor("y", [4]);

/** Runs a body while an operator has another gradient. */
async function withGradient(
  op: "Tanh" | "Mul" | "Identity",
  gradient: Operator["gradient"],
  body: () => Promise<unknown>,
) {
  const entry = operators[op] as { gradient: Operator["gradient"] };
  const own = entry.gradient;
  entry.gradient = gradient;
  try {
    await body();
  } finally {
    entry.gradient = own;
  }
}

const checkTanh = (): Promise<unknown> => checkGradients({ x }, (emit, values) => emit.tanh(values.x));
const checkProduct = (): Promise<unknown> =>
  checkGradients({ x, y }, (emit, values) => emit.multiply(values.x, values.y));

describe("checkGradients", () => {
  it("accepts right rules and says how well they agree", async () => {
    const found = await checkGradients({ x, y }, (emit, values) => emit.tanh(emit.multiply(values.x, values.y)));
    expect(found.first).toBeLessThan(2e-3);
    expect(found.second).toBeLessThan(1e-2);
  });

  it("refuses a rule that is one percent off", async () => {
    await withGradient(
      "Tanh",
      [
        ({ emit, gradient, outputs: [t] }) =>
          emit.scale(emit.multiply(gradient, emit.subtract(emit.scalar(1), emit.square(t))), 1.01),
      ],
      () => expect(checkTanh()).rejects.toThrow("first-order gradients disagree"),
    );
  });

  it("refuses a rule that forgets one operand", async () => {
    await withGradient("Mul", [({ emit, gradient, inputs }) => emit.multiply(gradient, inputs[1]!), "none"], () =>
      expect(checkProduct()).rejects.toThrow("first-order gradients disagree"),
    );
  });

  it("refuses a rule whose value is right but whose own gradient is not", async () => {
    // 1 − t² with t behind an Identity that lets no gradient through.
    const cutOff: Operator["gradient"] = [
      ({ emit, gradient, outputs }) => {
        const t = emit.one("Identity", [outputs[0]]);
        return emit.multiply(gradient, emit.subtract(emit.scalar(1), emit.square(t)));
      },
    ];
    await withGradient("Identity", "none", () =>
      withGradient("Tanh", cutOff, async () => {
        await expect(checkTanh()).rejects.toThrow("second-order gradients disagree");
        const found = await checkGradients({ x }, (emit, values) => emit.tanh(values.x), { order: 1 });
        expect(found.second).toBeUndefined();
      }),
    );
  });

  it("refuses gradients that are not numbers", async () => {
    await withGradient(
      "Tanh",
      [({ emit, gradient }) => emit.divide(emit.subtract(gradient, gradient), emit.scalar(0))],
      () => expect(checkTanh()).rejects.toThrow("first-order gradients disagree"),
    );
  });

  it("leaves fixed inputs alone", async () => {
    await withGradient(
      "Mul",
      [({ emit, gradient, inputs }) => emit.multiply(gradient, inputs[1]!), "none"],
      async () => {
        const found = await checkGradients({ x, y }, (emit, values) => emit.multiply(values.x, values.y), {
          fixed: ["y"],
        });
        expect(found.first).toBeLessThan(2e-3);
      },
    );
  });
});
