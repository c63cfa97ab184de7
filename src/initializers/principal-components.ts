/**
 * Filters of a convolution from the principal components of what it reads, in place of random ones (PCA initialisation,
 * Krähenbühl et al., 2016, section 4).
 */
import type { WeightLayout } from "../graph/weight-layout.js";
import { fromUnitMatrices, toUnitMatrices } from "./unit-matrices.js";

/** Components with a smaller share of the first one's variance are rounding, or values that never change. */
const leastVariance = 1e-5;
/** So are those of values that vary by so little of their mean's square. */
const roundingShare = 1e-12;

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
 * Gives the first units of each group of a convolution the principal components of the group's patches, those of most variance
 * first, so that each yields zero mean (where there is a bias) and unit variance over them. Units beyond the components stay.
 *
 * @param weight not changed
 * @param components of what each group reads, in the order of {@link toUnitMatrices}' columns
 * @param paired each component is given to two units, with opposite signs: for activations such as ReLU, which pass one
 *   side only
 */
export function principalFilters(
  weight: Float32Array,
  bias: Float32Array | undefined,
  shape: readonly number[],
  layout: WeightLayout,
  components: readonly PrincipalComponents[],
  paired: boolean,
): PrincipalFilters {
  const matrices = toUnitMatrices(weight, shape, layout);
  const { rows, cols, groups, values } = matrices;
  const other = components.find(({ means }) => means.length !== cols)?.means.length ?? cols;
  if (components.length !== groups || other !== cols)
    throw new Error(
      `components of ${other} values in ${components.length} groups for filters of ${cols} in ${groups} groups`,
    );
  const shifted = bias?.slice();
  const give = (
    unit: number,
    { means, variances, directions }: PrincipalComponents,
    component: number,
    sign: 1 | -1,
  ) => {
    const deviation = Math.sqrt(variances[component]);
    let atMean = 0;
    for (let place = 0; place < cols; place++) {
      const value = (sign * directions[component][place]) / deviation;
      values[unit * cols + place] = value;
      atMean += value * means[place];
    }
    if (shifted) shifted[unit] = -atMean;
  };
  let units = 0;
  components.forEach((own, group) => {
    const { means, variances } = own;
    const rounding = roundingShare * Math.max(...means.map((mean) => mean * mean));
    const least = Math.max(leastVariance * variances[0], rounding);
    const varied = variances.filter((variance) => variance > least).length;
    const used = Math.min(varied, componentsFor(rows, paired));
    const first = group * rows;
    for (let component = 0; component < used; component++) {
      give(first + component, own, component, 1);
      if (paired) give(first + used + component, own, component, -1);
    }
    units += used * (paired ? 2 : 1);
  });
  return { weight: fromUnitMatrices(matrices, shape, layout), bias: shifted, units };
}

/** How many components so many units take. */
export function componentsFor(units: number, paired: boolean): number {
  return paired ? Math.floor(units / 2) : units;
}
