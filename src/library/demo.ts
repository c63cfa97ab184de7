/** The main job and a small comparison, on pictures that ship with the package. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Dataset } from "../data/dataset.js";
import { makeFolder } from "../data/make-folder.js";
import { labelledSubset, subset } from "../data/subset.js";
import { fileError } from "../errors.js";
import { type FeatureExtractor, featureExtractor } from "../recipe/feature-extractor.js";
import { initialWeights, type Weights } from "../recipe/initial-values.js";
import type { devices } from "../runtime/device.js";
import { requireDevice } from "../runtime/require-device.js";
import { sessionOptions } from "../runtime/session.js";
import { conditionFeatures } from "../training/condition.js";
import type { EvaluateOptions } from "../training/evaluate.js";
import { Supervisor } from "../training/supervise.js";
import { type InitializeEvent, type InitializeResult, initialize } from "./initialize.js";
import { newModel } from "./new-model.js";
import { openModel } from "./open-model.js";
import { OpenedDatasets } from "./opened-datasets.js";
import { requireWholeNumbers } from "./run-settings.js";
import { writeOutput } from "./write-output.js";

export interface DemoOptions {
  /** Folder to write to; default `headstart-demo`. What an earlier demo wrote there is replaced. */
  readonly output?: string;
  /** How often everything supervised is repeated; default 5. */
  readonly seeds?: number;
  /** Steps of pretraining; default: the recipe's. */
  readonly steps?: number;
  /** Steps of each training with labels; default 200. */
  readonly trainingSteps?: number;
  readonly threads?: number;
  /** One of {@link devices}; default: cpu. */
  readonly device?: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: DemoEvent) => void;
}

export type DemoEvent =
  | InitializeEvent
  | { readonly type: "pretrained"; readonly result: InitializeResult }
  | {
      readonly type: "trial";
      readonly done: number;
      readonly total: number;
      readonly arm: string;
      readonly seed: number;
    };

/** One way to start, and how training went from there. */
export interface DemoArm {
  readonly name: string;
  /** Test accuracy by seed, then by measured step. */
  readonly accuracies: readonly (readonly number[])[];
}

export interface DemoResult {
  readonly model: string;
  readonly folder: string;
  readonly labels: number;
  /** Steps after which accuracy was measured. */
  readonly steps: readonly number[];
  readonly seeds: number;
  readonly testSamples: number;
  readonly arms: readonly DemoArm[];
  readonly pretrainingSeconds: number;
}

const labels = 300;
const measuredSteps = [0, 5, 10, 15, 20, 30, 40, 50, 75, 100, 125, 150, 175, 200];

/** Adam as Kingma and Ba recommend it. */
const optimizer = {
  kind: "adam",
  learningRate: 1e-3,
  momentum: 0.9,
  secondMoment: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
} as const;

/**
 * Writes a small convolutional classifier, pretrains it without labels on 10,000 pictures, then trains it with 300
 * labels from two plain random starts, a calibrated random start, and the pretrained one, several seeds each. Heads,
 * labels and the order of the samples are equal between the arms of one seed.
 *
 * @throws UserError where a setting does not fit or the folder cannot be written; InterruptedError where the signal aborts
 */
export async function demo(options: DemoOptions = {}): Promise<DemoResult> {
  const datasets = new OpenedDatasets(options.signal);
  try {
    return await demoOn(datasets, options);
  } finally {
    await datasets.closeAll();
  }
}

