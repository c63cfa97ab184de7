/** What the form asks of a model that it shows. */
import type { InspectOptions } from "../library/inspect.js";
import { pathBelow } from "./safe-path.js";

/**
 * Option values as the form sends them, as those of a command; one that is no shape is left out, since the command says what
 * is wrong with it.
 *
 * @throws Refusal where a file lies elsewhere than in the lab's folders
 */
export async function inspectOptions(
  body: Readonly<Record<string, unknown>>,
  roots: readonly string[],
): Promise<InspectOptions> {
  const texts: Partial<Record<string, string>> = Object.fromEntries(
    Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === "string" && entry[1] !== ""),
  );
  const { model = "", features, input, freeze, discriminator, recipe, stateDict, keepNames } = texts;
  const path = await pathBelow(roots, model);
  for (const file of [discriminator, recipe])
    if (file !== undefined && /[/\\.]/.test(file)) await pathBelow(roots, file);
  const inputShape = shapeOf(texts.inputShape);
  return {
    model: path,
    ...(features === undefined ? {} : { features }),
    ...(input === undefined ? {} : { input }),
    ...(inputShape === undefined ? {} : { inputShape }),
    ...(freeze === undefined ? {} : { freeze }),
    ...(discriminator === undefined ? {} : { discriminator }),
    ...(recipe === undefined ? {} : { recipe }),
    ...(stateDict === undefined ? {} : { stateDict: await pathBelow(roots, stateDict) }),
    ...(keepNames === "yes" ? { keepNames: true } : {}),
  };
}

/** Sizes with x or commas in between, such as 3x32x32. */
function shapeOf(text: string | undefined): readonly number[] | undefined {
  const sizes = text?.split(/[,x×]/).map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : 0));
  return sizes?.every((size) => Number.isSafeInteger(size) && size >= 1) ? sizes : undefined;
}
