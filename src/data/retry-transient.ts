import { checkInterrupted } from "./read-bytes.js";

/** How often a request is made until it is given up. */
const attempts = 4;
/** How long after the first, in milliseconds; each further time four times as long. */
const firstPause = 100;

/** What may go well the next time. */
class TransientError extends Error {
  readonly reason: Error;

  constructor(reason: Error) {
    super(reason.message);
    this.reason = reason;
  }
}

/** The error to throw for an answer that is no success: {@link retryTransient} asks again where the server is at fault or busy. */
export function refused({ status }: Response, error: Error): Error {
  return status >= 500 || status === 429 ? new TransientError(error) : error;
}

/**
 * Does something over the network, again where the connection breaks off or the server is busy.
 *
 * @param failed makes the error of a reason in words
 * @throws UserError at once for one that `work` throws; otherwise the last attempt's error; InterruptedError where the
 *   signal aborts
 */
export async function retryTransient<Result>(
  work: () => Promise<Result>,
  failed: (reason: string) => Error,
  signal: AbortSignal | undefined,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    checkInterrupted(signal);
    try {
      return await work();
    } catch (error) {
      checkInterrupted(signal);
      if (error instanceof Error && error.name === "UserError") throw error;
      if (attempt === attempts) throw error instanceof TransientError ? error.reason : failed(reasonOf(error));
      await new Promise((resolve) => setTimeout(resolve, firstPause * 4 ** (attempt - 1)));
    }
  }
}

/** What a failed request says, in words. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
