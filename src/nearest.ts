/**
 * The known name that a mistyped one most likely meant, for error messages.
 */

/**
 * Finds the known name that differs from `name` by the fewest inserted, deleted or replaced characters (Levenshtein),
 * letter case aside.
 *
 * @returns the first of the nearest names, or undefined when nothing is known
 */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's distance, one row of the table at a time. Names are cut at 200 characters to bound the time. */
function editDistance(first: string, second: string): number {
  const from = first.slice(0, 200);
  const to = second.slice(0, 200);
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = previous[column - 1] + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column] + 1, current[column - 1] + 1));
    }
    previous = current;
  }
  return previous[to.length];
}
