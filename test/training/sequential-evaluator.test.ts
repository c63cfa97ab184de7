import { beforeEach, describe, expect, it, vi } from "vitest";
import { mergeUnitStatistics, type UnitStatistics, unitStatistics } from "../../src/initializers/conditioning.js";
import { initialWeights, type Weights } from "../../src/recipe/initial-values.js";
import { evaluate } from "../../src/training/evaluate.js";
import { SequentialEvaluator } from "../../src/training/sequential-evaluator.js";
import { StagedEvaluator } from "../../src/training/staged-evaluator.js";
import { toyDataset } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const depth = 6;

/** Each layer reads the samples beside what the layer before gives; the last one has the second one's weight, transposed. */
function deepNetwork() {
  const net = new TestNetwork();
  const targets: string[] = [];
  let value = "x";
  for (let layer = 0; layer < depth; layer++) {
    const size = layer === 0 ? 5 : 10;
    targets.push(net.node("Gemm", [value, net.weight(`w${layer}`, [size, 5]), net.weight(`b${layer}`, [5])]));
    value = net.node("Concat", [net.node("Tanh", [targets[layer]]), "x"], { axis: 1 });
  }
  targets.push(net.node("Gemm", [net.node("Tanh", [targets[depth - 1]]), "w1"], { transB: 1 }));
  return { network: net.build([5], targets[depth]), targets };
}

const { network, targets } = deepNetwork();
const dataset = toyDataset([5], 40);
const indices = Array.from({ length: 37 }, (_, index) => (3 * index) % 40);
const options = { threads: 1, batchSize: 16 };
const batches = 3;

async function expectRight(evaluator: SequentialEvaluator, layer: number, weights: Weights): Promise<void> {
  let found: UnitStatistics | undefined;
  await evaluator.evaluate(targets[layer], weights, ({ data, shape }) => {
    const measured = unitStatistics(data, shape, -1);
    found = found ? mergeUnitStatistics(found, measured) : measured;
  });
  const { data, shape } = await evaluate(network, targets[layer], weights, dataset, indices, options);
  const expected = unitStatistics(data, shape, -1);
  expect(found?.count).toBe(indices.length);
  expected.mean.forEach((value, unit) => {
    expect(found?.mean[unit]).toBeCloseTo(value, 5);
    expect(found?.std[unit]).toBeCloseTo(expected.std[unit], 5);
  });
}

function scaled(weights: Weights, name: string): Weights {
  return new Map(weights).set(
    name,
    weights.get(name)!.map((value) => 1.7 * value),
  );
}

describe.each([
  ["with values held between layers", 256e6],
  ["where nothing can be held", 0],
])("SequentialEvaluator, %s", (_, heldBytes) => {
  let weights: Weights;
  let evaluator: SequentialEvaluator;
  beforeEach(async () => {
    weights = initialWeights(network, "file", 0);
    evaluator = await SequentialEvaluator.open(network, targets, dataset, indices, { ...options, heldBytes });
    return () => evaluator.release();
  });

  it("measures each layer behind those whose weights have been changed after they were measured", async () => {
    const run = vi.spyOn(StagedEvaluator.prototype, "run");
    try {
      for (let layer = 0; layer < depth; layer++) {
        await expectRight(evaluator, layer, weights);
        weights = scaled(weights, `w${layer}`);
      }
      // The first layer once, the others once to be measured and once with their last weights; or each in one stage.
      expect(run).toHaveBeenCalledTimes(batches * (heldBytes > 0 ? 2 * depth - 1 : depth));
    } finally {
      run.mockRestore();
    }
  });

  it("begins anew where a weight has changed that values were computed with", async () => {
    for (const layer of [0, 1, 2, 3]) await expectRight(evaluator, layer, weights);
    weights = scaled(weights, "w0");
    await expectRight(evaluator, 4, weights);
    // w1 is the last layer's too.
    weights = scaled(weights, "w1");
    await expectRight(evaluator, depth, weights);
  });

  it("goes back to a layer in front", async () => {
    for (const layer of [3, 1, 4, 4]) await expectRight(evaluator, layer, weights);
  });
});
