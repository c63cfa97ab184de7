/**
 * Filters of a convolution from the principal components of what it reads, in place of random ones (PCA initialisation,
 * Krähenbühl et al., 2016, section 4).
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { WeightLayout } from "../graph/weight-layout.js";
import { gram } from "./dense.js";
import { fromUnitMatrices, toUnitMatrices } from "./unit-matrices.js";

/** Components with a smaller share of the first one's variance are rounding, or values that never change. */
const leastVariance = 1e-6;

/** What {@link principalFilters} made. */
export interface PrincipalFilters {
  weight: Float32Array;
  bias: Float32Array | undefined;
  /** How many units have a component; the others are as they were. */
  units: number;
}

/**
 * Gives the first units of a convolution the principal components of its patches, those of most variance first, so that
 * each yields zero mean (where there is a bias) and unit variance over them. Units beyond the components stay.
 *
 * @param weight a convolution of one group; not changed
 * @param patches what it reads at several positions: [fan-in, patches], in the order of {@link toUnitMatrices}' columns
 * @param paired each component is given to two units, with opposite signs: for activations such as ReLU, which pass one
 *   side only
 */
export function principalFilters(
  weight: Float32Array,
  bias: Float32Array | undefined,
  shape: readonly number[],
  layout: WeightLayout,
  patches: Float64Array,
  paired: boolean,
): PrincipalFilters {
  const matrices = toUnitMatrices(weight, shape, layout);
  const { rows, cols, groups, values } = matrices;
  const count = patches.length / cols;
  if (groups !== 1 || !Number.isInteger(count) || count < 2)
    throw new Error(`${patches.length} values are no patches for filters of ${cols} in ${groups} groups`);
  const means = new Float64Array(cols);
  const centred = patches.slice();
  for (let place = 0; place < cols; place++) {
    const row = centred.subarray(place * count, (place + 1) * count);
    means[place] = row.reduce((sum, value) => sum + value, 0) / count;
    for (let patch = 0; patch < count; patch++) row[patch] -= means[place];
  }
  const covariance = gram(centred, cols, count).map((sum) => sum / count);
  const eigen = new EigenvalueDecomposition(Matrix.from1DArray(cols, cols, covariance), { assumeSymmetric: true });
  const variances = eigen.realEigenvalues;
  const order = [...variances.keys()].sort((a, b) => variances[b] - variances[a]);
  const used = order
    .filter((component) => variances[component] > leastVariance * variances[order[0]])
    .slice(0, paired ? Math.floor(rows / 2) : rows);
  const shifted = bias?.slice();
  used.forEach((component, index) => {
    const deviation = Math.sqrt(variances[component]);
    const signs = paired ? [1, -1] : [1];
    signs.forEach((sign, side) => {
      const unit = index + side * used.length;
      let atMean = 0;
      for (let place = 0; place < cols; place++) {
        const value = (sign * eigen.eigenvectorMatrix.get(place, component)) / deviation;
        values[unit * cols + place] = value;
        atMean += value * means[place];
      }
      if (shifted) shifted[unit] = -atMean;
    });
  });
  return {
    weight: fromUnitMatrices(matrices, shape, layout),
    bias: shifted,
    units: used.length * (paired ? 2 : 1),
  };
}
