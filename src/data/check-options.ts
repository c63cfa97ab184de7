/** Looks at how data is to be read, for programs whose types nobody checks. */
import { userError } from "../errors.js";
import type { OpenOptions } from "./dataset.js";

/** The words that some options are one of. */
const words = {
  layout: ["NCHW", "NHWC"],
  task: ["classification", "regression", "segmentation", "none"],
  onBad: ["fail", "skip"],
  categories: ["one-hot", "embedding"],
} as const satisfies Partial<Record<keyof OpenOptions, readonly string[]>>;

/** @throws UserError naming the first option that is none of what it may be */
export function checkOptions(options: OpenOptions): void {
  for (const name of ["limit", "memory"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      throw userError({ where: name, required: "a whole number above 0", got: `${value}`, advice: "Change it" });
  }
  for (const name of Object.keys(words) as (keyof typeof words)[]) {
    const [value, known]: [unknown, readonly unknown[]] = [options[name], words[name]];
    if (value !== undefined && !known.includes(value))
      throw userError({ where: name, required: `one of ${known.join(", ")}`, got: shown(value), advice: "Change it" });
  }
  const { normalise, classNames }: { normalise?: unknown; classNames?: unknown } = options;
  const { mean, std } = (normalise ?? {}) as { mean?: unknown; std?: unknown };
  if (normalise !== undefined && typeof normalise !== "string" && !(Array.isArray(mean) && Array.isArray(std)))
    throw userError({
      where: "normalise",
      required: "a name, or numbers as { mean: [...], std: [...] }",
      got: shown(normalise),
      advice: "Change it",
    });
  if (classNames !== undefined && !Array.isArray(classNames))
    throw userError({ where: "class names", required: "a list of names", got: shown(classNames), advice: "Change it" });
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? typeof value;
}
