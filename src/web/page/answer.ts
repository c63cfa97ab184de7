/** What the server answers, asked again while it is away. */
import { useEffect, useRef, useState } from "preact/hooks";
import { NoAnswer } from "./api.js";

/** Milliseconds from one try to the next where the server is away. */
export const untilNextTry = 2000;

/**
 * Asks until there is an answer, or a refusal.
 *
 * @returns ends it: neither is told any more
 */
export function askUntilAnswered<Answer>(
  ask: () => Promise<Answer>,
  take: (answer: Answer) => void,
  refuse: (reason: string) => void,
): () => void {
  let gone = false;
  let again: ReturnType<typeof setTimeout> | undefined;
  const attempt = (): void => {
    void ask().then(
      (answer) => gone || take(answer),
      (problem: Error) => {
        if (gone) return;
        if (problem instanceof NoAnswer) again = setTimeout(attempt, untilNextTry);
        else refuse(problem.message);
      },
    );
  };
  attempt();
  return () => {
    gone = true;
    clearTimeout(again);
  };
}

/**
 * The newest answer, in a component that changes with it, or why there is none. What was answered before stays until the next
 * answer comes.
 *
 * @param ask undefined where there is nothing to ask
 * @param about what it is asked about: an answer about anything else is dropped
 * @param changes what tells that the answer may be another by now. While one is awaited they only make it be asked for once
 *   more: what changes faster than it is answered would have no answer at all.
 */
export function useAnswer<Answer>(
  ask: (() => Promise<Answer>) | undefined,
  about: readonly unknown[],
  changes: readonly unknown[] = [],
): { readonly answer: Answer | undefined; readonly error: string | undefined } {
  const [answer, setAnswer] = useState<Answer>();
  const [error, setError] = useState<string>();
  const askAgain = useRef(() => {});
  useEffect(() => {
    setError(undefined);
    if (!ask) return;
    let stop = (): void => {};
    let awaited = false;
    let outdated = false;
    const start = (): void => {
      outdated = awaited;
      if (awaited) return;
      awaited = true;
      stop = askUntilAnswered<Answer>(
        ask,
        (next) => told(next, undefined),
        (reason) => told(undefined, reason),
      );
    };
    const told = (next: Answer | undefined, reason: string | undefined): void => {
      awaited = false;
      if (next !== undefined) setAnswer(next);
      setError(reason);
      if (outdated) start();
    };
    askAgain.current = start;
    start();
    return () => {
      askAgain.current = () => {};
      stop();
    };
  }, about);
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current) askAgain.current();
    isFirst.current = false;
  }, changes);
  return { answer, error };
}
