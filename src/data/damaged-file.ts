import { fileError, InterruptedError, userError } from "../errors.js";

/**
 * What a reader tripped over in a file, as a {@link UserError}; one that is that already, or an interruption, stays as it is.
 *
 * @param required what the file should be
 */
export function damagedFile(error: unknown, where: string, required: string): Error {
  if (error instanceof InterruptedError || (error instanceof Error && error.name === "UserError")) return error;
  const problem = fileError(error, where, required);
  if (problem instanceof Error && problem !== error) return problem;
  // What a reader trips over inside says nothing of the file.
  const isSaid = error instanceof Error && error.constructor === Error && !("code" in error);
  return userError({
    where,
    required,
    got: isSaid ? error.message.replace(/\.+$/, "") : "one that is cut off or damaged",
    advice: "The file is damaged: fetch or save it again",
  });
}
