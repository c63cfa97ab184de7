import { describe, expect, it } from "vitest";
import { InterruptedError } from "../../src/errors.js";
import { pinnedOpset } from "../../src/graph/opset.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { unrollRecurrences } from "../../src/ops/unroll-recurrences.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { buildDiscriminator } from "../../src/recipe/discriminator.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { builtInRecipe } from "../../src/recipe/recipe.js";
import { studyOptimizer } from "../../src/study/optimizer.js";
import { type DeviceCheck, deviceNotes } from "../../src/training/device-check.js";
import { evaluate } from "../../src/training/evaluate.js";
import { type PretrainOptions, pretrain, type StepReport } from "../../src/training/pretrain.js";
import { selfTrain } from "../../src/training/self-training.js";
import { StagedEvaluator } from "../../src/training/staged-evaluator.js";
import { checkSupervised } from "../../src/training/supervise.js";
import { DivergedError, Trainer } from "../../src/training/trainer.js";
import { MapNetwork, smallUnet } from "../support/map-network.js";
import { squaresFeeds, squaresGraph, squaresStart } from "../support/squares-graph.js";
import { barDataset, toyDataset, toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";
import { needWebgpu } from "./webgpu-device.js";

needWebgpu();

/** How far WebGPU may be from the CPU after a few steps, relative to the size of the tensor. */
const tolerance = 1e-4;

function expectNear(got: ReadonlyMap<string, Float32Array>, expected: ReadonlyMap<string, Float32Array>): void {
  expect([...got.keys()]).toEqual([...expected.keys()]);
  for (const [name, elements] of expected) {
    const length = Math.hypot(...elements);
    const distance = Math.hypot(...elements.map((value, index) => value - got.get(name)![index]));
    expect(distance, name).toBeLessThanOrEqual(tolerance * length + 1e-6);
  }
}

describe("Trainer on WebGPU", () => {
  it("steps as on the CPU, with its state on the device", async () => {
    const trainers = await Promise.all(
      (["cpu", "webgpu"] as const).map((device) => Trainer.open(squaresGraph(), squaresStart, { device, threads: 1 })),
    );
    for (let step = 0; step < 10; step++) {
      const [expected, got] = [
        await trainers[0].step(squaresFeeds([0.5, 0])),
        await trainers[1].step(squaresFeeds([0.5, 0])),
      ];
      expect(got.metrics.loss).toBeCloseTo(expected.metrics.loss, 4);
      expect((await got.views()).difference.data[0]).toBeCloseTo((await expected.views()).difference.data[0], 4);
    }
    expectNear(await trainers[1].state(), await trainers[0].state());
    expectNear(await trainers[1].parameters(true), await trainers[0].parameters(true));
    for (const trainer of trainers) await trainer.load(squaresStart);
    expect(await trainers[1].state()).toEqual(await trainers[0].state());
    await trainers[1].step(squaresFeeds([0, 0]));
    await trainers[0].step(squaresFeeds([0, 0]));
    await trainers[1].retreat();
    for (const trainer of trainers) await trainer.release();
    expectNear(await trainers[1].state(), await trainers[0].state());
  });

  it("keeps the last good state where a loss is not finite", async () => {
    const trainer = await Trainer.open(squaresGraph(), squaresStart, { device: "webgpu" });
    await trainer.step(squaresFeeds([0, 0]));
    const good = await trainer.state();
    await expect(trainer.step(squaresFeeds([1e30, 0]))).rejects.toThrow(DivergedError);
    expect(await trainer.state()).toEqual(good);
    await trainer.step(squaresFeeds([0, 0]));
    await trainer.release();
  });
});

it("trains a network whose output is a map without help of the CPU, and as it would", async () => {
  const net = new MapNetwork();
  const { last } = smallUnet(net, (from) => net.enlarged(from));
  const output = net.node("Conv", [last, net.weight("head", [3, 4, 1, 1]), net.weight("bias", [3])]);
  const features = featureExtractor(net.build([1, 8, 8], output));
  const check = await checkSupervised(features, studyOptimizer("adam"), "webgpu", "map-cross-entropy");
  expect(deviceNotes(check)).toEqual([]);
});

describe("pretraining on WebGPU", () => {
  const features = featureExtractor(toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6] }));
  const recipe = { ...builtInRecipe("default"), batchSize: 8 };
  const options: PretrainOptions = {
    features,
    dataset: barDataset(32),
    recipe,
    discriminator: buildDiscriminator({ kind: "auto", sampleShape: [1, 8, 8], targetCost: 500 }),
    seed: 0,
    steps: 3,
    threads: 1,
  };

  it("agrees with the CPU over the first steps, and needs no help of it", async () => {
    // Adam's first steps blow up the rounding of gradients near zero, which differs from one processor to the next.
    const descent = { ...recipe.generatorOptimizer, kind: "sgd", learningRate: 0.1 } as const;
    const proportional = { ...recipe, generatorOptimizer: descent, discriminatorOptimizer: descent };
    const metrics: Record<string, StepReport["metrics"][]> = { cpu: [], webgpu: [] };
    const checks: DeviceCheck[] = [];
    const run = (device: "cpu" | "webgpu") =>
      pretrain({
        ...options,
        recipe: proportional,
        device,
        onDeviceCheck: (check) => checks.push(check),
        onStep: (report) => {
          metrics[device].push(report.metrics);
        },
      });
    const expected = await run("cpu");
    expect(checks).toEqual([]);
    const got = await run("webgpu");
    expectNear(got.parameters, expected.parameters);
    expect(metrics.webgpu.length).toBe(3);
    metrics.cpu.forEach((step, index) => {
      for (const [name, value] of Object.entries(step))
        if (!name.includes("accuracy"))
          expect(Math.abs(metrics.webgpu[index][name] - value), name).toBeLessThanOrEqual(tolerance * Math.abs(value));
    });
    expect(checks.length).toBe(1);
    expect(checks[0].differing).toEqual([]);
    expect(deviceNotes(checks[0])).toEqual([]);
  });

  it("hands out the state after an interruption, and goes on from it", async () => {
    const recipe = { ...builtInRecipe("autoencoder"), batchSize: 8 };
    const shorter = { ...options, recipe, device: "webgpu" } as const;
    const whole = await pretrain(shorter);
    const interruption = new AbortController();
    let last: StepReport | undefined;
    const stopped = pretrain({
      ...shorter,
      signal: interruption.signal,
      onStep: (report) => {
        last = report;
        if (report.step === 2) interruption.abort();
      },
    });
    await expect(stopped).rejects.toThrow(InterruptedError);
    const rest = await pretrain({ ...shorter, resume: { step: 2, state: await last!.state() } });
    expect(rest.parameters).toEqual(whole.parameters);
  });
});

