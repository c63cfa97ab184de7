/** A training graph so small that its steps can be followed by hand. */
import { gradients } from "../../src/autodiff/gradients.js";
import { floatTensor } from "../../src/graph/tensor.js";
import { parseRecipe } from "../../src/recipe/recipe.js";
import { type TrainingGraph, TrainingGraphBuilder } from "../../src/recipe/training-graph.js";

const adam = parseRecipe({ reconstruction: { weight: 1 } }, "test").generatorOptimizer;

/** Minimises Σ (w − target)², with Adam and a moving average. */
export function squaresGraph(): TrainingGraph {
  const builder = new TrainingGraphBuilder();
  const { emit } = builder;
  const spec = { name: "w", shape: [2], role: "weight" as const };
  const w = builder.parameter("features", spec);
  const difference = emit.subtract(w, builder.feed("target", [2]));
  const loss = emit.reduceSum(emit.square(difference));
  const { next, norm } = builder.optimize(
    "generator",
    adam,
    builder.trainable(["features"]),
    gradients(emit, [{ value: loss }], [w]),
    0,
  );
  builder.average("features", spec, next.get("w")!, 0.9);
  builder.metric("loss", loss);
  builder.metric("norm", norm);
  builder.view("difference", difference);
  return builder.build("squares", 1);
}

/** A step's feeds. */
export const squaresFeeds = (target: readonly number[]) => ({
  target: floatTensor(target),
  "generator/learning-rate": floatTensor([0.1], []),
  "generator/first-correction": floatTensor([0.5], []),
  "generator/second-correction": floatTensor([0.5], []),
});

export const squaresStart: ReadonlyMap<string, Float32Array> = new Map([["w", Float32Array.of(1, 2)]]);
