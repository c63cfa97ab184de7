/** Vectors of tokens from which of them stand near each other in the data. */
import type { Dataset } from "../data/dataset.js";
import { RandomStream } from "../random/stream.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";
import { letOthersRun } from "./let-others-run.js";
import { readTokens, type Tokens } from "./read-tokens.js";
import { type SparseOptions, type SparseRows, sparseComponents } from "./sparse-components.js";

/** Tokens count as near each other up to so many places apart (Levy and Goldberg, 2014, and others take 2 to 10). */
const farthest = 4;
/** Most tokens whose neighbours are counted. */
const mostTokens = 2 ** 21;
/** How often a token is near any other counts with this exponent (Levy, Goldberg and Dagan, 2015, section 3.1). */
const smoothing = 0.75;
/** Most numbers of a vector that come from the data; what wider ones have besides is drawn. */
const mostComponents = 64;
/** Axes along which tokens differ by less than this share of the largest's variance are rounding. */
const leastShare = 1e-6;
/** The standard deviation of an embedding's numbers (docs/log.md). */
const deviation = 1;

/** What tokens have in common with those near them. */
export interface CoOccurrences {
  /** A number for each token along each of some axes, with mean zero over the tokens that the data have, the largest first. */
  readonly axes: readonly Float64Array[];
  /** The tokens that the data have. */
  readonly seen: readonly number[];
}

/**
 * The leading components of tokens' positive pointwise mutual information (Levy and Goldberg, 2014), each as large as its
 * singular value, over samples that are drawn by seed.
 *
 * @param vocabulary how many tokens there are, from 0 on
 * @param wanted most axes
 * @throws InterruptedError where the signal aborts
 */
export async function coOccurrences(
  dataset: Dataset,
  vocabulary: number,
  wanted: number,
  seed: number,
  options: SparseOptions = {},
): Promise<CoOccurrences> {
  const most = { samples: dataset.count, tokens: mostTokens };
  const texts = await readTokens(dataset, most, seed, "co-occurrences", options.signal);
  const seen = Array.from(new Set(texts.tokens)).sort((one, other) => one - other);
  const information = mutualInformation(await pairsOf(texts, vocabulary, options.signal), vocabulary);
  const { variances, directions } = await sparseComponents(information, wanted, seed, options);
  const axes = directions.map((direction, at) => {
    const size = Math.sqrt(Math.max(0, variances[at]));
    const mean = seen.reduce((sum, token) => sum + direction[token], 0) / seen.length;
    return direction.map((value) => (value - mean) * size);
  });
  return { axes, seen };
}

/**
 * F's weights with the vectors of its embeddings from {@link coOccurrences}. Vectors of tokens that the data do not have are
 * drawn, with as large numbers.
 *
 * @param weights F's parameters; not changed
 * @throws InterruptedError where the signal aborts
 */
export async function startFromCoOccurrences(
  { network, parameters }: FeatureExtractor,
  weights: Weights,
  dataset: Dataset,
  seed: number,
  options: SparseOptions = {},
): Promise<Weights> {
  const { vocabulary } = network;
  const tables = parameters.filter(({ role }) => role === "embedding");
  if (vocabulary === undefined || tables.length === 0) return weights;
  const widest = Math.max(...tables.map(({ shape }) => shape[1]));
  const found = await coOccurrences(dataset, vocabulary, Math.min(widest, mostComponents), seed, options);
  const result: Weights = new Map(weights);
  for (const { name, shape } of tables)
    result.set(name, tableOf(found, shape, new RandomStream(seed, `weights/${name}`)));
  return result;
}

/** Vectors of this shape, [tokens, width], along the axes. */
function tableOf({ axes, seen }: CoOccurrences, [count, width]: readonly number[], stream: RandomStream): Float32Array {
  const table = new Float32Array(count * width);
  for (let at = 0; at < table.length; at++) table[at] = deviation * stream.normal();
  const measured = axes.map((axis) => ({
    axis,
    square: seen.reduce((sum, token) => sum + axis[token] ** 2, 0) / seen.length,
  }));
  const least = leastShare * Math.max(0, ...measured.map(({ square }) => square));
  const used = measured.slice(0, width).filter(({ square }) => square > least);
  if (used.length === 0) return table;
  const size = Math.sqrt(used.reduce((sum, { square }) => sum + square, 0) / used.length);
  // What no axis fills is as small as the last of them.
  const rest = Math.sqrt(used[used.length - 1].square) / size;
  for (const token of seen)
    for (let column = 0; column < width; column++) {
      const at = token * width + column;
      table[at] = column < used.length ? (used[column].axis[token] * deviation) / size : table[at] * rest;
    }
  return table;
}

/** How often two tokens, the smaller number first, stand near each other. */
interface Pairs {
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  readonly counts: Uint32Array;
}

/** Counts pairs of different tokens: beside itself a token stands in padding, mostly. */
async function pairsOf(
  { tokens, length }: Tokens,
  vocabulary: number,
  signal: AbortSignal | undefined,
): Promise<Pairs> {
  const keys = new Float64Array(tokens.length * farthest);
  let found = 0;
  for (let at = 0; at < tokens.length; at++)
    for (let other = at + 1; other <= at + farthest && other % length > at % length; other++) {
      const [a, b] = [tokens[at], tokens[other]];
      if (a !== b) keys[found++] = Math.min(a, b) * vocabulary + Math.max(a, b);
    }
  await letOthersRun(signal, "measuring");
  const sorted = keys.subarray(0, found).sort();
  const [first, second, counts]: number[][] = [[], [], []];
  for (let at = 0; at < found; at++) {
    if (at > 0 && sorted[at] === sorted[at - 1]) counts[counts.length - 1]++;
    else {
      first.push(Math.floor(sorted[at] / vocabulary));
      second.push(sorted[at] % vocabulary);
      counts.push(1);
    }
  }
  await letOthersRun(signal, "measuring");
  return { first: Uint32Array.from(first), second: Uint32Array.from(second), counts: Uint32Array.from(counts) };
}

/**
 * Positive pointwise mutual information: a row for each token as neighbour, with what the tokens beside it have. A token's
 * frequency as neighbour is smoothed.
 */
function mutualInformation({ first, second, counts }: Pairs, vocabulary: number): SparseRows {
  const totals = new Float64Array(vocabulary);
  counts.forEach((count, pair) => {
    totals[first[pair]] += count;
    totals[second[pair]] += count;
  });
  const smoothed = totals.map((total) => total ** smoothing);
  const sum = smoothed.reduce((all, each) => all + each, 0);
  const informationOf = (count: number, neighbour: number, token: number): number =>
    Math.max(0, Math.log((count * sum) / (totals[token] * smoothed[neighbour])));
  const starts = new Uint32Array(vocabulary + 1);
  for (const token of [first, second]) for (const each of token) starts[each + 1]++;
  for (let token = 0; token < vocabulary; token++) starts[token + 1] += starts[token];
  const places = new Uint32Array(starts[vocabulary]);
  const values = new Float32Array(starts[vocabulary]);
  const next = starts.slice(0, vocabulary);
  counts.forEach((count, pair) => {
    const [a, b] = [first[pair], second[pair]];
    places[next[a]] = b;
    values[next[a]++] = informationOf(count, a, b);
    places[next[b]] = a;
    values[next[b]++] = informationOf(count, b, a);
  });
  return { size: vocabulary, starts, places, values };
}
