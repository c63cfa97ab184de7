/** An interval that covers the true value in `level` of all studies, as far as its method can. */
export interface Interval {
  low: number;
  high: number;
  /** The stated coverage, such as 0.95. */
  level: number;
}

/** Throws a RangeError unless the level lies strictly between 0 and 1. */
export function requireLevel(level: number): void {
  if (!(level > 0 && level < 1)) throw new RangeError(`a level between 0 and 1 is required, got ${level}`);
}
