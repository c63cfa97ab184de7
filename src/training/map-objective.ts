/** What supervised training aims at where each position of a sample has a class: segmentation. */
import type { Dataset } from "../data/dataset.js";
import { type LabelMaps, mapOf, noClass } from "../data/label-maps.js";
import { sizeOf } from "../graph/tensor.js";
import { classesOfMaps, haveScoresLast, type OutputMaps } from "../recipe/network-outputs.js";
import type { Evaluation } from "./evaluate.js";
import type { Judge, Objective } from "./objective.js";

/** How often positions of one class were taken for another: [true class, named class], row-major. */
export class ConfusionCounts {
  readonly #counts: Float64Array;

  constructor(readonly classes: number) {
    this.#counts = new Float64Array(classes * classes);
  }

  add(label: number, named: number): void {
    this.#counts[label * this.classes + named]++;
  }

  /**
   * accuracy: the share of positions that are named right. balanced: the mean of the shares of each class. meanIou: the mean
   * over the classes of intersection over union, of the positions that are of a class and those that are named so (Everingham
   * et al., 2010). Classes that no position is of have no part in the means.
   */
  scores(): { accuracy: number; balanced: number; meanIou: number } {
    const numbers = Array.from({ length: this.classes }, (_, index) => index);
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    const at = (label: number, named: number): number => this.#counts[label * this.classes + named];
    const present = numbers
      .map((label) => ({
        right: at(label, label),
        size: sum(numbers.map((named) => at(label, named))),
        named: sum(numbers.map((other) => at(other, label))),
      }))
      .filter(({ size }) => size > 0);
    const mean = (values: readonly number[]): number => sum(values) / values.length;
    return {
      accuracy: sum(present.map(({ right }) => right)) / sum(present.map(({ size }) => size)),
      balanced: mean(present.map(({ right, size }) => right / size)),
      meanIou: mean(present.map(({ right, size, named }) => right / (size + named - right))),
    };
  }
}

/**
 * Class numbers as targets, −1 where a position has none; cross-entropy over the positions that have one; accuracy, balanced
 * accuracy and mean intersection over union, of positions.
 *
 * @param outputs how the network gives its scores
 */
export function segmentation({ maps }: Dataset, test: Dataset, outputs: OutputMaps): Objective {
  const testMaps = test.maps;
  if (!maps || !testMaps) throw new Error("supervised training needs a class for each position");
  return {
    fill(targets, indices) {
      for (let row = 0; row < indices.length; row++) {
        const map = mapOf(maps, indices[row]);
        for (let place = 0; place < map.length; place++)
          targets[row * map.length + place] = map[place] === noClass ? -1 : map[place];
      }
    },
    judge: () => judgeOfMaps(testMaps, outputs),
  };
}

function judgeOfMaps(maps: LabelMaps, outputs: OutputMaps): Judge {
  const counts = new ConfusionCounts(classesOfMaps(outputs));
  const { classes } = counts;
  const positions = sizeOf(outputs.positions);
  const [scoreStride, placeStride] = haveScoresLast(outputs) ? [1, outputs.scores] : [positions, 1];
  // Of a single score's two classes the first has the score 0.
  const known = classes - outputs.scores;
  const scores = new Float64Array(classes);
  let [loss, judged] = [0, 0];
  const judgePosition = (data: Evaluation["data"], from: number, label: number): void => {
    let named = 0;
    for (let number = known; number < classes; number++) scores[number] = data[from + (number - known) * scoreStride];
    for (let number = 1; number < classes; number++) if (scores[number] > scores[named]) named = number;
    const largest = scores[named];
    let sum = 0;
    for (let number = 0; number < classes; number++) sum += Math.exp(scores[number] - largest);
    loss += largest + Math.log(sum) - scores[label];
    counts.add(label, named);
    judged++;
  };
  return {
    add({ data, shape: [samples] }, first) {
      for (let row = 0; row < samples; row++) {
        const map = mapOf(maps, first + row);
        const start = row * positions * outputs.scores;
        for (let place = 0; place < positions; place++)
          if (map[place] !== noClass) judgePosition(data, start + place * placeStride, map[place]);
      }
    },
    measurement() {
      const { accuracy, balanced, meanIou } = counts.scores();
      // Scores that are not finite name no class.
      const score = Number.isFinite(loss) ? accuracy : Number.NaN;
      return { score, balancedAccuracy: balanced, meanIou, loss: loss / judged };
    },
  };
}
