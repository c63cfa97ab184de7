import type { OpenOptions } from "./dataset.js";
import { checkInterrupted } from "./read-bytes.js";

/** How often a request is made until it is given up. */
const attempts = 4;
/** How long after the first, in milliseconds; each further time four times as long. */
const firstPause = 100;
/** How long a server may be silent, in milliseconds, where the options do not say. */
const longestSilence = 60_000;

/** What the work of an attempt minds. */
export interface Attempt {
  /** Aborts where the user's does, and where nothing was heard for long. */
  readonly signal: AbortSignal;
  /** To be called whenever something has come. */
  readonly heard: () => void;
}

/** The server has fallen silent. */
class SilentError extends Error {}

/** What may go well the next time. */
class TransientError extends Error {
  readonly reason: Error;

  constructor(reason: Error) {
    super(reason.message);
    this.reason = reason;
  }
}

/** The error to throw for an answer that is no success: {@link retryTransient} asks again where the server is at fault or busy. */
export function refused({ status }: Pick<Response, "status">, error: Error): Error {
  return status >= 500 || status === 429 ? new TransientError(error) : error;
}

/**
 * Does something over the network, again where the connection breaks off or the server is busy or silent.
 *
 * @param failed makes the error of a reason in words, and of what to do where that is known
 * @throws UserError at once for one that `work` throws; otherwise the last attempt's error; InterruptedError where the
 *   signal aborts
 */
export async function retryTransient<Result>(
  work: (attempt: Attempt) => Promise<Result>,
  failed: (reason: string, advice?: string) => Error,
  { signal, idleTimeout = longestSilence }: Pick<OpenOptions, "signal" | "idleTimeout">,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    checkInterrupted(signal);
    try {
      return await listening(work, signal, idleTimeout);
    } catch (error) {
      checkInterrupted(signal);
      if (error instanceof Error && error.name === "UserError") throw error;
      if (attempt === attempts) {
        if (error instanceof TransientError) throw error.reason;
        if (error instanceof SilentError) throw failed(error.message, "Check the connection, or try again later");
        throw failed(reasonOf(error), proxyAdvice());
      }
      await new Promise((resolve) => setTimeout(resolve, firstPause * 4 ** (attempt - 1)));
    }
  }
}

/** Makes one attempt, which ends with a SilentError where nothing is heard for so many milliseconds. */
async function listening<Result>(
  work: (attempt: Attempt) => Promise<Result>,
  signal: AbortSignal | undefined,
  idleTimeout: number,
): Promise<Result> {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  const silent = new SilentError(`nothing for ${idleTimeout / 1000} s, ${attempts} times`);
  const timer = setTimeout(() => controller.abort(silent), idleTimeout);
  signal?.addEventListener("abort", abort);
  try {
    return await work({ signal: controller.signal, heard: () => void timer.refresh() });
  } catch (error) {
    // What an aborted request throws may be its own.
    throw controller.signal.reason === silent ? silent : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** What to do where a proxy is named that Node does not ask; undefined where there is none. */
function proxyAdvice(): string | undefined {
  const { NODE_USE_ENV_PROXY: isAsked, HTTPS_PROXY, https_proxy, HTTP_PROXY, http_proxy } = process.env;
  if (isAsked || !(HTTPS_PROXY || https_proxy || HTTP_PROXY || http_proxy)) return undefined;
  return "Check the address and access; where a proxy is needed, set NODE_USE_ENV_PROXY=1, which Node 22.21 and later know";
}

/** What a failed request says, in words. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
