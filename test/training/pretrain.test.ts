import { describe, expect, it } from "vitest";
import { InterruptedError } from "../../src/errors.js";
import type { Network } from "../../src/ops/network.js";
import { buildDiscriminator } from "../../src/recipe/discriminator.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import {
  builtInRecipe,
  builtInRecipes,
  parseRecipe,
  type Recipe,
  type RecipeInput,
  trainsFeatures,
} from "../../src/recipe/recipe.js";
import { pictureGeometry } from "../../src/training/picture-geometry.js";
import {
  lastActivationFor,
  MetricMeans,
  type PretrainOptions,
  pretrain,
  type StepReport,
  startOfFeatures,
  taskFor,
  trainingGraphOf,
} from "../../src/training/pretrain.js";
import { startFromPrincipalComponents } from "../../src/training/principal-components.js";
import { activationStatistics } from "../../src/training/probe.js";
import { barDataset, textDataset, toyDataset, toyNetwork } from "../support/toy-data.js";

const networks: Record<string, () => Network> = {
  mlp: () => toyNetwork({ template: "mlp", inputShape: [12], widths: [10, 6], activation: "sigmoid" }),
  cnn: () => toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6] }),
  cnn1d: () => toyNetwork({ template: "cnn1d", inputShape: [2, 16], widths: [4, 6] }),
  resnet: () => toyNetwork({ template: "resnet", inputShape: [3, 8, 8], widths: [4, 6], normalization: "batch" }),
};

/** A run of a few steps, with every step's metrics. */
async function train(
  network: Network,
  recipe: Recipe,
  options: Partial<PretrainOptions> = {},
): Promise<{ result: Awaited<ReturnType<typeof pretrain>>; steps: Omit<StepReport, "state">[] }> {
  const features = featureExtractor(network);
  const steps: Omit<StepReport, "state">[] = [];
  const result = await pretrain({
    features,
    dataset: toyDataset(network.sampleShape),
    recipe,
    seed: 0,
    steps: 4,
    threads: 1,
    ...(recipe.adversarial.weight > 0
      ? { discriminator: buildDiscriminator({ kind: "auto", sampleShape: network.sampleShape, targetCost: 500 }) }
      : {}),
    onStep: (report) => {
      steps.push(report);
    },
    ...options,
  });
  return { result, steps };
}

function expectSound({ result, steps }: Awaited<ReturnType<typeof train>>): void {
  expect(steps.length).toBe(4);
  for (const { metrics } of steps)
    for (const [name, value] of Object.entries(metrics)) expect(Number.isFinite(value), name).toBe(true);
  for (const [name, elements] of result.parameters) expect(elements.every(Number.isFinite), name).toBe(true);
  expect(steps[0].metrics["features/gradient-norm"]).toBeGreaterThan(0);
  const moved = [...result.weights].filter(([name, elements]) =>
    elements.some((value, index) => value !== result.start.get(name)?.[index]),
  );
  // Biases before a batch normalisation have a slope of nothing but rounding, all else moves.
  expect(moved.length).toBeGreaterThanOrEqual(result.weights.size / 2);
}

const small = { batchSize: 16 } as const;

describe.each(Object.keys(networks))("on the %s", (kind) => {
  const network = networks[kind]();

  it.each(Object.keys(builtInRecipes).filter((name) => trainsFeatures(builtInRecipe(name))))(
    "the recipe %s trains, or says what samples it needs",
    async (name) => {
      const training = train(network, { ...builtInRecipe(name), ...small });
      const complaint = {
        rotation: /selfSupervision\.task: required pictures for the rotation task/,
        "visual-words": /orientations and visualWords: required pictures, of which they tell, got samples of/,
        topics: /recipe: topics: required samples of tokens, which a network with an embedding reads, got samples of/,
      }[name];
      if (complaint && (name === "topics" || !pictureGeometry(network.sampleShape)))
        await expect(training).rejects.toThrow(complaint);
      else expectSound(await training);
    },
  );

  it("a recipe without a loss makes no step, and hands out F as it starts", async () => {
    const { result, steps } = await train(network, builtInRecipe("principal-components"));
    expect(steps).toEqual([]);
    expect(result.weights).toBe(result.start);
    expect([...result.weights.keys()].sort()).toEqual(
      featureExtractor(network)
        .parameters.map(({ name }) => name)
        .sort(),
    );
  });

  it.each<[string, RecipeInput]>([
    ["a tied mirror", { reconstruction: { weight: 1 }, mirror: { tied: true } }],
    ["R1 and R2", { adversarial: { loss: "non-saturating", weight: 1, r1: 1, r2: 1 } }],
    ["a gradient penalty", { adversarial: { loss: "wasserstein", weight: 1, gradientPenalty: 10 } }],
    ["contrast", { contrast: { weight: 1 } }],
  ])("%s trains", async (_, recipe) => {
    expectSound(await train(network, parseRecipe({ ...small, ...recipe }, "test")));
  });
});

