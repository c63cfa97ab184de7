/** What supervised training aims at: what a batch's targets are, and how well a network does on test data. */
import type { Dataset } from "../data/dataset.js";
import type { Targets } from "../data/sample-labels.js";
import { accuraciesOf, crossEntropyOf, type Evaluation } from "./evaluate.js";

/** What a network makes of test data. */
export interface Measurement {
  /** The higher the better: accuracy of a classifier, R² (the mean over its outputs) of a network that predicts numbers. */
  readonly score: number;
  /** In the unit of the training loss; not finite where a score is not. */
  readonly loss: number;
  /** Of a classifier, see {@link accuraciesOf}; of maps by positions in place of samples. */
  readonly balancedAccuracy?: number;
  /** Of maps, see {@link ConfusionCounts}. */
  readonly meanIou?: number;
  /** Root mean squared error of each number that is predicted, in the data's own units. */
  readonly rmse?: readonly number[];
}

/** Serves one training run. */
export interface Objective {
  /** Writes the targets of a batch, [batch, width]. */
  fill(targets: Float32Array, indices: ArrayLike<number>): void;
  /** Judges a network once, by what it makes of the test samples. */
  judge(): Judge;
}

/** Told a network's outputs for the test samples, in their order. */
export interface Judge {
  /** @param outputs of a batch, [samples, ...]; they are not kept */
  add(outputs: Evaluation, first: number): void;
  measurement(): Measurement;
}

/** Judges by the outputs of all samples together, rows of numbers. */
function judgeOfAll(samples: number, measure: (outputs: Evaluation) => Measurement): Judge {
  let all: Float32Array | undefined;
  let shape: readonly number[] = [];
  return {
    add(outputs, first) {
      const width = outputs.data.length / outputs.shape[0];
      all ??= new Float32Array(samples * width);
      all.set(outputs.data, first * width);
      shape = [samples, ...outputs.shape.slice(1)];
    },
    measurement: () => measure({ data: all ?? new Float32Array(), shape }),
  };
}

/** How numbers are scaled for training, one pair for each number: (value − mean) / deviation. */
export interface TargetScaling {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/**
 * Classes: one-hot targets, cross-entropy, accuracy. A network with a single output is one of two classes whose scores
 * are 0 and that output, so that its cross-entropy is the binary one.
 */
export function classification({ labels }: Dataset, test: Dataset, classes: number): Objective {
  const testLabels = test.labels;
  if (!labels || !testLabels) throw new Error("supervised training needs labels");
  return {
    fill(targets, indices) {
      targets.fill(0);
      for (let row = 0; row < indices.length; row++) targets[row * classes + labels[indices[row]]] = 1;
    },
    judge: () =>
      judgeOfAll(testLabels.length, (outputs) => {
        const scores = outputs.data.length === testLabels.length ? besideZeros(outputs.data) : outputs;
        const { accuracy, balanced } = accuraciesOf(scores, testLabels);
        return { score: accuracy, balancedAccuracy: balanced, loss: crossEntropyOf(scores, testLabels) };
      }),
  };
}

function besideZeros(logits: Float32Array): Evaluation {
  const data = new Float32Array(2 * logits.length);
  for (let row = 0; row < logits.length; row++) data[2 * row + 1] = logits[row];
  return { data, shape: [logits.length, 2] };
}

/**
 * Numbers: squared error of scaled numbers, R² and root mean squared error of the numbers as the data has them.
 *
 * @param scaling as the training targets have it, see {@link scalingOf}
 */
export function regression({ targets: known }: Dataset, test: Dataset, scaling: TargetScaling): Objective {
  const testTargets = test.targets;
  if (!known || !testTargets) throw new Error("supervised training needs numbers to predict");
  const width = known.names.length;
  const { mean, deviation } = scaling;
  const variances = variancesOf(testTargets);
  const count = testTargets.values.length / width;
  return {
    fill(targets, indices) {
      for (let row = 0; row < indices.length; row++)
        for (let column = 0; column < width; column++) {
          const value = known.values[indices[row] * width + column];
          targets[row * width + column] = (value - mean[column]) / deviation[column];
        }
    },
    judge: () =>
      judgeOfAll(count, ({ data }) => {
        const squares = new Float64Array(width);
        for (let index = 0; index < data.length; index++) {
          const column = index % width;
          squares[column] += (data[index] * deviation[column] + mean[column] - testTargets.values[index]) ** 2;
        }
        const errors = Array.from(squares, (sum) => sum / count);
        const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / width;
        return {
          score: average(errors.map((error, column) => 1 - error / variances[column])),
          loss: average(errors.map((error, column) => error / deviation[column] ** 2)),
          rmse: errors.map(Math.sqrt),
        };
      }),
  };
}

/** Mean and standard deviation of training targets (1 where they are all equal), or no scaling at all. */
export function scalingOf(targets: Targets, standardise: boolean): TargetScaling {
  const { names } = targets;
  if (!standardise) return { mean: names.map(() => 0), deviation: names.map(() => 1) };
  const deviation = variancesOf(targets).map((variance) => (variance > 0 ? Math.sqrt(variance) : 1));
  return { mean: meansOf(targets), deviation };
}

/** Of each number, over the samples. */
export function meansOf({ names, values }: Targets): number[] {
  const count = values.length / names.length;
  const sums = new Float64Array(names.length);
  values.forEach((value, index) => {
    sums[index % names.length] += value;
  });
  return Array.from(sums, (sum) => sum / count);
}

/** Of each number, over the samples: its mean squared error when its mean is predicted always. */
export function variancesOf(targets: Targets): number[] {
  const { names, values } = targets;
  const means = meansOf(targets);
  const squares = new Float64Array(names.length);
  values.forEach((value, index) => {
    squares[index % names.length] += (value - means[index % names.length]) ** 2;
  });
  return Array.from(squares, (sum) => (sum * names.length) / values.length);
}
