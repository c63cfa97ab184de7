/** sharp, which decodes and writes pictures: the only way to it, since its own error tells nobody what to do. */
import { userError } from "../errors.js";

/** The error for a sharp that Node did not load. */
export function sharpError(error: unknown): Error {
  const [first] = (error instanceof Error ? error.message : String(error)).split("\n");
  return userError({
    where: "sharp",
    required: `the package that reads pictures, with its library for ${process.platform} ${process.arch}`,
    got: first.replace(/[.:]$/, ""),
    advice: "Its library is an optional package, which npm's --omit=optional leaves out: install again without it",
  });
}

export const { default: sharp } = await import("sharp").catch((error: unknown) => {
  throw sharpError(error);
});