describe("on the MLP", () => {
  const network = networks.mlp();

  it.each(["minimax", "non-saturating", "least-squares", "hinge", "wasserstein", "relativistic"] as const)(
    "the %s loss trains, alternating and not",
    async (loss) => {
      for (const update of ["alternating", "simultaneous"] as const)
        expectSound(
          await train(
            network,
            parseRecipe({ ...small, adversarial: { loss, weight: 1, instanceNoise: 0.2 }, update }, "test"),
          ),
        );
    },
  );

  it.each(["none", "gaussian", "masked-pixels", "masked-patches", "swapped-values"] as const)(
    "corruption by %s trains",
    async (kind) => {
      const recipe = { ...small, reconstruction: { weight: 1 }, corruption: { kind, amount: 0.3 } };
      expectSound(await train(network, parseRecipe(recipe, "test")));
    },
  );

  it.each(["sgd", "adam", "adamw"] as const)("%s with a schedule, clipping and an average trains", async (kind) => {
    const recipe = {
      ...small,
      reconstruction: { weight: 1, loss: "l1" as const },
      generatorOptimizer: { kind, weightDecay: 0.01 },
      schedule: { kind: "cosine" as const, warmUp: 0.25 },
      gradientClip: 1,
      movingAverage: 0.9,
    };
    expectSound(await train(network, parseRecipe(recipe, "test")));
  });

  it("swapped values are a task beside a corruption of another kind", async () => {
    const recipe = {
      ...small,
      reconstruction: { weight: 1 },
      corruption: { kind: "gaussian" as const, amount: 0.1 },
      selfSupervision: { task: "swapped-values" as const, weight: 1 },
    };
    expectSound(await train(network, parseRecipe(recipe, "test")));
  });

  it("hands out the moving average", async () => {
    const recipe = { ...small, reconstruction: { weight: 1 } };
    const last = await train(network, parseRecipe(recipe, "test"));
    const held = await train(network, parseRecipe({ ...recipe, movingAverage: 0.9999 }, "test"));
    const distance = ({ result }: typeof last): number =>
      Math.hypot(
        ...[...result.weights].flatMap(([name, elements]) =>
          Array.from(elements, (value, index) => value - result.start.get(name)![index]),
        ),
      );
    expect(distance(held)).toBeLessThan(0.01 * distance(last));
  });
});

