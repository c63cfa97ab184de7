/** What the server answers, asked again while it is away. */
import { useEffect, useState } from "preact/hooks";
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
 * @param keys what the answer depends on: it is asked for anew whenever one of them changes
 */
export function useAnswer<Answer>(
  ask: (() => Promise<Answer>) | undefined,
  keys: readonly unknown[],
): { readonly answer: Answer | undefined; readonly error: string | undefined } {
  const [answer, setAnswer] = useState<Answer>();
  const [error, setError] = useState<string>();
  useEffect(() => {
    // What has changed may make good what was refused.
    setError(undefined);
    return ask && askUntilAnswered<Answer>(ask, setAnswer, setError);
  }, keys);
  return { answer, error };
}
