/** Texts described by their topics: which tokens occur together in them, and near which others. */
import type { Dataset } from "../data/dataset.js";
import { coOccurrences } from "./co-occurrences.js";
import type { MeasureOptions } from "./evaluate.js";
import { readTokens, type Tokens } from "./read-tokens.js";
import { type SparseRows, sparseComponents } from "./sparse-components.js";

/** Numbers that describe a text: of each kind half of them. */
export const topicsSize = 64;
const half = topicsSize / 2;

/** Most texts, and most tokens of them all, from which topics are taken. */
const most = { samples: 20_000, tokens: 2 ** 22 };

/** Tokens that more texts have than this share tell nothing of a text, as padding and articles do. */
const mostCommon = 0.5;

/**
 * Texts by latent semantic analysis (Deerwester et al., 1990): how often each token occurs in a text, 1 + ln of it, times
 * ln of how few texts have the token (Salton and Buckley, 1988), with one as the length of all these numbers together; of
 * these the directions in which texts are largest; and with them as weights the sum of {@link coOccurrences}, which say more
 * of short texts.
 */
export class Topics {
  readonly numbers = topicsSize;
  readonly #length: number;
  readonly #rarities: Float32Array;
  /** [tokens, topics] */
  readonly #loadings: Float32Array;

  private constructor(length: number, rarities: Float32Array, loadings: Float32Array) {
    this.#length = length;
    this.#rarities = rarities;
    this.#loadings = loadings;
  }

  /**
   * Takes the topics from samples that are drawn by seed.
   *
   * @param vocabulary how many tokens there are, from 0 on
   * @throws InterruptedError where the signal aborts
   */
  static async open(dataset: Dataset, vocabulary: number, seed: number, options: MeasureOptions = {}): Promise<Topics> {
    const texts = await readTokens(dataset, most, seed, "topics", options.signal);
    const rarities = raritiesOf(texts, vocabulary);
    const { directions } = await sparseComponents(weighted(texts, rarities), half, seed, options);
    const { axes } = await coOccurrences(dataset, vocabulary, half, seed, options);
    const loadings = new Float32Array(vocabulary * topicsSize);
    const put = (numbers: Float64Array, topic: number): void => {
      for (let token = 0; token < vocabulary; token++) loadings[token * topicsSize + topic] = numbers[token];
    };
    for (const [topic, direction] of directions.entries()) put(direction, topic);
    for (const [at, axis] of axes.entries()) put(axis, half + at);
    return new Topics(texts.length, rarities, loadings);
  }

  /**
   * Describes texts.
   *
   * @param samples one after another, as the data set delivers them
   * @returns for each {@link topicsSize} numbers
   */
  describe(samples: Float32Array, count: number): Float32Array {
    const tokens = Uint32Array.from(samples.subarray(0, count * this.#length));
    return imagesOf(weighted({ tokens, length: this.#length }, this.#rarities), this.#loadings);
  }

  release(): Promise<void> {
    return Promise.resolve();
  }
}

/** ln of how many times as many texts there are as have a token; 0 for tokens that tell nothing. */
function raritiesOf({ tokens, length }: Tokens, vocabulary: number): Float32Array {
  const having = new Uint32Array(vocabulary);
  const texts = tokens.length / length;
  for (let text = 0; text < texts; text++)
    for (const token of new Set(tokens.subarray(text * length, (text + 1) * length))) having[token]++;
  return Float32Array.from(having, (some) => (some > 1 && some < mostCommon * texts ? Math.log(texts / some) : 0));
}

/** Each text's tokens that tell something of it, with their weights, which together have length one. */
function weighted({ tokens, length }: Tokens, rarities: Float32Array): SparseRows {
  const texts = tokens.length / length;
  const starts = new Uint32Array(texts + 1);
  const places = new Uint32Array(tokens.length);
  const values = new Float32Array(tokens.length);
  let end = 0;
  for (let text = 0; text < texts; text++) {
    const counts = new Map<number, number>();
    for (const token of tokens.subarray(text * length, (text + 1) * length))
      if (rarities[token] > 0) counts.set(token, (counts.get(token) ?? 0) + 1);
    let squares = 0;
    for (const [token, count] of counts) {
      const value = (1 + Math.log(count)) * rarities[token];
      places[end] = token;
      values[end++] = value;
      squares += value * value;
    }
    const size = Math.sqrt(squares);
    for (let at = starts[text]; at < end; at++) values[at] /= size;
    starts[text + 1] = end;
  }
  return { size: rarities.length, starts, places: places.subarray(0, end), values: values.subarray(0, end) };
}

/** What the loadings make of each row: [rows, topics]. */
function imagesOf({ starts, places, values }: SparseRows, loadings: Float32Array): Float32Array {
  const rows = starts.length - 1;
  const images = new Float32Array(rows * topicsSize);
  for (let row = 0; row < rows; row++)
    for (let at = starts[row]; at < starts[row + 1]; at++) {
      const first = places[at] * topicsSize;
      for (let topic = 0; topic < topicsSize; topic++)
        images[row * topicsSize + topic] += values[at] * loadings[first + topic];
    }
  return images;
}
