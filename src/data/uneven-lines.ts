/** Finds samples such as spectrograms whose rows or columns have scales of their own. */
import { type Dataset, sizeOf } from "./dataset.js";
import { evenlySpaced } from "./evenly-spaced.js";
import { readFitted } from "./fitted-record.js";

/** Most samples that are looked at, and most of their values. */
const [mostSamples, mostValues] = [256, 2 ** 20];
/** So many times the usual deviation of a row is far. */
const far = 5;

/**
 * The normalisation that suits samples better than one mean and deviation for all values: of arrays of one channel that are no
 * pictures by their range, where a row or a column lies, or spreads, more than five deviations of the middle one apart from
 * all others, as the coefficients of an MFCC do. Looked at are up to 256 samples.
 *
 * @returns undefined where nothing of that is so, or another normalisation was asked for
 */
export async function unevenLines({
  kind,
  count,
  shape,
  record,
  read,
}: Pick<Dataset, "kind" | "count" | "shape" | "record" | "read">): Promise<
  { readonly normalise: "standard-rows" | "standard-columns"; readonly because: string } | undefined
> {
  const { picture, normalisation } = readFitted(record) ?? {};
  if (kind !== "images" || picture?.channels !== 1 || normalisation?.name !== "standard") return undefined;
  const [low, high] = [normalisation.low[0], normalisation.high[0]];
  if (low === 0 && [1, 255, 65535].includes(high)) return undefined;
  const samples = await someSamples({ count, shape, read });
  const { height, width } = picture;
  const rows = unevenness(samples, height, (place) => Math.floor(place / width) % height);
  const columns = unevenness(samples, width, (place) => place % width);
  if (!(Math.max(rows, columns) > far)) return undefined;
  return rows > columns
    ? { normalise: "standard-rows", because: unevennessOf("rows", rows) }
    : { normalise: "standard-columns", because: unevennessOf("columns", columns) };
}

/**
 * Says in a sentence of signals that their positions have scales of their own, as the coefficients of an MFCC have that lies as
 * [frames, coefficients]: arrays without a channel's axis are signals where no network says that it takes them as pictures of
 * one channel.
 *
 * @returns undefined where nothing of that is so, or another normalisation was asked for
 */
export async function unevenPositionsNote({
  count,
  shape,
  record,
  read,
}: Pick<Dataset, "count" | "shape" | "record" | "read">): Promise<string | undefined> {
  const { signal, normalisation } = readFitted(record) ?? {};
  if (signal?.layout !== "NCHW" || normalisation?.name !== "standard") return undefined;
  const { length, channels } = signal;
  if (channels === 1) return undefined;
  // Each channel has been given a scale of its own, which a picture's rows have not.
  const { scale, offset } = normalisation;
  const channelOf = (place: number): number => Math.floor(place / length) % channels;
  const samples = (await someSamples({ count, shape, read })).map(
    (value, place) => (value - offset[channelOf(place)]) / scale[channelOf(place)],
  );
  const columns = unevenness(samples, length, (place) => place % length);
  return columns > far
    ? `${unevennessOf("columns", columns)}: a network that takes samples as pictures of one channel needs --normalise standard-columns, which gives each its own scale`
    : undefined;
}

async function someSamples({ count, shape, read }: Pick<Dataset, "count" | "shape" | "read">): Promise<Float32Array> {
  const size = sizeOf(shape);
  const taken = evenlySpaced(count, Math.max(2, Math.min(mostSamples, Math.floor(mostValues / size))));
  const samples = new Float32Array(taken.length * size);
  await read(taken, samples);
  return samples;
}

function unevennessOf(which: "rows" | "columns", times: number): string {
  return `the ${which} of its samples lie or spread up to ${Math.round(times)} times further than the middle one of them`;
}

/** How far the lines' means, and their deviations, go, in deviations of the middle one of those that vary at all. */
function unevenness(samples: Float32Array, lines: number, lineOf: (place: number) => number): number {
  const [sums, squares] = [new Float64Array(lines), new Float64Array(lines)];
  const [firsts, vary] = [new Float64Array(lines).fill(Number.NaN), new Array<boolean>(lines).fill(false)];
  samples.forEach((value, place) => {
    const line = lineOf(place);
    sums[line] += value;
    squares[line] += value ** 2;
    if (Number.isNaN(firsts[line])) firsts[line] = value;
    else if (value !== firsts[line]) vary[line] = true;
  });
  const count = samples.length / lines;
  const means = sums.map((sum) => sum / count);
  const deviations = squares.map((sum, line) => Math.sqrt(Math.max(0, sum / count - means[line] ** 2)));
  const middle = (values: Float64Array): number => values.slice().sort()[values.length >> 1];
  const centre = middle(means);
  const farthest = means.reduce((most, mean, line) => Math.max(most, Math.abs(mean - centre), deviations[line]), 0);
  // Of padded samples many lines are one number throughout.
  return farthest / middle(deviations.filter((_, line) => vary[line]));
}
