/** What is wrong with a recipe, in words. */
import type { z } from "zod";
import { type UserError, userError } from "../errors.js";
import { nearest } from "../nearest.js";

/**
 * The error for one issue that the schema found.
 *
 * @param input what was given as the recipe
 * @param defaults a recipe with all keys, to name the known ones
 * @param where the file or option
 */
export function recipeComplaint(issue: z.core.$ZodIssue, input: unknown, defaults: unknown, where: string): UserError {
  const path = issue.path.map(String);
  const place = path.length > 0 ? `${where}: ${path.join(".")}` : where;
  const found = at(input, path);
  const complain = (required: string, advice = "Give another value."): UserError =>
    userError({ where: place, required, got: shown(found), advice });
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = Object.keys(at(defaults, path) as object);
      const close = nearest(issue.keys[0], known);
      return userError({
        where: place,
        required: `no other keys than ${known.join(", ")}`,
        got: issue.keys.map((key) => `"${key}"`).join(", "),
        advice: close ? `Did you mean "${close}"?` : "Remove it.",
      });
    }
    case "invalid_value": {
      const close = typeof found === "string" ? nearest(found, issue.values.map(String)) : undefined;
      return complain(
        `one of ${issue.values.map(String).join(", ")}`,
        close ? `Did you mean "${close}"?` : "Choose one of them.",
      );
    }
    case "invalid_type":
      return complain(kinds[issue.expected] ?? `a value of type ${issue.expected}`);
    case "too_small":
      return complain(`a number ${issue.inclusive === false ? "above" : "of at least"} ${issue.minimum}`);
    case "too_big":
      return complain(`a number ${issue.inclusive === false ? "below" : "of at most"} ${issue.maximum}`);
    default:
      return complain(`a value that fits (${issue.message})`);
  }
}

const kinds: Readonly<Record<string, string>> = {
  number: "a finite number",
  int: "a whole number",
  string: "a text",
  boolean: "true or false",
  object: "an object of settings",
};

function at(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const key of path) value = (value as Readonly<Record<string, unknown>> | undefined)?.[key];
  return value;
}

/** A value as JSON has it, cut where it is long. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