describe("learning", () => {
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

  const tanhs = toyNetwork({ template: "mlp", inputShape: [12], widths: [10, 6], activation: "tanh" });

  it.each([
    ["an autoencoder's error", "tanh", { reconstruction: { weight: 1 } }, "reconstruction", 0.6],
    ["a convolutional autoencoder's error", "cnn", { reconstruction: { weight: 1 } }, "reconstruction", 0.6],
    [
      "the loss of knowing swapped values",
      "mlp",
      { selfSupervision: { task: "swapped-values", weight: 1 } },
      "task/loss",
      0.95,
    ],
    ["the loss of knowing views", "cnn", { contrast: { weight: 1, temperature: 0.2 } }, "contrast/loss", 0.8],
  ] as const)("makes %s fall", async (_, kind, losses, metric, share) => {
    const recipe = parseRecipe({ ...small, ...losses, generatorOptimizer: { learningRate: 0.01 } }, "test");
    const { steps } = await train(kind === "tanh" ? tanhs : networks[kind](), recipe, {
      steps: 150,
      ...(kind === "cnn" ? { dataset: barDataset(64) } : {}),
    });
    const values = steps.map(({ metrics }) => metrics[metric]);
    expect(mean(values.slice(-10))).toBeLessThan(share * mean(values.slice(0, 5)));
  });

  it("turned pictures are told apart", async () => {
    const recipe = parseRecipe(
      { ...small, selfSupervision: { task: "rotation", weight: 1 }, generatorOptimizer: { learningRate: 0.01 } },
      "test",
    );
    const { steps } = await train(networks.cnn(), recipe, { steps: 150 });
    expect(mean(steps.slice(-10).map(({ metrics }) => metrics["task/accuracy"]))).toBeGreaterThan(0.6);
  });

  it("the directions of edges are told beside the turns", async () => {
    const recipe = parseRecipe(
      {
        ...small,
        selfSupervision: { task: "rotation", weight: 1, allTurns: true },
        orientations: { weight: 2 },
        generatorOptimizer: { learningRate: 0.01 },
      },
      "test",
    );
    const { steps } = await train(networks.cnn(), recipe, { steps: 200, dataset: barDataset(64) });
    const errors = steps.map(({ metrics }) => metrics["orientations/loss"]);
    expect(mean(errors.slice(-10))).toBeLessThan(0.6 * mean(errors.slice(0, 5)));
    for (const { metrics } of steps.slice(0, 3))
      expect(metrics["generator/loss"]).toBeCloseTo(metrics["task/loss"] + 2 * metrics["orientations/loss"], 4);
  });

  it("the directions of edges and visual words are told of pictures as they are", async () => {
    const input: RecipeInput = {
      ...small,
      orientations: { weight: 2 },
      visualWords: { weight: 3 },
      generatorOptimizer: { learningRate: 0.01 },
    };
    const { steps } = await train(networks.cnn(), parseRecipe(input, "test"), { steps: 200, dataset: barDataset(64) });
    for (const { metrics } of steps.slice(0, 3))
      expect(metrics["generator/loss"]).toBeCloseTo(
        2 * metrics["orientations/loss"] + 3 * metrics["visual-words/loss"],
        4,
      );
    for (const name of ["orientations/loss", "visual-words/loss"]) {
      const errors = steps.map(({ metrics }) => metrics[name]);
      expect(mean(errors.slice(-10)), name).toBeLessThan(0.8 * mean(errors.slice(0, 5)));
    }
  });

  it("groups of like samples are told apart", async () => {
    const recipe = parseRecipe(
      {
        ...small,
        selfSupervision: { task: "clusters", weight: 1, clusters: 6, groupings: 2 },
        corruption: { kind: "shifted", amount: 0.125 },
        generatorOptimizer: { learningRate: 0.01 },
      },
      "test",
    );
    for (const kind of ["cnn", "mlp"] as const) {
      const { steps } = await train(networks[kind](), recipe, { steps: 150 });
      expect(mean(steps.slice(-10).map(({ metrics }) => metrics["task/accuracy"])), kind).toBeGreaterThan(0.6);
    }
  });

  it("the answers of groups begin smaller than those of other tasks", async () => {
    for (const [task, gain] of [
      ["rotation", Math.SQRT2],
      ["clusters", Math.sqrt(1 / 3)],
    ] as const) {
      const recipe = parseRecipe(
        { ...small, selfSupervision: { task, weight: 1, clusters: 30 }, generatorOptimizer: { learningRate: 1e-9 } },
        "test",
      );
      const { result } = await train(networks.cnn(), recipe, { steps: 1 });
      const answers = result.parameters.get("task/weight")!;
      const inputs = answers.length / result.parameters.get("task/bias")!.length;
      const deviation = Math.sqrt(mean(Array.from(answers, (value) => value ** 2)));
      expect(Math.abs(deviation * Math.sqrt(inputs) - gain), task).toBeLessThan(0.2 * gain);
    }
  });

  it("D comes to prefer the real samples", async () => {
    const recipe = parseRecipe(
      {
        ...small,
        adversarial: { loss: "non-saturating", weight: 1 },
        generatorOptimizer: { learningRate: 1e-6 },
        discriminatorOptimizer: { learningRate: 0.01 },
      },
      "test",
    );
    const { steps, result } = await train(networks.mlp(), recipe, { steps: 120 });
    expect(steps.at(-1)?.metrics["discriminator/accuracy-pairs"]).toBeGreaterThan(0.9);
    expect(result.finalMetrics["discriminator/loss"]).toBeLessThan(0.5);
  });
});

