/** What rounds come to: medians, agreement, the table. */

/** One row: a peer's training step at a number of threads. */
export interface Row {
  readonly network: string;
  readonly step: string;
  readonly peer: string;
  readonly threads: number;
  /** How the peer makes its steps, where that was chosen on the way. */
  readonly note?: string;
  /** Why there are no numbers, where there are none. */
  readonly skipped?: string;
  /** Milliseconds a step in each round. */
  readonly milliseconds?: readonly number[];
  readonly samplesPerSecond?: number;
  readonly peakBytes?: number;
  /** Share of the speed of ONNX Runtime's matrix product on as many threads in the same rounds. */
  readonly share?: number;
  /** Largest relative difference of a loss from headstart's (on the first number of threads) at each of the first steps. */
  readonly differences?: readonly number[];
  readonly agrees?: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The largest relative difference of losses from the reference's at each step that both have. Losses near zero are
 * measured against 0.1, since a game's loss may cross zero.
 */
export function relativeDifferences(
  losses: readonly (readonly number[])[],
  reference: readonly (readonly number[])[],
): number[] {
  return losses.slice(0, reference.length).map((found, step) =>
    reference[step].reduce((largest, expected, index) => {
      const difference = Math.abs(found[index] - expected) / Math.max(Math.abs(expected), 0.1);
      // A loss that is missing or no number agrees with nothing.
      return Math.max(largest, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
    }, 0),
  );
}

/**
 * Do losses agree? All steps must be within the tolerance; where the network normalises batches, those after the first
 * within ten times of it. There equal computations drift apart: a bias before batch normalisation has no gradient but
 * round-off, and Adam moves it by about the learning rate all the same, in whichever direction that points.
 */
export function agree(differences: readonly number[], tolerance: number, normalizes: boolean): boolean {
  const limit = (step: number): number => (normalizes && step > 0 ? 10 : 1) * tolerance;
  return differences.length > 0 && differences.every((difference, step) => difference <= limit(step));
}

const number = (value: number, digits = 1): string => value.toFixed(digits);

/** Digits by size: 0.123, 1.23, 12.3, 123. */
function short(value: number): string {
  return value >= 100 ? number(value, 0) : value >= 10 ? number(value, 1) : number(value, 2);
}

/** The differences at the first step and at the worst one. */
function differencesText({ differences = [], agrees, peer }: Row): string {
  if (differences.length === 0 || (peer === "headstart" && differences.every((difference) => difference === 0)))
    return differences.length === 0 ? "" : "0";
  const [first, worst] = [differences[0], Math.max(...differences)].map((difference) => difference.toExponential(0));
  return `${agrees ? "" : "disagrees: "}${first} to ${worst} in ${differences.length}`;
}

/** A row as a line of a Markdown table; see {@link tableHead}. */
export function tableLine(row: Row): string {
  const peer = row.note === undefined ? row.peer : `${row.peer} (${row.note})`;
  const cells = [row.network, row.step, peer, `${row.threads}`];
  if (row.skipped !== undefined) return `| ${[...cells, `skipped: ${row.skipped}`, "", "", "", ""].join(" | ")} |`;
  const { milliseconds = [], samplesPerSecond = 0, peakBytes = 0, share } = row;
  const timed = milliseconds.length > 0;
  const agreement = differencesText(row);
  return `| ${[
    ...cells,
    timed
      ? `${short(median(milliseconds))} (${short(Math.min(...milliseconds))} to ${short(Math.max(...milliseconds))})`
      : "",
    timed ? Math.round(samplesPerSecond).toLocaleString("en") : "",
    timed ? `${Math.round(peakBytes / 1e6)}` : "",
    share === undefined ? "" : `${number(100 * share, share < 0.01 ? 2 : share < 0.1 ? 1 : 0)} %`,
    agreement,
  ].join(" | ")} |`;
}

export const tableHead =
  "| network | step | peer | threads | ms a step (range) | samples/s | MB | of MatMul | losses differ by, in steps |\n|---|---|---|---|---|---|---|---|---|";

/** headstart's best against the best of each group of peers, a line a network and step. */
export function ratios(rows: readonly Row[]): { network: string; step: string; rival: string; ratio: number }[] {
  const found: { network: string; step: string; rival: string; ratio: number }[] = [];
  const keys = [...new Set(rows.map(({ network, step }) => `${network} ${step}`))];
  for (const key of keys) {
    const here = rows.filter(({ network, step, milliseconds }) => `${network} ${step}` === key && milliseconds?.length);
    const best = (name: string): number =>
      Math.min(
        ...here
          .filter(({ peer }) => peer === name || peer.startsWith(`${name}-`))
          .map((row) => median(row.milliseconds ?? [])),
      );
    const [network, step] = key.split(" ");
    for (const rival of ["pytorch", "jax", "tfjs"]) {
      const ratio = best(rival) / best("headstart");
      if (Number.isFinite(ratio)) found.push({ network, step, rival, ratio });
    }
  }
  return found;
}
