import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import { type FloatTensor, floatTensor } from "../../src/graph/tensor.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { buildDiscriminator } from "../../src/recipe/discriminator.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { newClassifier } from "../../src/recipe/new-network.js";
import { pretrainingGraph } from "../../src/recipe/pretraining-graph.js";
import { builtInRecipe, type OptimizerSettings, parseRecipe } from "../../src/recipe/recipe.js";
import { nextName, type TrainingGraph, TrainingGraphBuilder } from "../../src/recipe/training-graph.js";
import { openSession } from "../../src/runtime/node.js";
import { HostOptimizer } from "../../src/training/host-optimizer.js";
import { Trainer } from "../../src/training/trainer.js";
import { initialState } from "../../src/training/training-state.js";
import { normalTensor } from "../support/run-graph.js";

function settingsOf(given: Partial<OptimizerSettings>): OptimizerSettings {
  return parseRecipe({ reconstruction: { weight: 1 }, generatorOptimizer: given }, "test").generatorOptimizer;
}

/** Minimises the squared distance of two parameters from what is fed; the sizes fill no line. */
function distanceGraph(settings: OptimizerSettings, clip: number, averaged: boolean): TrainingGraph {
  const builder = new TrainingGraphBuilder();
  const { emit } = builder;
  const specs = [
    { name: "w", shape: [3, 7], role: "weight" as const },
    { name: "b", shape: [5], role: "bias" as const },
    { name: "large", shape: [100, 99], role: "weight" as const },
  ];
  const values = specs.map((spec) => builder.parameter("features", spec));
  const loss = specs
    .map(({ name, shape }, index) =>
      emit.reduceSum(emit.square(emit.subtract(values[index], builder.feed(`target/${name}`, shape)))),
    )
    .reduce((a, b) => emit.add(a, b));
  const targets = builder.trainable(["features"]);
  const slopes = gradients(emit, [{ value: loss }], values);
  const { next, norm } = builder.optimize("generator", settings, targets, slopes, clip);
  if (averaged) builder.average("features", specs[0], next.get("w")!, 0.9);
  builder.metric("loss", loss);
  builder.metric("norm", norm);
  return builder.build("distances", 1);
}

function startOf(training: TrainingGraph): Map<string, Float32Array> {
  return new Map(
    training.state.flatMap(({ name, shape, parameter }) =>
      parameter ? [[name, normalTensor(name, shape, 0.1).data] as const] : [],
    ),
  );
}

function feedsOf(training: TrainingGraph, step: number): Record<string, FloatTensor> {
  return Object.fromEntries(
    training.feeds.map(({ name, shape }) => [
      name,
      shape.length === 0
        ? floatTensor([name.endsWith("rate") ? 0.01 : 1 - 0.5 ** (step + 1)], [])
        : normalTensor(`${name}/${step}`, shape),
    ]),
  );
}

/** The state after some steps of the whole graph, optimisers inside. */
async function stateInside(training: TrainingGraph, steps: number): Promise<Map<string, Float32Array>> {
  const session = await openSession(training.graph, { threads: 1 });
  let state = initialState(training.state, startOf(training));
  for (let step = 0; step < steps; step++) {
    const outputs = await session.run({ ...state, ...feedsOf(training, step) });
    state = Object.fromEntries(Object.keys(state).map((name) => [name, outputs[nextName(name)] as FloatTensor]));
  }
  await session.release();
  return new Map(Object.entries(state).map(([name, { data }]) => [name, data]));
}

async function stateOutside(training: TrainingGraph, steps: number): Promise<Map<string, Float32Array>> {
  const trainer = await Trainer.open(training, startOf(training), { threads: 1 });
  for (let step = 0; step < steps; step++) await trainer.step(feedsOf(training, step));
  const state = await trainer.state();
  await trainer.release();
  return state;
}

function game(update: "alternating" | "simultaneous"): TrainingGraph {
  const graph = newClassifier({ template: "mlp", inputShape: [20], widths: [12, 6] });
  return pretrainingGraph({
    features: featureExtractor(analyzeNetwork(graph, { where: "model.onnx" })),
    recipe: parseRecipe({ ...builtInRecipe("paper"), update, gradientClip: 0.5 }, "test"),
    task: "none",
    batchSize: 4,
    lastActivation: "none",
    discriminator: buildDiscriminator({ kind: "auto", sampleShape: [20] }),
  });
}

