/** Rows of a table that are left out, because they are damaged or hold what cannot be used. */
import { counted, plural } from "../counted.js";

/** So many are named. */
const mostNamed = 100;

/** How many rows were left out, and the first few of them. */
export class BadRows {
  count = 0;
  /** Each with its place and what is wrong with it. */
  readonly rows: string[] = [];

  add(reason: string): void {
    this.count++;
    if (this.rows.length < mostNamed) this.rows.push(reason);
  }
}

/** What a data set's record says of them; nothing where there are none. */
export function recordOfBadRows(...found: readonly BadRows[]): { badRows?: Pick<BadRows, "count" | "rows"> } {
  const count = found.reduce((sum, bad) => sum + bad.count, 0);
  return count === 0 ? {} : { badRows: { count, rows: found.flatMap(({ rows }) => rows).slice(0, mostNamed) } };
}

/** That rows were left out may be why nothing remains, such as all but a first line of another kind. */
export function afterBadRows({ count, rows }: BadRows): string {
  return count === 0 ? "" : `, after ${counted(count, "row")} ${plural(count, "was", "were")} left out (${rows[0]})`;
}
