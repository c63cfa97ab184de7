import { describe, expect, it } from "vitest";
import { type FloatTensor, floatTensor, numbersOf, sizeOf } from "../../src/graph/tensor.js";
import type { Discriminator } from "../../src/recipe/discriminator.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { pretrainingGraph, type Task } from "../../src/recipe/pretraining-graph.js";
import { parseRecipe, type RecipeInput } from "../../src/recipe/recipe.js";
import type { TrainingGraph } from "../../src/recipe/training-graph.js";
import { openSession } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

const [batch, size] = [6, 3];
const rate = 0.3;

/** F: one Tanh layer, and a linear head. */
function smallFeatures() {
  const net = new TestNetwork();
  const hidden = net.node("Tanh", [net.node("Gemm", ["x", net.weight("w1", [size, 2]), net.weight("b1", [2])])]);
  return featureExtractor(net.build([size], net.node("Gemm", [hidden, net.weight("w2", [2, 2])])));
}

/** D: one linear unit, whose gradients can be written down. */
const linear: Discriminator = {
  kind: "mlp",
  parameters: [{ name: "discriminator/w", shape: [size, 1], role: "weight" }],
  apply: (emit, samples, parameter) => emit.one("Gemm", [samples, parameter("discriminator/w")]),
  describe: [],
  cost: size,
  notes: [],
};

const sgd = { kind: "sgd", momentum: 0, learningRate: rate } as const;

function graphOf(recipe: RecipeInput, task: Task = "none"): TrainingGraph {
  return pretrainingGraph({
    features: smallFeatures(),
    recipe: parseRecipe({ generatorOptimizer: sgd, discriminatorOptimizer: sgd, ...recipe }, "test"),
    task,
    batchSize: batch,
    discriminator: linear,
    lastActivation: "none",
  });
}

/** Everything that the graph reads: random parameters, zero state, learning rates as given. */
function feedsOf(training: TrainingGraph, changes: Readonly<Record<string, FloatTensor>> = {}) {
  const feeds: Record<string, FloatTensor> = {};
  for (const { name, shape, parameter } of training.state)
    feeds[name] = parameter ? normalTensor(name, shape, 0.5) : floatTensor(new Float32Array(sizeOf(shape)), shape);
  for (const { name, shape } of training.feeds) {
    if (name.endsWith("/learning-rate")) feeds[name] = floatTensor([rate], []);
    else if (name.endsWith("-correction")) feeds[name] = floatTensor([1], []);
    else feeds[name] = normalTensor(name, shape);
  }
  return { ...feeds, ...changes };
}

async function runOnce(training: TrainingGraph, feeds: Readonly<Record<string, FloatTensor>>) {
  const session = await openSession(training.graph, { threads: 1 });
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, numbersOf(tensor)]));
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.log1p(Math.exp(x));
const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const rows = (values: number[]): number[][] =>
  Array.from({ length: batch }, (_, row) => values.slice(row * size, (row + 1) * size));
const dot = (a: number[], b: number[]): number => a.reduce((sum, each, index) => sum + each * b[index], 0);

describe.each(["alternating", "simultaneous"] as const)("the %s update", (update) => {
  const training = graphOf({ adversarial: { loss: "non-saturating", weight: 1 }, update });
  const feeds = feedsOf(training);

  it("moves D as its gradient written down says, and shows G the right D", async () => {
    const results = await runOnce(training, feeds);
    const w = numbersOf(feeds["discriminator/w"]);
    const [real, fake] = [rows(numbersOf(feeds.samples)), rows(results.generated)];
    const next = w.map(
      (each, i) =>
        each -
        rate * mean(real.map((x, row) => -sigmoid(-dot(w, x)) * x[i] + sigmoid(dot(w, fake[row])) * fake[row][i])),
    );
    results["next/discriminator/w"].forEach((value, i) => {
      expect(value).toBeCloseTo(next[i], 5);
    });
    const seen = update === "alternating" ? next : w;
    expect(results["generator/adversarial-loss"][0]).toBeCloseTo(mean(fake.map((x) => softplus(-dot(seen, x)))), 5);
    expect(results["discriminator/loss"][0]).toBeCloseTo(
      mean(real.map((x) => softplus(-dot(w, x)))) + mean(fake.map((x) => softplus(dot(w, x)))),
      5,
    );
    expect(results["discriminator/accuracy-real"][0]).toBeCloseTo(mean(real.map((x) => (dot(w, x) > 0 ? 1 : 0))), 5);
    expect(results["discriminator/accuracy-pairs"][0]).toBeCloseTo(
      mean(real.map((x, row) => (dot(w, x) > dot(w, fake[row]) ? 1 : 0))),
      5,
    );
  });

  it("moves F by the slope of its loss with D held as it is", async () => {
    const results = await runOnce(training, feeds);
    const seen =
      update === "alternating" ? floatTensor(results["next/discriminator/w"], [size, 1]) : feeds["discriminator/w"];
    const start = numbersOf(feeds.w1);
    for (const index of [0, 3, 5]) {
      const lossAt = async (step: number): Promise<number> => {
        const moved = floatTensor(
          start.map((value, position) => (position === index ? value + step : value)),
          [size, 2],
        );
        const held = { "discriminator/w": seen, "discriminator/learning-rate": floatTensor([0], []) };
        return (await runOnce(training, feedsOf(training, { w1: moved, ...held })))["generator/loss"][0];
      };
      const slope = ((await lossAt(1e-2)) - (await lossAt(-1e-2))) / 2e-2;
      expect((start[index] - results["next/w1"][index]) / rate).toBeCloseTo(slope, 3);
    }
  });
});

