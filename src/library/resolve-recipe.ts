/** A recipe by name, by file, or as given. */
import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { fileError, userError } from "../errors.js";
import { builtInRecipe, parseRecipe, type Recipe, type RecipeInput } from "../recipe/recipe.js";

/** Reads what `--recipe` names. @throws UserError where it is neither a known name nor a valid JSON file */
export async function resolveRecipe(given: string | RecipeInput): Promise<Recipe> {
  if (typeof given !== "string") return parseRecipe(given, "recipe");
  const isFile = extname(given) !== "" || /[/\\]/.test(given);
  if (!isFile) return builtInRecipe(given);
  let text: string;
  try {
    text = await readFile(given, "utf8");
  } catch (error) {
    throw fileError(error, given, "a recipe's JSON file");
  }
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (error) {
    throw userError({
      where: given,
      required: "a JSON object",
      got: error instanceof Error ? error.message : "something else",
      advice: "Correct the file.",
    });
  }
  const name = basename(given, extname(given));
  const isObject = typeof content === "object" && content !== null && !Array.isArray(content);
  return parseRecipe(isObject ? Object.assign({ name }, content) : content, given);
}
