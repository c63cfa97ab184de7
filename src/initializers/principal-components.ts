/**
 * Filters of a convolution from the principal components of what it reads, in place of random ones (PCA initialisation,
 * Krähenbühl et al., 2016, section 4).
 */
import type { WeightLayout } from "../graph/weight-layout.js";
import { fromUnitMatrices, toUnitMatrices } from "./unit-matrices.js";

/** Components with a smaller share of the first one's variance are rounding, or values that never change. */
const leastVariance = 1e-5;

/** What {@link principalFilters} made. */
export interface PrincipalFilters {
  weight: Float32Array;
  bias: Float32Array | undefined;
  /** How many units have a component; the others are as they were. */
  units: number;
}

/** Principal components of vectors, those of most variance first. */
export interface PrincipalComponents {
  readonly means: Float64Array;
  readonly variances: readonly number[];
  /** Unit vectors. */
  readonly directions: readonly Float64Array[];
}

/**
 * Gives the first units of a convolution the principal components of its patches, those of most variance first, so that
 * each yields zero mean (where there is a bias) and unit variance over them. Units beyond the components stay.
 *
 * @param weight a convolution of one group; not changed
 * @param components of what it reads, in the order of {@link toUnitMatrices}' columns
 * @param paired each component is given to two units, with opposite signs: for activations such as ReLU, which pass one
 *   side only
 */
export function principalFilters(
  weight: Float32Array,
  bias: Float32Array | undefined,
  shape: readonly number[],
  layout: WeightLayout,
  { means, variances, directions }: PrincipalComponents,
  paired: boolean,
): PrincipalFilters {
  const matrices = toUnitMatrices(weight, shape, layout);
  const { rows, cols, groups, values } = matrices;
  if (groups !== 1 || means.length !== cols)
    throw new Error(`components of ${means.length} values for filters of ${cols} in ${groups} groups`);
  const varied = variances.filter((variance) => variance > leastVariance * variances[0]).length;
  const used = Math.min(varied, componentsFor(rows, paired));
  const shifted = bias?.slice();
  for (let component = 0; component < used; component++) {
    const deviation = Math.sqrt(variances[component]);
    const signs = paired ? [1, -1] : [1];
    signs.forEach((sign, side) => {
      const unit = component + side * used;
      let atMean = 0;
      for (let place = 0; place < cols; place++) {
        const value = (sign * directions[component][place]) / deviation;
        values[unit * cols + place] = value;
        atMean += value * means[place];
      }
      if (shifted) shifted[unit] = -atMean;
    });
  }
  return {
    weight: fromUnitMatrices(matrices, shape, layout),
    bias: shifted,
    units: used * (paired ? 2 : 1),
  };
}

/** How many components so many units take. */
export function componentsFor(units: number, paired: boolean): number {
  return paired ? Math.floor(units / 2) : units;
}
