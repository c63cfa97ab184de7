import { describe, expect, it } from "vitest";
import { networkCost, nodeCost } from "../../src/ops/cost.js";
import { Emitter } from "../../src/ops/emitter.js";
import { instantiate } from "../../src/ops/instantiate.js";
import { TestNetwork } from "../support/write-network.js";

const shaped = (...shape: number[]) => ({ shape });

describe("nodeCost", () => {
  it("counts the multiply-adds of a layer", () => {
    const cost = (op: string, inputs: number[][], output: number[]): number =>
      nodeCost({ op, inputs: inputs.map((shape) => shaped(...shape)), outputs: [shaped(...output)] });
    expect(
      cost(
        "Conv",
        [
          [2, 4, 8, 8],
          [6, 2, 3, 3],
        ],
        [2, 6, 6, 6],
      ),
    ).toBe(2 * 6 * 36 * 2 * 9);
    expect(
      cost(
        "ConvTranspose",
        [
          [2, 6, 6, 6],
          [6, 2, 3, 3],
        ],
        [2, 4, 8, 8],
      ),
    ).toBe(2 * 6 * 36 * 2 * 9);
    expect(
      cost(
        "Gemm",
        [
          [3, 5],
          [7, 5],
        ],
        [3, 7],
      ),
    ).toBe(3 * 5 * 7);
    expect(
      cost(
        "Gemm",
        [
          [5, 3],
          [5, 7],
        ],
        [3, 7],
      ),
    ).toBe(3 * 5 * 7);
    expect(
      cost(
        "MatMul",
        [
          [2, 3, 5],
          [5, 7],
        ],
        [2, 3, 7],
      ),
    ).toBe(2 * 3 * 5 * 7);
    expect(cost("Relu", [[3, 5]], [3, 5])).toBe(0);
  });
});

describe("networkCost", () => {
  it("is that of one sample, whatever the batch, and leaves out what does not depend on samples", () => {
    const net = new TestNetwork();
    const product = net.node("MatMul", [net.weight("a", [4, 6]), net.weight("b", [6, 3])]);
    const feature = net.node("MatMul", [net.node("Relu", ["x"]), product]);
    const network = net.build([4], feature);
    for (const batch of [1, 7]) {
      const emit = new Emitter();
      const { steps } = instantiate({
        emit,
        network,
        input: emit.input("x", "float32", [batch, 4]),
        targets: [feature],
        parameter: (name) => emit.constant(network.tensors.get(name)!),
        normalization: "batch",
      });
      expect(networkCost(steps)).toBe(12);
    }
    expect(networkCost([])).toBe(0);
  });
});
