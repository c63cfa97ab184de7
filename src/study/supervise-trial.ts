/** The supervised training of a trial: the plan's steps, and those beyond them for the comparison at equal total time. */
import type { SupervisedResult, SupervisedRun, Supervisor } from "../training/supervise.js";
import { evaluationSteps, type StudySchedule, type Trial } from "./plan.js";

/** What a trial's training is made of. */
export interface TrialTraining {
  readonly supervisor: Pick<Supervisor, "run">;
  readonly purpose: Trial["purpose"];
  readonly run: Omit<SupervisedRun, "steps" | "evaluateAt" | "schedule" | "onStep">;
  readonly steps: number;
  /** Steps beyond these; trials that tune make none. */
  readonly extension: number;
  /** Undefined: the learning rate stays. */
  readonly schedule?: StudySchedule | undefined;
  /** Told how many steps are made, and how many there are to make. */
  readonly onStep?: ((made: number, all: number) => void) | undefined;
}

/** What came of it. */
export interface TrialTrained extends Pick<SupervisedResult, "losses" | "evaluations" | "divergedAt"> {
  /** Numbers of steps after which the network was to be measured. */
  readonly evaluateAt: readonly number[];
  /** The median. */
  readonly secondsPerStep: number;
}

/** How many steps a trial makes in all: see {@link superviseTrial}. */
export function stepsMadeFor(steps: number, extension: number, schedule: StudySchedule | undefined): number {
  return steps + extension + (schedule === undefined || extension === 0 ? 0 : steps);
}

/**
 * Trains for the steps and on to those beyond. Where the learning rate falls over the steps, it has come to its end after
 * them: what lies beyond is then another training from the same start, whose learning rate falls over all of its steps, and
 * which is measured at its end alone.
 */
export async function superviseTrial(training: TrialTraining): Promise<TrialTrained> {
  const { steps, purpose, schedule } = training;
  const all = steps + (purpose === "tuning" ? 0 : training.extension);
  const evaluateAt = purpose === "tuning" ? [steps] : evaluationSteps(steps, all - steps);
  const planned = stepsMadeFor(steps, all - steps, schedule);
  if (planned === all) return trainOnce(training, all, evaluateAt, 0, planned);
  const within = evaluateAt.filter((step) => step <= steps);
  const first = await trainOnce(training, steps, within, 0, planned);
  const both = { ...first, evaluateAt: [...within, all] };
  if (first.divergedAt !== undefined) return both;
  const longer = await trainOnce(training, all, [all], steps, planned);
  return {
    ...both,
    losses: [...first.losses, ...longer.losses.slice(steps)],
    evaluations: [...first.evaluations, ...longer.evaluations],
    // Wherever the longer training failed: the shorter one did not.
    ...(longer.divergedAt === undefined ? {} : { divergedAt: Math.max(steps, longer.divergedAt) }),
  };
}

/**
 * One training from the start weights.
 *
 * @param made how many steps were made before, and
 * @param planned how many there are with them, for those who wait
 */
async function trainOnce(
  { supervisor, run, schedule, onStep }: TrialTraining,
  steps: number,
  evaluateAt: readonly number[],
  made: number,
  planned: number,
): Promise<TrialTrained> {
  const clock = new StepClock(evaluateAt);
  const { losses, evaluations, divergedAt } = await supervisor.run({
    ...run,
    steps,
    evaluateAt,
    ...(schedule === undefined ? {} : { schedule: { kind: schedule, warmUp: 0 } }),
    onStep: (step) => {
      clock.tick(step);
      onStep?.(made + step, planned);
    },
  });
  return {
    losses,
    evaluations,
    ...(divergedAt === undefined ? {} : { divergedAt }),
    evaluateAt,
    secondsPerStep: clock.secondsPerStep(),
  };
}

/** Median time between steps that had no evaluation in between. */
class StepClock {
  readonly #pauses: ReadonlySet<number>;
  readonly #durations: number[] = [];
  #last: number | undefined;

  constructor(evaluateAt: readonly number[]) {
    this.#pauses = new Set(evaluateAt);
  }

  tick(step: number): void {
    const now = performance.now();
    if (this.#last !== undefined) this.#durations.push(now - this.#last);
    this.#last = this.#pauses.has(step) ? undefined : now;
  }

  secondsPerStep(): number {
    const ordered = this.#durations.sort((a, b) => a - b);
    return (ordered[Math.floor(ordered.length / 2)] ?? 0) / 1000;
  }
}
