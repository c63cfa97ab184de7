import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.js";
import { type FloatTensor, floatTensor, sizeOf } from "../../src/graph/tensor.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { buildDiscriminator } from "../../src/recipe/discriminator.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { newClassifier } from "../../src/recipe/new-network.js";
import { pretrainingGraph } from "../../src/recipe/pretraining-graph.js";
import { builtInRecipe, parseRecipe } from "../../src/recipe/recipe.js";
import { supervisedGraph } from "../../src/recipe/supervised-graph.js";
import { nextName, type TrainingGraph } from "../../src/recipe/training-graph.js";
import { rewriteForCpu } from "../../src/rewrite/rewrite-for-cpu.js";
import { channelBlock } from "../../src/runtime/channel-block.js";
import { openSession } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";

const fewSamples = 4;
const block = await channelBlock();

function features(template: string, inputShape: readonly number[]) {
  return featureExtractor(
    analyzeNetwork(newClassifier({ template, inputShape, widths: template === "mlp" ? [64] : [16, 32] }), {
      where: "model.onnx",
    }),
  );
}

function pretraining(
  template: string,
  inputShape: readonly number[],
  recipe: string,
  batchSize = fewSamples,
): TrainingGraph {
  // Plain gradients tell more than Adam's steps, whose size does not depend on theirs.
  const optimizer = { kind: "sgd", momentum: 0.5 } as const;
  return pretrainingGraph({
    features: features(template, inputShape),
    recipe: parseRecipe(
      { ...builtInRecipe(recipe), generatorOptimizer: optimizer, discriminatorOptimizer: optimizer },
      "test",
    ),
    task: "none",
    batchSize,
    lastActivation: "none",
    discriminator: buildDiscriminator({ kind: "auto", sampleShape: inputShape }),
  });
}

function supervised(template: string, inputShape: readonly number[], batchSize = fewSamples): TrainingGraph {
  const { generatorOptimizer: optimizer } = parseRecipe({ reconstruction: { weight: 1 } }, "test");
  return supervisedGraph({ features: features(template, inputShape), loss: "cross-entropy", optimizer, batchSize });
}

function feedsOf({ state, feeds }: TrainingGraph): Record<string, FloatTensor> {
  const fed: Record<string, FloatTensor> = {};
  for (const { name, shape, parameter } of state)
    fed[name] = parameter ? normalTensor(name, shape, 0.1) : floatTensor(new Float32Array(sizeOf(shape)), shape);
  for (const { name, shape } of feeds)
    fed[name] = shape.length === 0 ? floatTensor([0.5], shape) : normalTensor(name, shape);
  return fed;
}

async function run(graph: Graph, feeds: Record<string, FloatTensor>) {
  const session = await openSession(graph, { threads: 2 });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

describe("rewriteForCpu", () => {
  // The recipe `adversarial` has penalties on D's gradients: second order.
  it.each([
    ["cnn, paper", pretraining("cnn", [3, 32, 32], "paper")],
    ["cnn, adversarial", pretraining("cnn", [3, 32, 32], "adversarial")],
    ["cnn, default", pretraining("cnn", [3, 32, 32], "default")],
    ["cnn1d, adversarial", pretraining("cnn1d", [16, 128], "adversarial")],
    ["resnet, paper", pretraining("resnet", [3, 16, 16], "paper")],
    ["mlp, adversarial", pretraining("mlp", [100], "adversarial")],
    ["resnet, supervised", supervised("resnet", [3, 16, 16])],
    // Filters' gradients take samples in blocks.
    ["cnn, paper, blocks of samples", pretraining("cnn", [3, 32, 32], "paper", 2 * (block ?? 16))],
    ["cnn1d, paper, blocks of samples", pretraining("cnn1d", [16, 128], "paper", block ?? 16)],
    ["resnet, supervised, blocks of samples", supervised("resnet", [3, 32, 32], block ?? 16)],
  ])("%s: losses, gradients and new statistics stay what they are", async (_, training) => {
    const graph = rewriteForCpu(training.graph, block);
    expect(graph.inputs).toEqual(training.graph.inputs);
    expect(graph.outputs).toEqual(training.graph.outputs);
    const feeds = feedsOf(training);
    const [expected, actual] = [await run(training.graph, feeds), await run(graph, feeds)];
    // The first step of Adam is the gradient's sign, whatever its size.
    const stepped = new Set(training.state.flatMap(({ name, parameter }) => (parameter ? [nextName(name)] : [])));
    const isAdam = training.state.some(({ name }) => name.includes("second-moment"));
    for (const { name } of training.graph.outputs) {
      if (isAdam && stepped.has(name)) continue;
      const [before, after] = [expected[name].data as Float32Array, actual[name].data as Float32Array];
      const size = before.reduce((largest, element) => Math.max(largest, Math.abs(element)), 1e-6);
      const error = before.reduce((most, element, index) => Math.max(most, Math.abs(element - after[index])), 0);
      expect(error / size, name).toBeLessThan(2e-3);
    }
  });

  it("takes the blocked layout where there is one, and only there", () => {
    const { graph } = pretraining("cnn", [3, 32, 32], "paper");
    const blocked = (rewritten: Graph) => rewritten.nodes.filter(({ domain }) => domain !== "").length;
    expect(blocked(rewriteForCpu(graph, undefined))).toBe(0);
    expect(blocked(rewriteForCpu(graph, 16))).toBeGreaterThan(10);
  });
});