/** Something of everything. */
const everything = parseRecipe(
  {
    ...small,
    adversarial: { weight: 0.1, r1: 0.1, r2: 0.1, gradientPenalty: 0.1, instanceNoise: 0.1 },
    reconstruction: { weight: 1 },
    corruption: { kind: "gaussian", amount: 0.1 },
    selfSupervision: { task: "auto", weight: 1 },
    contrast: { weight: 1 },
  },
  "test",
);

it("starts from principal components where the recipe says so, and from drawn filters elsewhere", async () => {
  const starts = await Promise.all(
    (["first", "none", "all"] as const).map(async (principalComponents) => {
      const recipe = parseRecipe({ ...small, reconstruction: { weight: 1 }, principalComponents }, "test");
      return (await train(networks.cnn(), recipe, { steps: 1, dataset: barDataset(64) })).result.start;
    }),
  );
  const features = featureExtractor(networks.cnn());
  const drawn = initialWeights(features.network, "he", 0);
  const first = features.layers[0].weight.name;
  expect(starts[1].get(first)).toEqual(drawn.get(first));
  expect(starts[0].get(first)).toEqual(
    (await startFromPrincipalComponents(features, drawn, barDataset(64), 0, "first", { threads: 1 })).get(first),
  );
  expect(starts[0].get(first)).not.toEqual(drawn.get(first));
  const asInFile = parseRecipe(
    { ...small, reconstruction: { weight: 1 }, principalComponents: "first", start: "file" },
    "test",
  );
  const kept = (await train(networks.cnn(), asInFile, { steps: 1, dataset: barDataset(64) })).result.start;
  expect(kept.get(first)).toEqual(initialWeights(features.network, "file", 0).get(first));
  const second = features.layers[1].weight.name;
  expect(starts[0].get(second)).toEqual(drawn.get(second));
  expect(starts[2].get(first)).toEqual(starts[0].get(first));
  expect(starts[2].get(second)).not.toEqual(drawn.get(second));
});

it("conditions F before training where the recipe says so, or where it saturates and the recipe says auto", async () => {
  const dataset = toyDataset([12]);
  const second = async (conditionStart: boolean | "auto", activation: "sigmoid" | "relu"): Promise<number> => {
    const network = toyNetwork({ template: "mlp", inputShape: [12], widths: [10, 6], activation });
    const recipe = parseRecipe(
      { ...small, reconstruction: { weight: 1 }, conditioning: { scale: "unit" }, conditionStart },
      "test",
    );
    const { result } = await train(network, recipe, { dataset });
    const layers = await activationStatistics(featureExtractor(network), result.start, dataset, 0, { threads: 1 });
    return Math.abs(layers[1].standardDeviation - 1);
  };
  for (const activation of ["sigmoid", "relu"] as const) {
    expect(await second(true, activation)).toBeLessThan(0.1);
    expect(await second(false, activation)).toBeGreaterThan(0.1);
  }
  expect(await second("auto", "sigmoid")).toBeLessThan(0.1);
  expect(await second("auto", "relu")).toBeGreaterThan(0.1);
});

