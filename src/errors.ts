/**
 * The errors that callers react to. Everything else that is thrown is a bug.
 */

/**
 * Something that the user can put right: a file that is missing, an option that does not fit, a network that the
 * method cannot take. The command line prints its message as one line and exits with status 1.
 *
 * The message reads `<where>: <what was required>, got <what came>. <what to do>`.
 */
export class UserError extends Error {
  override readonly name: string = "UserError";
}

/** Wrong use of the command line itself (an unknown option, a missing argument): exit status 2. */
export class UsageError extends UserError {
  override readonly name = "UsageError";
}

/** The run was interrupted on purpose (an AbortSignal, Ctrl-C) and ended cleanly. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

/** The parts of a user-facing error message, see {@link UserError}. */
export interface Complaint {
  /** The file, option, node or tensor that is concerned. */
  where: string;
  /** What was required there, as a noun phrase. */
  required: string;
  /** What was found instead. */
  got: string;
  /** What the user can do about it, as a sentence. */
  advice: string;
}

/** Builds a {@link UserError} in the one form that all of headstart's messages have. */
export function userError({ where, required, got, advice }: Complaint): UserError {
  const sentence = /[.?!]$/.test(advice) ? advice : `${advice}.`;
  return new UserError(`${where}: required ${required}, got ${got}. ${sentence}`);
}

const fileProblems: Readonly<Record<string, string>> = {
  ENOENT: "nothing there",
  EACCES: "no permission",
  EPERM: "no permission",
  EBUSY: "a file that another program has open",
  EISDIR: "a folder",
  ENOTDIR: "a path through a file",
  ENOSPC: "a full disk",
  EDQUOT: "a full disk quota",
  EFBIG: "a file larger than may be written here",
  EROFS: "a read-only file system",
  EEXIST: "something there already",
  EMFILE: "too many open files",
  ENAMETOOLONG: "a name that is too long",
  ELOOP: "links in a circle",
  EIO: "an input/output error",
  ERR_FS_FILE_TOO_LARGE: "a file over 2 GiB",
};

/**
 * A {@link UserError} for what the file system said no to; anything else is given back as it came.
 *
 * @param advice what to do but for a full disk
 */
export function fileError(error: unknown, where: string, required: string, advice = "Check the path."): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const problem = fileProblems[code];
  if (problem === undefined) return error;
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  return userError({ where, required, got: problem, advice: isFull ? "Free some space and try again." : advice });
}