async function demoOn(datasets: OpenedDatasets, options: DemoOptions): Promise<DemoResult> {
  requireWholeNumbers(options, { seeds: 1, steps: 1, trainingSteps: 1, threads: 1 });
  const folder = options.output ?? "headstart-demo";
  const seeds = options.seeds ?? 5;
  const session = sessionOptions({ ...options, device: await requireDevice(options.device) });
  const trainingSteps = options.trainingSteps ?? measuredSteps[measuredSteps.length - 1];
  const measured = [...measuredSteps.filter((step) => step < trainingSteps), trainingSteps];
  try {
    makeFolder(folder);
  } catch (error) {
    throw fileError(error, folder, "a folder for the demo");
  }
  const model = join(folder, "fashion-cnn.onnx");
  await newModel({ template: "cnn", inputShape: [1, 28, 28], classes: 10, output: model, overwrite: true });
  const data = (name: string): string => fileURLToPath(new URL(`../../demo-data/${name}`, import.meta.url));
  const training = data("train-images-idx3-ubyte.gz");
  const pretrained = await initialize({
    model,
    data: training,
    output: join(folder, "run"),
    overwrite: true,
    ...(options.steps === undefined ? {} : { steps: options.steps }),
    ...session,
    ...(options.signal ? { signal: options.signal } : {}),
    ...(options.onEvent ? { onEvent: options.onEvent } : {}),
  });
  options.onEvent?.({ type: "pretrained", result: pretrained });

  const { network } = await openModel(model);
  const features = featureExtractor(network);
  const train = await datasets.open(training, { shape: network.sampleShape });
  const test = await datasets.open(data("t10k-images-idx3-ubyte.gz"), {
    shape: network.sampleShape,
    fitted: train.record,
  });
  const calibration = { ...session, ...(options.signal ? { signal: options.signal } : {}) };
  const starts = startsOf(features, train, pretrained.weights, calibration);
  const supervisor = await Supervisor.open({ features, optimizer, batchSize: 64, ...session });
  let accuracies: number[][][];
  try {
    accuracies = await accuraciesFrom(starts, supervisor, { train, test, seeds, evaluateAt: measured }, options);
  } finally {
    await supervisor.release();
  }
  const result: DemoResult = {
    model,
    folder,
    labels,
    steps: measured,
    seeds,
    testSamples: test.count,
    arms: starts.map(({ name }, index) => ({ name, accuracies: accuracies[index] })),
    pretrainingSeconds: pretrained.seconds,
  };
  await writeOutput(
    join(folder, "demo.json"),
    new TextEncoder().encode(`${JSON.stringify(result, undefined, 2)}\n`),
    true,
  );
  return result;
}

/** A way to start, by its name in the result. */
interface Start {
  readonly name: string;
  readonly weights: (seed: number) => Promise<Weights>;
}

/** The random starts, and that from what was pretrained; their heads are equal. */
function startsOf(
  features: FeatureExtractor,
  train: Dataset,
  pretrained: Weights,
  calibration: EvaluateOptions,
): readonly Start[] {
  const { network } = features;
  return [
    { name: "random start (He)", weights: async (seed) => initialWeights(network, "he", seed) },
    {
      name: "random start (PyTorch's)",
      weights: async (seed) => {
        const drawn = initialWeights(network, "pytorch-default", seed);
        const own = [...drawn].filter(([name]) => pretrained.has(name));
        return new Map([...initialWeights(network, "he", seed), ...own]);
      },
    },
    {
      name: "random start, calibrated",
      weights: async (seed) => {
        const drawn = initialWeights(network, "he", seed);
        const settings = { spectrumExponent: null, scale: "unit", samples: 512 } as const;
        return (await conditionFeatures(features, drawn, train, settings, seed, calibration)).weights;
      },
    },
    {
      name: "headstart",
      weights: async (seed) => new Map([...initialWeights(network, "he", seed), ...pretrained]),
    },
  ];
}

/** Trains from each start with each seed. @returns accuracies by start, seed and measured step */
async function accuraciesFrom(
  starts: readonly Start[],
  supervisor: Supervisor,
  settings: { train: Dataset; test: Dataset; seeds: number; evaluateAt: readonly number[] },
  options: DemoOptions,
): Promise<number[][][]> {
  const { train, test, seeds, evaluateAt } = settings;
  const accuracies = starts.map((): number[][] => []);
  let done = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const chosen = subset(train, labelledSubset(train.labels ?? new Int32Array(), { total: labels }, seed));
    for (const [index, { name, weights }] of starts.entries()) {
      const { evaluations } = await supervisor.run({
        weights: await weights(seed),
        data: chosen,
        test,
        steps: evaluateAt[evaluateAt.length - 1],
        seed,
        evaluateAt,
        ...(options.signal ? { signal: options.signal } : {}),
      });
      accuracies[index].push(evaluations.map(({ score }) => score));
      done++;
      options.onEvent?.({ type: "trial", done, total: seeds * starts.length, arm: name, seed });
    }
  }
  return accuracies;
}
