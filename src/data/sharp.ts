/** sharp, which decodes and writes pictures: the only way to it, since its own error tells nobody what to do. */
import { createRequire } from "node:module";
import type Sharp from "sharp";
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

/** Without waiting: what waits while it is loaded cannot be loaded by `require`. */
function load(): typeof Sharp {
  try {
    return createRequire(import.meta.url)("sharp") as typeof Sharp;
  } catch (error) {
    throw sharpError(error);
  }
}

export const sharp = load();
