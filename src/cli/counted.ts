/** Counts in words. */

/** A count with what is counted, in the singular where it is one. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}