it("evaluates a recurrent layer of more positions than a shader has buffers, stage by stage, too", async () => {
  const [length, width, hidden] = [19, 3, 4];
  const net = new TestNetwork();
  const sequence = net.node("Transpose", ["x"], { perm: [1, 0, 2] });
  const weights = [net.weight("w", [1, 3 * hidden, width], 1), net.weight("r", [1, 3 * hidden, hidden])];
  const states = net.node("GRU", [sequence, ...weights], { hidden_size: hidden });
  const unrolled = unrollRecurrences(net.graph([length, width], [states]), pinnedOpset, { where: "test" });
  const network = analyzeNetwork(upgradeGraph(unrolled.graph, pinnedOpset), { where: "test" });
  const dataset = toyDataset([length, width]);
  const start = initialWeights(network, "file", 0);
  const [expected, got] = await Promise.all(
    (["cpu", "webgpu"] as const).map(async (device) => {
      const targets = network.layers.map(({ preActivation }) => preActivation);
      const stages = await StagedEvaluator.open(network, targets, { device, batchSize: 4, stageBytes: 0 });
      const values = new Map<string, Float32Array>();
      await stages.evaluate(start, dataset, [0, 1, 2, 3], (target, { data }) => values.set(target, data.slice()));
      await stages.release();
      return values;
    }),
  );
  expect(expected.size).toBe(2);
  expectNear(got, expected);
});

it("evaluates as on the CPU", async () => {
  const network = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4], normalization: "batch" });
  const weights = initialWeights(network, "he", 0);
  const output = network.graph.outputs[0].name;
  const run = (device: "cpu" | "webgpu") =>
    evaluate(network, output, weights, toyDataset([1, 8, 8]), [3, 1, 2, 0, 9], { batchSize: 4, device });
  const [expected, got] = [await run("cpu"), await run("webgpu")];
  expect(got.shape).toEqual(expected.shape);
  expected.data.forEach((value, index) => {
    expect(got.data[index]).toBeCloseTo(value, 4);
  });
});

it("self-trains without help of the CPU, and as it would, which is checked first", async () => {
  const network = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6] });
  const data = barDataset(80);
  const checks: DeviceCheck[] = [];
  const weights = initialWeights(network, "he", 0);
  const trained = await selfTrain(featureExtractor(network), weights, data, data, 0, {
    device: "webgpu",
    steps: 2,
    onDeviceCheck: (check) => checks.push(check),
    onStep: () => expect(checks).toHaveLength(1),
  });
  expect(checks.map(({ differing }) => differing)).toEqual([[]]);
  expect(checks.flatMap(deviceNotes)).toEqual([]);
  expect([...trained.keys()]).toEqual([...weights.keys()]);
});
