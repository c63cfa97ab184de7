/**
 * `most` of `count` indices, evenly spaced from 0 on: of samples that are sorted by class it still takes some of every
 * class, as many as its share is. All where there are no more.
 */
export function evenlySpaced(count: number, most: number): Uint32Array {
  const indices = new Uint32Array(Math.min(count, most));
  for (let place = 0; place < indices.length; place++) indices[place] = Math.floor((place * count) / indices.length);
  return indices;
}

/** Which of `count` samples a limit takes, see {@link evenlySpaced}; undefined where it takes all. */
export function withinLimit(count: number, limit: number | undefined): Uint32Array | undefined {
  return limit === undefined || limit >= count ? undefined : evenlySpaced(count, limit);
}
