/** Looks at the course of pretraining and says in words what has gone wrong. */

/** A warning with the numbers behind it. */
export interface Warning {
  readonly kind: "collapse" | "identity" | "discriminator-won" | "task-unsolved";
  readonly message: string;
  /** The numbers in the message; absent in records of earlier versions. */
  readonly values?: Readonly<Record<string, number>>;
}

type Metrics = Readonly<Record<string, number>>;

/**
 * Judges the mean metrics of the last stretch of training.
 *
 * - collapse: G(x) is hardly nearer to its own x than to another sample
 * - identity: G copies x (error under 1 % of the distance between two samples), so F need not have learned features
 * - discriminator-won: D tells nearly all apart and its loss is near nothing, so it teaches G nothing any more
 * - task-unsolved: F tells how pictures are turned hardly better than chance
 *
 * @param metrics means by name, see recipe/pretraining-graph
 * @param chanceOfTurn the share of turns that guessing gets right, where the task is rotation
 */
export function judge(metrics: Metrics, chanceOfTurn?: number): Warning[] {
  const warnings: Warning[] = [];
  const own = metrics["likeness/own"];
  const other = metrics["likeness/other"];
  if (own !== undefined && other !== undefined) {
    const ratio = own / Math.max(other, 1e-12);
    if (ratio > 0.95)
      warnings.push({
        kind: "collapse",
        values: { own, other },
        message: `G(x) is as far from its own x as from another sample (mean squared error ${own.toPrecision(3)} against ${other.toPrecision(3)}): G gives much the same whatever it sees. Train for longer, give reconstruction more weight, or lower the learning rate.`,
      });
    if (ratio < 0.01)
      warnings.push({
        kind: "identity",
        values: { own, other },
        message: `G(x) copies x (mean squared error ${own.toPrecision(3)} against ${other.toPrecision(3)} to another sample): F may pass x through without learning features. Choose a narrower feature tensor, or corrupt G's input.`,
      });
  }
  const loss = metrics["discriminator/loss"];
  const pairs = metrics["discriminator/accuracy-pairs"];
  if (loss !== undefined && pairs !== undefined && loss < 0.05 && pairs > 0.99)
    warnings.push({
      kind: "discriminator-won",
      values: { pairs, loss },
      message: `D tells real from generated in ${(100 * pairs).toFixed(1)} % of the pairs with a loss of ${loss.toPrecision(2)}: it has won and teaches G nothing more. Raise instance noise or R1/R2, or lower D's learning rate.`,
    });
  const accuracy = metrics["task/accuracy"];
  if (chanceOfTurn !== undefined && accuracy !== undefined && accuracy < 1.2 * chanceOfTurn)
    warnings.push({
      kind: "task-unsolved",
      values: { accuracy, chance: chanceOfTurn },
      message: `F tells in ${(100 * accuracy).toFixed(1)} % of the cases how a picture is turned, where guessing gives ${(100 * chanceOfTurn).toFixed(0)} %: these pictures may have no upright position, as seen from above or through a microscope, and turns then teach nothing. Train for longer, or try the recipe contrast, which was measured to be level to one point better on such pictures.`,
    });
  return warnings;
}
