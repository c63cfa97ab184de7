/** Counts in words. */

/** A count with what is counted, in the singular where it is one. */
export function counted(count: number, one: string, several?: string): string {
  return `${count} ${plural(count, one, several)}`;
}

/** What is counted, in the singular where it is one: for counts that are written in a way of their own. */
export function plural(count: number, one: string, several = `${one}s`): string {
  return count === 1 ? one : several;
}