describe("pretrainingGraph", () => {
  it("does not differentiate through D's update, however D's optimiser looks at its start", async () => {
    // At its first step Adam divides by √g², whose slope at 0 is infinite: differentiated through, G's gradient is NaN.
    const training = graphOf({
      adversarial: { loss: "hinge", weight: 1, r1: 1 },
      discriminatorOptimizer: { kind: "adam", epsilon: 1e-12 },
    });
    const w = floatTensor(new Float32Array(size), [size, 1]);
    const results = await runOnce(
      training,
      feedsOf(training, { "discriminator/w": w, samples: floatTensor(new Float32Array(batch * size), [batch, size]) }),
    );
    for (const [name, values] of Object.entries(results)) expect(values.every(Number.isFinite), name).toBe(true);
  });

  it("weighs the losses", async () => {
    const training = graphOf({
      adversarial: { loss: "least-squares", weight: 0.25 },
      reconstruction: { loss: "l1", weight: 3 },
      update: "simultaneous",
    });
    const feeds = feedsOf(training);
    const results = await runOnce(training, feeds);
    const samples = numbersOf(feeds.samples);
    const error = mean(results.generated.map((value, index) => Math.abs(value - samples[index])));
    expect(results.reconstruction[0]).toBeCloseTo(error, 5);
    expect(results["generator/loss"][0]).toBeCloseTo(3 * error + 0.25 * results["generator/adversarial-loss"][0], 5);
  });

  it("measures how near G(x) is to x and to the next sample", async () => {
    const training = graphOf({ reconstruction: { weight: 1 } });
    const feeds = feedsOf(training);
    const results = await runOnce(training, feeds);
    const samples = rows(numbersOf(feeds.samples));
    const distance = (shift: number): number =>
      mean(
        rows(results.generated).flatMap((g, row) =>
          g.map((value, i) => (value - samples[(row + shift) % batch][i]) ** 2),
        ),
      );
    expect(results["likeness/own"][0]).toBeCloseTo(distance(0), 5);
    expect(results["likeness/other"][0]).toBeCloseTo(distance(1), 5);
  });

  it("adds noise to what D sees and to nothing else", async () => {
    const training = graphOf({ adversarial: { loss: "wasserstein", weight: 1, instanceNoise: 0.1 } });
    const feeds = feedsOf(training);
    const results = await runOnce(training, feeds);
    const w = numbersOf(feeds["discriminator/w"]);
    const seen = (values: number[], noise: string): number =>
      mean(rows(values.map((value, index) => value + numbersOf(feeds[noise])[index])).map((x) => dot(w, x)));
    expect(results["discriminator/loss"][0]).toBeCloseTo(
      seen(results.generated, "noise/fake") - seen(numbersOf(feeds.samples), "noise/real"),
      5,
    );
  });

  it("takes the penalties of a linear D as they are: its own norm", async () => {
    const plain = graphOf({ adversarial: { loss: "wasserstein", weight: 1 } });
    const penalised = graphOf({ adversarial: { loss: "wasserstein", weight: 1, r1: 2, r2: 4, gradientPenalty: 10 } });
    const feeds = feedsOf(penalised);
    const [a, b] = [await runOnce(plain, feeds), await runOnce(penalised, feeds)];
    const w = numbersOf(feeds["discriminator/w"]);
    const norm = Math.hypot(...w);
    // r1/2 ‖w‖² + r2/2 ‖w‖² + λ (‖w‖ − 1)².
    w.forEach((each, i) => {
      const slope = (2 + 4) * each + (10 * 2 * (norm - 1) * each) / norm;
      expect(b["next/discriminator/w"][i]).toBeCloseTo(a["next/discriminator/w"][i] - rate * slope, 4);
    });
  });

  it("keeps a moving average of F's weights", async () => {
    const training = graphOf({ reconstruction: { weight: 1 }, movingAverage: 0.9 });
    const feeds = feedsOf(training, { "average/w1": floatTensor(new Float32Array(2 * size).fill(1), [size, 2]) });
    const results = await runOnce(training, feeds);
    results["next/average/w1"].forEach((value, index) => {
      expect(value).toBeCloseTo(0.9 + 0.1 * results["next/w1"][index], 5);
    });
    expect(training.state.filter(({ averageOf }) => averageOf).map(({ averageOf }) => averageOf)).toEqual(["w1", "b1"]);
  });

  it("teaches F to tell which values were swapped", async () => {
    const training = graphOf({ selfSupervision: { task: "swapped-values", weight: 2 } }, "swapped-values");
    expect(training.feeds.map(({ name }) => name)).toEqual(expect.arrayContaining(["corrupted", "swapped"]));
    const feeds = feedsOf(training);
    const swapped = floatTensor(
      Float32Array.from({ length: batch * size }, (_, index) => index % 2),
      [batch, size],
    );
    const [weight, bias] = [numbersOf(feeds["task/weight"]), numbersOf(feeds["task/bias"])];
    const [w1, b1] = [numbersOf(feeds.w1), numbersOf(feeds.b1)];
    const results = await runOnce(training, { ...feeds, swapped });
    const losses = rows(numbersOf(feeds.corrupted)).flatMap((x, row) => {
      const hidden = [0, 1].map((unit) =>
        Math.tanh(x.reduce((sum, each, i) => sum + each * w1[i * 2 + unit], b1[unit])),
      );
      return [0, 1, 2].map((column) => {
        const z = hidden.reduce((sum, h, unit) => sum + h * weight[unit * size + column], bias[column]);
        return numbersOf(swapped)[row * size + column] === 1 ? softplus(-z) : softplus(z);
      });
    });
    expect(results["task/loss"][0]).toBeCloseTo(mean(losses), 5);
    expect(results["generator/loss"][0]).toBeCloseTo(2 * mean(losses), 5);
  });

  it("teaches F to tell groups, in each of several groupings", async () => {
    const training = graphOf(
      { selfSupervision: { task: "clusters", weight: 2, clusters: 3, groupings: 2 }, generatorBatchSize: 2 },
      "clusters",
    );
    const feeds = feedsOf(training);
    // The task has the whole batch, whatever G and D would make do with.
    expect(numbersOf(feeds.samples)).toHaveLength(batch * size);
    const groups = Array.from({ length: batch * 2 }, (_, row) => (5 * row) % 3);
    const clusters = floatTensor(new Float32Array(batch * 2 * 3), [batch * 2, 3]);
    groups.forEach((group, row) => {
      clusters.data[row * 3 + group] = 1;
    });
    const [weight, bias] = [numbersOf(feeds["task/weight"]), numbersOf(feeds["task/bias"])];
    const [w1, b1] = [numbersOf(feeds.w1), numbersOf(feeds.b1)];
    const results = await runOnce(training, { ...feeds, clusters });
    const losses = rows(numbersOf(feeds.samples)).flatMap((x, sample) => {
      const hidden = [0, 1].map((unit) =>
        Math.tanh(x.reduce((sum, each, i) => sum + each * w1[i * 2 + unit], b1[unit])),
      );
      const scores = bias.map((each, output) =>
        hidden.reduce((sum, h, unit) => sum + h * weight[unit * bias.length + output], each),
      );
      return [0, 1].map((grouping) => {
        const own = scores.slice(grouping * 3, grouping * 3 + 3);
        return Math.log(own.reduce((sum, score) => sum + Math.exp(score), 0)) - own[groups[sample * 2 + grouping]];
      });
    });
    expect(results["task/loss"][0]).toBeCloseTo(mean(losses), 5);
    expect(results["generator/loss"][0]).toBeCloseTo(2 * mean(losses), 5);
  });

  it("compares views behind a layer of hidden units", async () => {
    const training = graphOf({ contrast: { weight: 1, temperature: 0.5, hidden: 5 } });
    const feeds = feedsOf(training);
    const given = (name: string): number[] => numbersOf(feeds[name]);
    const layer = (inputs: number[], name: string): number[] =>
      given(`${name}/bias`).map((bias, unit, all) =>
        inputs.reduce((sum, value, i) => sum + value * given(`${name}/weight`)[i * all.length + unit], bias),
      );
    const views = [...rows(given("view/first")), ...rows(given("view/second"))].map((x) => {
      const code = given("b1").map((bias, unit) =>
        Math.tanh(x.reduce((sum, value, i) => sum + value * given("w1")[i * 2 + unit], bias)),
      );
      const hidden = layer(code, "contrast/hidden").map((value) => Math.max(0, value));
      const projected = layer(hidden, "contrast");
      return projected.map((value) => value / Math.hypot(...projected));
    });
    const losses = views.map((view, index) => {
      const others = views.map((other, place) => (place === index ? Number.NEGATIVE_INFINITY : dot(view, other) / 0.5));
      return Math.log(others.reduce((sum, z) => sum + Math.exp(z), 0)) - others[(index + batch) % (2 * batch)];
    });
    expect((await runOnce(training, feeds))["contrast/loss"][0]).toBeCloseTo(mean(losses), 4);
  });

  it("asks for the turns of the views where there are some", async () => {
    const training = graphOf({ contrast: { weight: 1 }, selfSupervision: { weight: 2 } }, "rotation");
    expect(training.feeds.map(({ name }) => name)).not.toContain("rotated");
    const turns = floatTensor(
      Float32Array.from({ length: batch * 4 }, (_, index) => (index % 4 === Math.floor(index / 4) % 3 ? 1 : 0)),
      [batch, 4],
    );
    const feeds = feedsOf(training, { turns });
    const results = await runOnce(training, feeds);
    const given = (name: string): number[] => numbersOf(feeds[name]);
    const losses = ["view/first", "view/second"].flatMap((view) =>
      rows(given(view)).map((x, row) => {
        const code = given("b1").map((bias, unit) =>
          Math.tanh(x.reduce((sum, value, i) => sum + value * given("w1")[i * 2 + unit], bias)),
        );
        const logits = given("task/bias").map((bias, turn) =>
          code.reduce((sum, value, i) => sum + value * given("task/weight")[i * 4 + turn], bias),
        );
        return Math.log(logits.reduce((sum, z) => sum + Math.exp(z), 0)) - logits[row % 3];
      }),
    );
    expect(results["task/loss"][0]).toBeCloseTo(mean(losses), 5);
    expect(results["generator/loss"][0]).toBeCloseTo(results["contrast/loss"][0] + 2 * mean(losses), 5);
  });

  it("gives G and D fewer samples than the other tasks where the recipe says so", () => {
    const shapes = (recipe: RecipeInput, task: Task = "none"): Record<string, readonly number[]> =>
      Object.fromEntries(graphOf(recipe, task).feeds.map(({ name, shape }) => [name, shape]));
    const both: RecipeInput = {
      adversarial: { weight: 1, instanceNoise: 1 },
      corruption: { kind: "gaussian", amount: 1 },
      contrast: { weight: 1 },
      generatorBatchSize: 2,
    };
    const found = shapes(both);
    for (const name of ["samples", "corrupted", "noise/real", "noise/fake"])
      expect(found[name], name).toEqual([2, size]);
    expect(found["view/first"]).toEqual([batch, size]);
    expect(shapes({ ...both, generatorBatchSize: 1000 }).samples).toEqual([batch, size]);
    const task = shapes({ ...both, selfSupervision: { weight: 1, task: "swapped-values" } }, "swapped-values");
    expect(task.samples).toEqual([batch, size]);
  });

  it("pulls views of one sample together by the contrast loss", async () => {
    const training = graphOf({ contrast: { weight: 1, temperature: 0.5 } });
    const feeds = feedsOf(training);
    const results = await runOnce(training, feeds);
    const [w1, b1] = [numbersOf(feeds.w1), numbersOf(feeds.b1)];
    const [weight, bias] = [numbersOf(feeds["contrast/weight"]), numbersOf(feeds["contrast/bias"])];
    const units = [...rows(numbersOf(feeds["view/first"])), ...rows(numbersOf(feeds["view/second"]))].map((x) => {
      const hidden = [0, 1].map((unit) =>
        Math.tanh(x.reduce((sum, each, i) => sum + each * w1[i * 2 + unit], b1[unit])),
      );
      const projected = bias.map((each, column) =>
        hidden.reduce((sum, h, unit) => sum + h * weight[unit * bias.length + column], each),
      );
      const norm = Math.hypot(...projected);
      return projected.map((each) => each / norm);
    });
    const losses = units.map((unit, view) => {
      const similarities = units.map((other) => dot(unit, other) / 0.5);
      const total = similarities.reduce((sum, each, other) => (other === view ? sum : sum + Math.exp(each)), 0);
      return Math.log(total) - similarities[(view + batch) % (2 * batch)];
    });
    expect(results["contrast/loss"][0]).toBeCloseTo(mean(losses), 4);
  });

  it("clips the gradients of G and of D", async () => {
    const recipe = { adversarial: { loss: "wasserstein", weight: 100 } } as const;
    const free = graphOf(recipe);
    const clipped = graphOf({ ...recipe, gradientClip: 0.01 });
    const feeds = feedsOf(free);
    const [a, b] = [await runOnce(free, feeds), await runOnce(clipped, feeds)];
    expect(a["generator/gradient-norm"][0]).toBeGreaterThan(1);
    const moved = free.state
      .filter(({ owner }) => owner !== "discriminator")
      .flatMap(({ name }) => b[`next/${name}`].map((value, index) => value - numbersOf(feeds[name])[index]));
    expect(Math.hypot(...moved)).toBeCloseTo(rate * 0.01, 5);
    const movedD = b["next/discriminator/w"].map((value, i) => value - numbersOf(feeds["discriminator/w"])[i]);
    expect(Math.hypot(...movedD)).toBeCloseTo(rate * 0.01, 5);
  });

  it("refuses a feature tensor behind which no weight of F is reached", () => {
    const net = new TestNetwork();
    const hidden = net.node("Gemm", ["x", net.weight("w1", [size, 2])]);
    const rounded = net.node("Floor", [hidden]);
    const network = net.build([size], net.node("Gemm", [rounded, net.weight("w2", [2, 2])]));
    expect(() =>
      pretrainingGraph({
        features: featureExtractor(network),
        recipe: parseRecipe({ selfSupervision: { task: "swapped-values", weight: 1 } }, "test"),
        task: "swapped-values",
        batchSize: batch,
        lastActivation: "none",
      }),
    ).toThrow(/required .*, got .*\./);
  });

  it("names the node that has no mirror", () => {
    const net = new TestNetwork();
    const hidden = net.node("Gemm", ["x", net.weight("w1", [size, 2])]);
    const odd = net.node("LSTM", [hidden]);
    const network = net.build([size], net.node("Gemm", [odd, net.weight("w2", [2, 2])]));
    expect(() =>
      pretrainingGraph({
        features: featureExtractor(network),
        recipe: parseRecipe({ reconstruction: { weight: 1 } }, "test"),
        task: "none",
        batchSize: batch,
        lastActivation: "none",
      }),
    ).toThrow(/model\.onnx: node node_lstm1 \(LSTM\): required an operator .*, got LSTM\./);
  });

  it("uses F's own weights in a tied mirror", () => {
    const own = graphOf({ reconstruction: { weight: 1 } });
    const tied = graphOf({ reconstruction: { weight: 1 }, mirror: { tied: true } });
    const weights = (training: TrainingGraph) =>
      training.state.filter(({ owner, parameter }) => owner === "mirror" && parameter?.role === "weight").length;
    expect(weights(own)).toBe(1);
    expect(weights(tied)).toBe(0);
  });

  it("gives the mirror the last activation that is asked for", async () => {
    const bounded = pretrainingGraph({
      features: smallFeatures(),
      recipe: parseRecipe({ reconstruction: { weight: 1 } }, "test"),
      task: "none",
      batchSize: batch,
      lastActivation: "sigmoid",
    });
    const results = await runOnce(bounded, feedsOf(bounded, { samples: normalTensor("wide", [batch, size], 30) }));
    expect(results.generated.every((value) => value >= 0 && value <= 1)).toBe(true);
  });
});