describe("HostOptimizer", () => {
  const cases: [string, Partial<OptimizerSettings>, number, boolean][] = [
    ["adam", { kind: "adam" }, 0, false],
    ["adam, clipped", { kind: "adam" }, 0.1, false],
    ["adam, decay in the gradient", { kind: "adam", weightDecay: 0.1, momentum: 0.5 }, 0, false],
    ["adamw, with a moving average", { kind: "adamw", weightDecay: 0.1 }, 0, true],
    ["sgd", { kind: "sgd", momentum: 0 }, 0, false],
    ["sgd, momentum and decay", { kind: "sgd", momentum: 0.9, weightDecay: 0.1 }, 0, false],
  ];
  it.each(cases)("%s: the same bits as in the graph", async (_, given, clip, averaged) => {
    const training = distanceGraph(settingsOf(given), clip, averaged);
    expect(HostOptimizer.open(training)?.cuts).toHaveLength(1);
    expect(await stateOutside(training, 4)).toEqual(await stateInside(training, 4));
  });

  it.each(["alternating", "simultaneous"] as const)("%s: the same bits as in the graph", async (update) => {
    const training = game(update);
    expect(HostOptimizer.open(training)?.cuts).toHaveLength(update === "alternating" ? 2 : 1);
    const [outside, inside] = [await stateOutside(training, 4), await stateInside(training, 4)];
    expect([...outside.keys()]).toEqual([...inside.keys()]);
    for (const [name, elements] of inside) expect(outside.get(name), name).toEqual(elements);
  });

  it("updates in place only what nothing is computed from afterwards", () => {
    const places = (training: TrainingGraph, name: string): boolean => {
      const { current, other } = HostOptimizer.open(training)!;
      return current.get(name)!.byteOffset === other.get(name)!.byteOffset;
    };
    expect(places(distanceGraph(settingsOf({}), 0, false), "w")).toBe(true);
    expect(places(distanceGraph(settingsOf({}), 0, true), "w")).toBe(false);
    const training = game("alternating");
    const of = (owner: string): string =>
      training.state.find((tensor) => tensor.owner === owner && tensor.parameter)!.name;
    expect(places(training, of("features"))).toBe(true);
    expect(places(training, of("discriminator"))).toBe(false);
  });

  it("leaves an update that a step goes on with in a graph of convolutions", () => {
    const graph = newClassifier({ template: "cnn", inputShape: [1, 8, 8] });
    const training = pretrainingGraph({
      features: featureExtractor(analyzeNetwork(graph, { where: "model.onnx" })),
      recipe: builtInRecipe("paper"),
      task: "none",
      batchSize: 4,
      lastActivation: "none",
      discriminator: buildDiscriminator({ kind: "auto", sampleShape: [1, 8, 8] }),
    });
    expect(training.updates.map(({ prefix }) => prefix)).toEqual(["discriminator", "generator"]);
    const { cuts } = HostOptimizer.open(training)!;
    expect(cuts).toHaveLength(1);
    expect(cuts[0].back).toContain(nextName(training.updates[1].members[0].parameter));
    expect(cuts[0].back).not.toContain(nextName(training.updates[0].members[0].parameter));
  });

  it("makes nothing of moments below the smallest normal number", async () => {
    const training = distanceGraph(settingsOf({ kind: "adam", momentum: 0.5 }), 0, false);
    const start = startOf(training);
    const trainer = await Trainer.open(
      training,
      new Map([...start, ["generator/first-moment/b", Float32Array.of(2e-38, 1, 0, -2e-38, 1)]]),
      {
        threads: 1,
      },
    );
    // Where a parameter is what it should be, its gradient is nothing.
    const targets = Object.fromEntries(
      [...start].map(([name, data]) => [
        `target/${name}`,
        floatTensor(data, training.state.find((tensor) => tensor.name === name)!.shape),
      ]),
    );
    await trainer.step({ ...feedsOf(training, 0), ...targets });
    expect([...(await trainer.state()).get("generator/first-moment/b")!]).toEqual([0, 0.5, 0, 0, 0.5]);
    await trainer.release();
  });

  it("has nothing to do where nothing is optimised", () => {
    const builder = new TrainingGraphBuilder();
    const value = builder.parameter("features", { name: "w", shape: [2], role: "weight" });
    builder.metric("sum", builder.emit.reduceSum(value));
    expect(HostOptimizer.open(builder.build("nothing", 1))).toBeUndefined();
  });
});
