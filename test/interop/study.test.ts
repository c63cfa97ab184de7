/** A study agrees with the same study written by hand in PyTorch, trial by trial and in what it concludes. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, it, vi } from "vitest";
import { BatchOrder } from "../../src/data/batches.js";
import type { Dataset } from "../../src/data/dataset.js";
import { writeSafetensors } from "../../src/formats/safetensors.js";
import { floatTensor, sizeOf, type Tensor } from "../../src/graph/tensor.js";
import { type CompareOptions, type CompareResult, compare } from "../../src/library/compare.js";
import { newModel } from "../../src/library/new-model.js";
import { openModel } from "../../src/library/open-model.js";
import { RandomStream } from "../../src/random/stream.js";
import { type SupervisedResult, type SupervisedRun, Supervisor } from "../../src/training/supervise.js";
import { idxFile, npyFile } from "../data/array-files.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const side = 8;
const classes = 4;
const batchSize = 16;
const steps = 80;
const comparedSteps = 50;
/** Rounding may tip this many test samples that lie on a border. */
const tippedSamples = 3;

const folder = sharedTemporaryFolder();

/** Pictures of one of four random patterns beneath noise that hides some of them. */
function patternFiles(name: string, count: number): string {
  const patterns = new RandomStream(0, "patterns");
  const shown = Array.from({ length: classes * side * side }, () => patterns.normal());
  const stream = new RandomStream(0, name);
  const labels = Uint8Array.from({ length: count }, () => stream.below(classes));
  const pixels = Uint8Array.from({ length: count * side * side }, (_, index) => {
    const [sample, place] = [Math.floor(index / (side * side)), index % (side * side)];
    const value = 128 + 12 * shown[labels[sample] * side * side + place] + 40 * stream.normal();
    return Math.max(0, Math.min(255, Math.round(value)));
  });
  mkdirSync(join(folder, name));
  const path = join(folder, name, "train-images-idx3-ubyte");
  writeFileSync(path, idxFile(8, [count, side, side], pixels));
  writeFileSync(join(folder, name, "train-labels-idx1-ubyte"), idxFile(8, [count], labels));
  // A number to predict: what the patterns leave of it in the pixels, in units of its own.
  const numbers = Float32Array.from(labels, (label) => 1000 + 250.5 * label);
  writeFileSync(join(folder, name, "numbers.npy"), npyFile("<f4", [count], numbers));
  return path;
}

/** A supervised run of a study with what came of it. */
interface Ran {
  readonly run: SupervisedRun;
  readonly result: SupervisedResult;
}

/** What train_study.py makes of a trial. */
interface ByHand {
  readonly losses: readonly number[];
  readonly accuracies: readonly number[];
  readonly testLosses: readonly number[];
}

/** Runs a study and keeps all its supervised runs, in the order of its trials. */
async function study(options: CompareOptions): Promise<{ result: CompareResult; trials: Ran[] }> {
  const trials: Ran[] = [];
  const original = Supervisor.prototype.run;
  const spy = vi.spyOn(Supervisor.prototype, "run").mockImplementation(async function (this: Supervisor, run) {
    const result = await original.call(this, run);
    // Gradients at the start come from a single step of another supervisor.
    if (run.evaluateAt.length > 0) trials.push({ run, result });
    return result;
  });
  try {
    return { result: await compare(options), trials };
  } finally {
    spy.mockRestore();
  }
}

async function samplesOf(data: Dataset): Promise<Tensor> {
  const samples = new Float32Array(data.count * sizeOf(data.shape));
  await data.read(
    Uint32Array.from({ length: data.count }, (_, index) => index),
    samples,
  );
  return floatTensor(samples, [data.count, ...data.shape]);
}

/** Everything that decides a trial, for PyTorch. */
async function exportTrial({ run }: Ran, model: string, file: string): Promise<void> {
  const { network } = await openModel(model);
  const order = new BatchOrder(run.data.count, batchSize, run.seed);
  const indices = Array.from({ length: run.steps }, (_, step) => [...order.indices(step)]).flat();
  const labelsOf = ({ labels, targets }: Dataset) => {
    const values = Float32Array.from(targets?.values ?? labels ?? []);
    return floatTensor(values, [values.length]);
  };
  const tensors = new Map<string, Tensor>([
    ["samples", await samplesOf(run.data)],
    ["labels", labelsOf(run.data)],
    ["test-samples", await samplesOf(run.test)],
    ["test-labels", labelsOf(run.test)],
    ["batches", floatTensor(Float32Array.from(indices), [run.steps, batchSize])],
  ]);
  for (const [name, elements] of run.weights)
    tensors.set(name, floatTensor(elements, network.parameters.get(name)?.shape ?? [elements.length]));
  writeFileSync(file, writeSafetensors(tensors, { format: "pt" }));
}

