/**
 * Conditioning: what is done to a layer's weights, trained or random, so that supervised training from them starts
 * well. (a) The spectrum is flattened; (b) the units are scaled so that pre-activations on real samples have unit
 * standard deviation, as in layer-sequential unit-variance initialisation (Mishkin and Matas 2016); (c) their biases
 * are shifted so that the means are zero, as in data-dependent initialisation (Krähenbühl et al. 2016).
 */
import { userError } from "../errors.js";
import type { WeightLayout } from "../graph/weight-layout.js";
import { weightAxes } from "./fans.js";
import { flattenSpectrumOf } from "./spectrum.js";
import { forEachUnit } from "./unit-matrices.js";

/** Mean and standard deviation of each unit's (channel's) values over samples and positions. */
export interface UnitStatistics {
  mean: Float32Array;
  std: Float32Array;
  /** How many values of each unit were seen. */
  count: number;
}

/** Measures an activation of this shape; a negative channel axis counts from the end. */
export function unitStatistics(
  activation: Float32Array,
  shape: readonly number[],
  channelAxis: number,
): UnitStatistics {
  const axis = channelAxis < 0 ? channelAxis + shape.length : channelAxis;
  const units = shape[axis];
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const outer = shape.slice(0, axis).reduce((product, size) => product * size, 1);
  if (units === undefined || activation.length !== outer * units * inner) {
    throw new Error(
      `${activation.length} values with channel axis ${channelAxis} do not have shape [${shape.join(", ")}]`,
    );
  }
  const count = outer * inner;
  const means = sumsByUnit(activation, units, inner).map((sum) => sum / count);
  const squares = sumsByUnit(activation, units, inner, means);
  return { mean: Float32Array.from(means), std: Float32Array.from(squares, (sum) => Math.sqrt(sum / count)), count };
}

/**
 * The sum of each unit's values, [outer, units, inner]; with centres, of their squared distances from the unit's own. Four
 * units are added up side by side, since an addition waits for the one before of the same unit: the sums are what they
 * would be one by one.
 */
function sumsByUnit(values: Float32Array, units: number, inner: number, centres?: Float64Array): Float64Array {
  const sums = new Float64Array(units);
  const last = units - 1;
  for (let start = 0; start < values.length; start += units * inner)
    for (let first = 0; first < units; first += 4) {
      // Behind the last unit there is the last again, with the same sum.
      const second = Math.min(first + 1, last);
      const third = Math.min(first + 2, last);
      const fourth = Math.min(first + 3, last);
      const atA = start + first * inner;
      const atB = start + second * inner;
      const atC = start + third * inner;
      const atD = start + fourth * inner;
      let a = sums[first];
      let b = sums[second];
      let c = sums[third];
      let d = sums[fourth];
      if (centres === undefined)
        for (let place = 0; place < inner; place++) {
          a += values[atA + place];
          b += values[atB + place];
          c += values[atC + place];
          d += values[atD + place];
        }
      else {
        const centreA = centres[first];
        const centreB = centres[second];
        const centreC = centres[third];
        const centreD = centres[fourth];
        for (let place = 0; place < inner; place++) {
          a += (values[atA + place] - centreA) ** 2;
          b += (values[atB + place] - centreB) ** 2;
          c += (values[atC + place] - centreC) ** 2;
          d += (values[atD + place] - centreD) ** 2;
        }
      }
      sums[first] = a;
      sums[second] = b;
      sums[third] = c;
      sums[fourth] = d;
    }
  return sums;
}

/** The statistics of two sets of values taken together (Chan, Golub and LeVeque 1983). */
export function mergeUnitStatistics(first: UnitStatistics, second: UnitStatistics): UnitStatistics {
  const count = first.count + second.count;
  const share = second.count / count;
  const mean = first.mean.map((value, unit) => value + share * (second.mean[unit] - value));
  const std = first.std.map((value, unit) => {
    const distance = second.mean[unit] - first.mean[unit];
    const variance = (1 - share) * value ** 2 + share * second.std[unit] ** 2 + share * (1 - share) * distance ** 2;
    return Math.sqrt(variance);
  });
  return { mean, std, count };
}

/** Whether each unit is scaled by a factor of its own, or all units of a layer by one. */
export type Granularity = "unit" | "layer";

/** How {@link scaleUnits} scales. */
export interface ScaleOptions {
  /** The standard deviation to reach; 1 by default. */
  target?: number;
  /** "unit" by default. */
  granularity?: Granularity;
  /** The mean to reach; 0 by default. */
  mean?: number;
  /** First and number of the units whose mean becomes one, not zero: an LSTM's forget gates. */
  openUnits?: readonly [first: number, count: number];
  /** No unit is scaled by more than this, nor by less than its inverse; 1,000 by default. */
  largestFactor?: number;
}

/** What {@link scaleUnits} did. */
export interface ScaledUnits {
  weight: Float32Array;
  bias: Float32Array | undefined;
  /** The factor of each unit, 1 for dead ones. */
  factors: Float32Array;
  /** Units whose pre-activation hardly varies over the samples: nothing can scale them, they are left as they are. */
  dead: number;
  /** Units whose factor the limit cut. */
  capped: number;
}