describe("a run", () => {
  const network = networks.cnn();
  const recipe = everything;

  it("depends on nothing but its seed", async () => {
    const [a, b, c] = [
      await train(network, recipe),
      await train(network, recipe),
      await train(network, recipe, { seed: 1 }),
    ];
    expect(b.result.parameters).toEqual(a.result.parameters);
    expect(b.steps.map(({ metrics }) => metrics)).toEqual(a.steps.map(({ metrics }) => metrics));
    expect(c.result.weights).not.toEqual(a.result.weights);
  });

  it("goes on from a state as if it had never stopped", async () => {
    let kept: { step: number; state: Map<string, Float32Array> } | undefined;
    const whole = await train(network, recipe, {
      onStep: async (report) => {
        if (report.step === 2) kept = { step: 2, state: await report.state() };
      },
    });
    const { result, steps } = await train(network, recipe, { resume: kept! });
    expect(steps.map(({ step }) => step)).toEqual([3, 4]);
    expect(result.parameters).toEqual(whole.result.parameters);
    expect(result.start).toEqual(whole.result.start);
    expect(result.finalMetrics).toEqual(whole.result.finalMetrics);
  });

  it("takes no state that lacks something, which would start as zeros", async () => {
    let state = new Map<string, Float32Array>();
    await train(network, recipe, {
      onStep: async (report) => {
        state = await report.state();
      },
    });
    const name = [...state.keys()].findLast((key) => state.get(key)!.length > 1)!;
    for (const broken of [
      new Map([...state].filter(([key]) => key !== name)),
      new Map([...state, [name, new Float32Array(1)]]),
    ])
      await expect(train(network, recipe, { resume: { step: 2, state: broken } })).rejects.toThrow(
        /^state to resume from: .*: required \d+ elements, got (none|1)\./,
      );
  });

  it("stops between two steps", async () => {
    const interruption = new AbortController();
    const seen: number[] = [];
    const run = train(network, recipe, {
      signal: interruption.signal,
      onStep: ({ step }) => {
        seen.push(step);
        if (step === 2) interruption.abort();
      },
    });
    await expect(run).rejects.toThrow(InterruptedError);
    expect(seen).toEqual([1, 2]);
  });

  it("tells how far the start is", async () => {
    const told: string[] = [];
    const onProgress = (done: number, total: number) => told.push(`${done}/${total}`);
    await train(networks.cnn(), builtInRecipe("principal-components"), { onProgress });
    expect(told).toEqual(["1/2", "2/2"]);
  });

  it("stops while the start is computed", async () => {
    const network = networks.cnn();
    const features = featureExtractor(network);
    const dataset = toyDataset(network.sampleShape);
    const recipe = builtInRecipe("principal-components");
    const interruption = new AbortController();
    const { signal } = interruption;
    const onProgress = () => interruption.abort();
    const start = startOfFeatures({ features, dataset, recipe, seed: 0, threads: 1, signal, onProgress });
    await expect(start).rejects.toThrow(InterruptedError);
  });

  it("counts epochs by samples", async () => {
    const { steps } = await train(network, recipe);
    expect(steps.map(({ epoch }) => epoch)).toEqual([0.25, 0.5, 0.75, 1]);
  });
});

describe("choices that follow from the data", () => {
  const base = everything;
  const vectors = toyDataset([12]);
  const pictures = toyDataset([1, 8, 8]);

  it("the task", () => {
    expect(taskFor(base, pictures, [1, 8, 8])).toBe("rotation");
    expect(taskFor(base, vectors, [12])).toBe("swapped-values");
    expect(taskFor(base, toyDataset([2, 16]), [2, 16])).toBe("none");
    const withTask = (changes: Partial<Recipe["selfSupervision"]>): Recipe => ({
      ...base,
      selfSupervision: { ...base.selfSupervision, ...changes },
    });
    expect(taskFor(withTask({ task: "auto", weight: 0 }), pictures, [1, 8, 8])).toBe("none");
    expect(taskFor(withTask({ task: "none", weight: 1 }), pictures, [1, 8, 8])).toBe("none");
    expect(taskFor(withTask({ task: "swapped-values", weight: 1 }), pictures, [1, 8, 8])).toBe("swapped-values");
  });

  it("the mirror's last activation", () => {
    const within = (min: number, max: number) => ({ ...vectors, range: { min, max } });
    expect(lastActivationFor(base, within(0, 1))).toBe("sigmoid");
    expect(lastActivationFor(base, within(-1, 1))).toBe("tanh");
    expect(lastActivationFor(base, within(-2.1, 3))).toBe("none");
    const asked = { ...base, mirror: { ...base.mirror, lastActivation: "tanh" as const } };
    expect(lastActivationFor(asked, within(0, 1))).toBe("tanh");
  });

  it("all turns of samples that do not fill a batch, or of views, are refused in words", () => {
    const rotation = { task: "rotation", weight: 1, allTurns: true } as const;
    const graphOf = (recipe: RecipeInput) =>
      trainingGraphOf({
        features: featureExtractor(toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4] })),
        dataset: barDataset(16),
        recipe: parseRecipe({ selfSupervision: rotation, ...recipe }, "test"),
      });
    expect(() => graphOf({ batchSize: 6 })).toThrow(
      /allTurns: required a batch of a multiple of 4 samples.*batchSize 6/,
    );
    expect(() => graphOf({ contrast: { weight: 1 } })).toThrow(/allTurns: required false beside contrast/);
    expect(graphOf({ batchSize: 8 }).batchSize).toBe(8);
  });

  it("rotation without pictures is refused in words", async () => {
    const recipe = parseRecipe({ ...small, selfSupervision: { task: "rotation", weight: 1 } }, "test");
    await expect(train(networks.mlp(), recipe)).rejects.toThrow(
      /required pictures for the rotation task, got samples of 12/,
    );
  });
});