function trainByHand(trials: readonly object[], place: string): ByHand[] {
  writeFileSync(join(place, "trials.json"), JSON.stringify(trials));
  const script = join("test", "interop", "train_study.py");
  const ran = spawnSync(inject("python"), [script, place], { encoding: "utf8", maxBuffer: 2 ** 28 });
  if (ran.status !== 0) throw new Error(`train_study.py failed: ${ran.stderr?.slice(-4000)}`);
  return JSON.parse(ran.stdout) as ByHand[];
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const studies = [
  {
    network: "convolutional",
    settings: { template: "cnn", inputShape: [1, side, side], widths: [6, 8], classes },
    optimizer: "adam",
    learningRate: 0.003,
    arms: ["he", "he+calibrated"],
  },
  {
    network: "sigmoid",
    settings: { template: "mlp", inputShape: [side * side], widths: [16, 12], activation: "sigmoid", classes },
    optimizer: "sgd",
    learningRate: 0.1,
    arms: ["xavier", "he+calibrated"],
  },
  {
    network: "regression",
    settings: { template: "mlp", inputShape: [side * side], widths: [16, 12], activation: "tanh", outputs: 1 },
    optimizer: "adam",
    learningRate: 0.003,
    arms: ["xavier", "he+calibrated"],
  },
] as const;

const [data, test] = [patternFiles("train", 400), patternFiles("test", 500)];

describe.each(studies)("a study of a $network network with $optimizer", (setting) => {
  const { network, settings, optimizer, learningRate, arms } = setting;
  const place = join(folder, network);
  let made: { result: CompareResult; trials: Ran[]; byHand: ByHand[] } | undefined;
  const studied = async () => {
    if (made) return made;
    mkdirSync(place);
    const model = join(place, "model.onnx");
    await newModel({ ...settings, output: model });
    const ran = await study({
      model,
      data,
      test,
      output: join(place, "study"),
      arms,
      baseline: arms[0],
      labels: ["200"],
      optimizers: [optimizer],
      learningRates: [learningRate],
      steps,
      seeds: 3,
      batchSize,
      longestExtension: 0,
      ...(network === "regression"
        ? { labelColumn: join(folder, "train", "numbers.npy"), testLabelColumn: join(folder, "test", "numbers.npy") }
        : {}),
      workers: 1,
    });
    for (const [index, trial] of ran.trials.entries())
      await exportTrial(trial, model, join(place, `${index}.safetensors`));
    const described = ran.trials.map(({ run }, index) => ({
      network,
      optimizer,
      learningRate,
      evaluateAt: run.evaluateAt.filter((step) => step < steps),
      file: `${index}.safetensors`,
    }));
    made = { ...ran, byHand: trainByHand(described, place) };
    return made;
  };

  it("has six trials that learn something, but not all", async () => {
    const { result, trials } = await studied();
    expect(trials).toHaveLength(6);
    expect(result.summary).toMatchObject({ trials: 6, planned: 6, warnings: [] });
    for (const { score } of result.summary.settings[0].arms) {
      expect(score.mean).toBeGreaterThan(network === "regression" ? 0.1 : 0.35);
      expect(score.mean).toBeLessThan(0.99);
    }
  });

  it("has PyTorch's losses", async () => {
    const { trials, byHand } = await studied();
    for (const [index, { result }] of trials.entries())
      for (let step = 0; step < comparedSteps; step++) {
        const [ours, theirs] = [result.losses[step], byHand[index].losses[step]];
        expect(Math.abs(ours - theirs) / theirs, `trial ${index}, step ${step}`).toBeLessThan(1e-3);
      }
  });

  it("has PyTorch's accuracies and losses on the test data", async () => {
    const { trials, byHand } = await studied();
    for (const [index, { run, result }] of trials.entries()) {
      expect(byHand[index].accuracies).toHaveLength(result.evaluations.length);
      for (const [point, { score, loss, step }] of result.evaluations.entries()) {
        const theirs = byHand[index].testLosses[point];
        if (step <= comparedSteps)
          expect(Math.abs(loss - theirs) / theirs, `trial ${index}, step ${step}`).toBeLessThan(1e-3);
        if (network === "regression" && step > comparedSteps) continue;
        // R² in thousandths.
        const unit = network === "regression" ? 1000 : run.test.count;
        const apart = Math.abs(score - byHand[index].accuracies[point]) * unit;
        expect(apart, `trial ${index}, step ${step}`).toBeLessThanOrEqual(tippedSamples + 1e-6);
      }
    }
  });

  it("holds PyTorch's means and its difference of arms within its intervals", async () => {
    const { result, byHand } = await studied();
    // Trials run seed by seed, within a seed arm by arm.
    const endsOf = (arm: number): number[] =>
      byHand.filter((_, index) => index % arms.length === arm).map(({ accuracies }) => accuracies.at(-1) ?? Number.NaN);
    for (const [index, { arm, score }] of result.summary.settings[0].arms.entries()) {
      expect(arm).toBe(arms[index]);
      expect(mean(endsOf(index))).toBeGreaterThanOrEqual(score.low ?? Number.NaN);
      expect(mean(endsOf(index))).toBeLessThanOrEqual(score.high ?? Number.NaN);
    }
    const [{ test: tested }] = result.summary.comparisons[0].arms;
    const difference = mean(endsOf(1)) - mean(endsOf(0));
    expect(difference).toBeGreaterThanOrEqual(tested?.interval.low ?? Number.NaN);
    expect(difference).toBeLessThanOrEqual(tested?.interval.high ?? Number.NaN);
  });
});