/**
 * Scales a layer's weight so that its pre-activation, whose statistics were measured with this weight and bias, has
 * standard deviation `target`: per unit, or with one factor a layer, where the root mean square over the units becomes
 * `target`. A bias, where there is one, is set so that each unit's mean is zero, or as asked. Both hold exactly on the measured
 * samples, because the pre-activation is linear in weight and bias, except for units that are dead or capped.
 */
export function scaleUnits(
  weight: Float32Array,
  bias: Float32Array | undefined,
  shape: readonly number[],
  layout: WeightLayout,
  mean: Float32Array,
  std: Float32Array,
  options: ScaleOptions = {},
): ScaledUnits {
  const { target = 1, granularity = "unit", mean: usualMean = 0, largestFactor = 1000 } = options;
  const [open, count] = options.openUnits ?? [0, 0];
  const units = std.length;
  if (bias && bias.length !== units) throw new Error(`${bias.length} biases do not fit ${units} units`);
  const largest = std.reduce((most, value) => Math.max(most, value), 0);
  const isDead = (unit: number) => !(std[unit] > 1e-6 * largest);
  const living = [...std.keys()].filter((unit) => !isDead(unit));
  const pooled = Math.sqrt(living.reduce((sum, unit) => sum + std[unit] ** 2, 0) / living.length);

  const factors = new Float32Array(units).fill(1);
  const shifted = bias?.slice();
  let capped = 0;
  for (const unit of living) {
    const wanted = target / (granularity === "unit" ? std[unit] : pooled);
    const factor = Math.min(Math.max(wanted, 1 / largestFactor), largestFactor);
    if (factor !== wanted) capped++;
    factors[unit] = factor;
    const wantedMean = unit >= open && unit < open + count ? 1 : usualMean;
    // The mean without the bias is scaled; the new bias takes it out.
    if (bias && shifted) shifted[unit] = factor * (bias[unit] - mean[unit]) + wantedMean;
  }

  const scaled = new Float32Array(weight.length);
  forEachUnit(shape, layout, (element, unit) => {
    scaled[element] = weight[element] * factors[unit];
  });
  return { weight: scaled, bias: shifted, factors, dead: units - living.length, capped };
}

/** A layer of the network that conditioning may change. */
export interface ConditioningLayer {
  /** The weight's name. */
  weight: string;
  shape: readonly number[];
  layout: WeightLayout;
  /** The bias's name. */
  bias?: string;
  /** Batch normalisation and its like set scale and mean themselves: then only the spectrum is flattened. */
  followedByNormalisation: boolean;
}

/** What conditioning does. */
export interface ConditioningOptions extends ScaleOptions {
  /** The exponent of {@link flattenSpectrumOf}, from 0 to 1; undefined leaves the spectrum as it is. */
  alpha?: number;
  /** Whether units are scaled and shifted; true by default. */
  scale?: boolean;
}

/** A layer's tensors. */
export interface LayerTensors {
  weight: Float32Array;
  bias: Float32Array | undefined;
}

/** What {@link conditionLayer} did; without scaling `factors` is empty. */
export type ConditionedLayer = ScaledUnits;

/**
 * Conditions one layer. To condition a network, call this for its layers from the input on, each measured with the
 * layers before it already conditioned.
 *
 * @param measure runs the network on a few hundred real samples with the given tensors in this layer's place and
 *   returns the statistics of its pre-activation (what the layer yields, bias added, before its activation); not
 *   called where nothing is to be scaled. Where it has another number of units than the weight, the layer is left unscaled
 * @throws UserError naming the weight, if it or the pre-activation is not finite
 */
export async function conditionLayer(
  layer: ConditioningLayer,
  tensors: LayerTensors,
  options: ConditioningOptions,
  measure: (tensors: LayerTensors) => UnitStatistics | Promise<UnitStatistics>,
): Promise<ConditionedLayer> {
  const { alpha, scale = true } = options;
  requireFinite(layer, "finite weights to condition", tensors.weight);
  const weight =
    alpha === undefined ? tensors.weight : flattenSpectrumOf(tensors.weight, layer.shape, layer.layout, alpha);
  if (!scale || layer.followedByNormalisation) {
    return { weight, bias: tensors.bias, factors: new Float32Array(0), dead: 0, capped: 0 };
  }
  const { mean, std } = await measure({ weight, bias: tensors.bias });
  requireFinite(layer, "finite pre-activations to condition the layer by", mean, std);
  // Some of the weight's units only, and not such as are known to be rows of it.
  if (std.length !== unitCount(layer))
    return { weight, bias: tensors.bias, factors: new Float32Array(0), dead: 0, capped: 0 };
  return scaleUnits(weight, tensors.bias, layer.shape, layer.layout, mean, std, options);
}

function unitCount({ shape, layout }: ConditioningLayer): number {
  const { groups, outputs } = weightAxes(shape, layout);
  return groups * outputs;
}

function requireFinite(layer: ConditioningLayer, required: string, ...arrays: Float32Array[]): void {
  const found = arrays.map((values) => values.find((value) => !Number.isFinite(value))).find((v) => v !== undefined);
  if (found === undefined) return;
  throw userError({
    where: layer.weight,
    required,
    got: `${found}`,
    advice: "Start from other weights, or train with a smaller learning rate.",
  });
}
