import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import type { ParameterSpec } from "../../src/ops/parameter.js";
import { parseRecipe } from "../../src/recipe/recipe.js";
import { nextName, TrainingGraphBuilder } from "../../src/recipe/training-graph.js";
import { openSession } from "../../src/runtime/node.js";

const spec = (name: string, role: ParameterSpec["role"] = "weight"): ParameterSpec => ({ name, shape: [2], role });
const sgd = parseRecipe(
  { reconstruction: { weight: 1 }, generatorOptimizer: { kind: "sgd", momentum: 0.5 } },
  "test",
).generatorOptimizer;

function build() {
  const builder = new TrainingGraphBuilder();
  const { emit } = builder;
  const target = builder.feed("target", [2]);
  const weight = builder.parameter("features", spec("weight"));
  const unused = builder.parameter("features", spec("unused"));
  const mean = builder.parameter("features", spec("mean", "statistic"));
  expect(builder.parameter("features", spec("weight"))).toBe(weight);
  const targets = builder.trainable(["features"]);
  expect(targets.map(({ value }) => value)).toEqual([weight, unused]);
  expect(builder.trainable(["head"])).toEqual([]);
  const loss = emit.reduceSum(emit.square(emit.subtract(weight, target)));
  const slopes = gradients(
    emit,
    [{ value: loss }],
    targets.map(({ value }) => value),
  );
  const { next } = builder.optimize("generator", sgd, targets, slopes, 0);
  builder.average("features", spec("weight"), next.get("weight")!, 0.75);
  builder.metric("loss", loss);
  builder.view("difference", emit.subtract(weight, target));
  builder.replace("mean", emit.scale(mean, 2));
  return builder.build("test", 2);
}

describe("TrainingGraphBuilder", () => {
  it("accounts for what the step reads and keeps", () => {
    const training = build();
    expect(training.state.map(({ name, averageOf, parameter }) => [name, averageOf, parameter?.role])).toEqual([
      ["weight", undefined, "weight"],
      ["unused", undefined, "weight"],
      ["mean", undefined, "statistic"],
      ["generator/velocity/weight", undefined, undefined],
      ["average/weight", "weight", undefined],
    ]);
    expect(training.feeds.map(({ name }) => name)).toEqual([
      "target",
      "generator/learning-rate",
      "generator/first-correction",
      "generator/second-correction",
    ]);
    expect(training.metrics).toEqual(["loss"]);
    expect(training.views).toEqual(["difference"]);
    const outputs = training.graph.outputs.map(({ name }) => name);
    for (const { name } of training.state) expect(outputs).toContain(nextName(name));
  });

  it("updates what has a gradient and hands the rest through", async () => {
    const session = await openSession(build().graph, { threads: 1 });
    const vector = (...values: number[]) => floatTensor(values);
    const results = await session.run({
      target: vector(1, 2),
      weight: vector(3, 3),
      unused: vector(7, 8),
      mean: vector(1, 2),
      "generator/velocity/weight": vector(1, 0),
      "average/weight": vector(0, 4),
      "generator/learning-rate": floatTensor([0.1], []),
      "generator/first-correction": floatTensor([1], []),
      "generator/second-correction": floatTensor([1], []),
    });
    await session.release();
    const expectNear = (name: string, expected: number[]) => {
      numbersOf(results[name]).forEach((value, index) => {
        expect(value).toBeCloseTo(expected[index], 5);
      });
    };
    // Gradient 2 (w − t) = (4, 2); velocity ½ v + g.
    expectNear("next/generator/velocity/weight", [4.5, 2]);
    expectNear("next/weight", [2.55, 2.8]);
    expectNear("next/average/weight", [0.25 * 2.55, 3 + 0.25 * 2.8]);
    expectNear("next/unused", [7, 8]);
    expectNear("next/mean", [2, 4]);
    expectNear("loss", [5]);
    expectNear("difference", [2, 1]);
  });
});

describe("names", () => {
  it("refuses a weight of the model that is named like a feed or another part's parameter", () => {
    const shape = [2];
    const build = new TrainingGraphBuilder();
    build.feed("samples", shape);
    expect(() => build.parameter("features", { name: "samples", shape, role: "weight" })).toThrow(/^weight samples: /);
    build.parameter("features", { name: "task/weight", shape, role: "weight" });
    expect(() => build.parameter("task", { name: "task/weight", shape, role: "weight" })).toThrow(
      /part of the features/,
    );
    expect(() => build.feed("task/weight", shape)).toThrow(/^weight task\/weight: /);
  });

  it("refuses a weight with the name of one of its own tensors, whichever comes first", () => {
    const taken = (use: (builder: TrainingGraphBuilder) => void) => () => {
      const builder = new TrainingGraphBuilder();
      use(builder);
    };
    const weight = (builder: TrainingGraphBuilder) => builder.parameter("features", spec("loss"));
    const metric = (builder: TrainingGraphBuilder) => builder.metric("loss", builder.emit.scalar(0));
    const feed = (builder: TrainingGraphBuilder) => void builder.feed("loss", [2]);
    for (const [first, second, by] of [
      [weight, metric, "what is measured at every step"],
      [metric, weight, "what is measured at every step"],
      [weight, feed, "what is fed at every step"],
      [feed, weight, "what is fed at every step"],
    ] as const)
      expect(
        taken((builder) => {
          first(builder);
          second(builder);
        }),
      ).toThrow(`weight loss: required a name that headstart's own tensors do not have, got the name of ${by}.`);
  });
});
