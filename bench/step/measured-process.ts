/**
 * A process that is measured. It makes its first steps and says what their losses were, then waits, so that processes
 * can take turns: for each line with a number on its standard input it makes that many steps, and answers how long they
 * took. An empty line ends it. Answers are one JSON object a line; the peers in Python do the same.
 */
import { createInterface } from "node:readline";
import { peakMemory } from "./peak-memory.js";

/** One training step; gives its losses. */
export interface MeasuredStep {
  run(): Promise<readonly number[]>;
  /** How it is made, where that was chosen on the way. */
  readonly note?: string;
}

/** Serves a step on standard input and output, until told to end. */
export async function serve(open: () => Promise<MeasuredStep>, firstSteps: number): Promise<void> {
  const answer = (line: object): void => {
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  const step = await open();
  const losses: (readonly number[])[] = [];
  for (let count = 0; count < firstSteps; count++) losses.push(await step.run());
  answer({ losses, note: step.note });
  for await (const line of createInterface({ input: process.stdin })) {
    const steps = Number(line);
    if (steps === 0) break;
    const began = performance.now();
    for (let count = 0; count < steps; count++) await step.run();
    answer({ seconds: (performance.now() - began) / 1000 });
  }
  answer({ memory: peakMemory() });
  process.exit(0);
}
