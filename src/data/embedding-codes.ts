import { RandomStream } from "../random/stream.js";

/**
 * How many numbers stand for one of so many categories: min(50, round(1.6 · n^0.56)), the size that fastai gives the
 * embeddings of a table's columns (fastai.tabular.model.emb_sz_rule), but never more than one-hot needs.
 */
export function embeddingSize(categories: number): number {
  return Math.max(1, Math.min(50, categories, Math.round(1.6 * categories ** 0.56)));
}

/**
 * A fixed vector of that size for each category: independent normal numbers of variance 1, so that different
 * categories are about equally far from each other (Johnson and Lindenstrauss). They depend on the column's name and
 * the category's place only.
 */
export function embeddingCodes(column: string, categories: number): number[][] {
  const size = embeddingSize(categories);
  return Array.from({ length: categories }, (_, category) => {
    const stream = new RandomStream(0, `embedding/${column}`, category);
    return Array.from({ length: size }, () => Math.fround(stream.normal()));
  });
}