describe("on texts", () => {
  const network = toyNetwork({ template: "text", inputShape: [8], vocabulary: 20, widths: [6, 4] });
  const dataset = textDataset();

  it.each(["topics", "principal-components", "opened", "default", "contrast", "paper", "clusters", "rotation"])(
    "the recipe %s trains, trains nothing, or says what samples it needs",
    async (name) => {
      const recipe = { ...builtInRecipe(name), ...small };
      const complaint = {
        default:
          /recipe default: required a recipe for tokens, which input of model\.onnx takes: .*, got adversarial or/,
        contrast: /recipe contrast: required a recipe for tokens, .*, got adversarial or reconstruction, whose G/,
        paper: /recipe paper: required a recipe for tokens/,
        clusters: /got selfSupervision\.task clusters, which compares samples' numbers; corruption\.kind shifted/,
        rotation: /required pictures for the rotation task/,
      }[name];
      const training = train(network, recipe, { dataset });
      if (complaint) await expect(training).rejects.toThrow(complaint);
      else if (trainsFeatures(recipe)) expectSound(await training);
      else expect((await training).result.weights.get("embedding.weight")?.some((value) => value !== 0)).toBe(true);
    },
  );

  it.each<[string, RecipeInput]>([
    ["contrast", { contrast: { weight: 1 } }],
    ["swapped values", { selfSupervision: { task: "swapped-values", weight: 1 } }],
    ["topics of texts as they are", { topics: { weight: 1 } }],
  ])("%s alone trains the embedding", async (_, recipe) => {
    const { result, steps } = await train(network, parseRecipe({ ...small, ...recipe }, "test"), { dataset });
    expectSound({ result, steps });
    expect(result.weights.get("embedding.weight")).not.toEqual(result.start.get("embedding.weight"));
  });

  it("learns to tell topics", async () => {
    const recipe = parseRecipe({ ...builtInRecipes.topics, batchSize: 16, minimumSteps: 0 }, "test");
    const { steps } = await train(network, recipe, { dataset, steps: 200 });
    const losses = steps.map(({ metrics }) => metrics["topics/loss"]);
    const mean = (some: readonly number[]): number => some.reduce((sum, each) => sum + each, 0) / some.length;
    expect(mean(losses.slice(-10))).toBeLessThan(0.8 * mean(losses.slice(0, 10)));
  });
});

describe("MetricMeans", () => {
  it("is the mean since it was last taken", () => {
    const means = new MetricMeans();
    expect(means.means()).toEqual({});
    means.add({ a: 1 });
    means.add({ a: 3 });
    expect(means.take()).toEqual({ a: 2 });
    means.add({ a: 5 });
    expect(means.means()).toEqual({ a: 5 });
    const later = new MetricMeans(means.sums);
    later.add({ a: 6 });
    expect([later.means(), means.means()]).toEqual([{ a: 5.5 }, { a: 5 }]);
  });
});
