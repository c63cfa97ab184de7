/** docs/recipes.md is true: it has all recipes and keys, and its own recipe is one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { builtInRecipes, parseRecipe, type Recipe } from "../src/recipe/recipe.js";

const page = readFileSync(join(import.meta.dirname, "../docs/recipes.md"), "utf8");

/** Every key with its default; undefined where it may be absent, and for groups. */
function defaults(): [string, unknown][] {
  const leavesOf = (value: object): [string, unknown][] =>
    Object.entries(value).flatMap(([key, own]) =>
      typeof own === "object" && own !== null ? [[key, undefined], ...leavesOf(own)] : [[key, own]],
    );
  const { conditioning, ...recipe } = parseRecipe({ reconstruction: { weight: 1 } }, "test") satisfies Recipe;
  const absent = { openness: undefined, size: undefined, gain: undefined, drawnHeadsOnly: undefined };
  return leavesOf({ ...recipe, conditioning: { ...absent, ...conditioning } });
}

test("names every recipe, and what stands for the default on which data", () => {
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  for (const name of Object.keys(builtInRecipes).filter((name) => name !== "default"))
    expect(
      rows.some((row) => row.startsWith(`| \`${name}\` |`)),
      name,
    ).toBe(true);
  const { densePictures, depthwisePictures, squarePictures, tokens } = builtInRecipes.default;
  expect(page).toContain(`| tokens of texts | an embedding in front | \`${tokens}\` |`);
  expect(page).toContain(`| pictures | dense layers, no convolutions | \`${densePictures}\` |`);
  expect(page).toContain(`| square pictures in colour | depthwise convolutions | \`${depthwisePictures}\` |`);
  expect(page).toMatch(new RegExp(`^\\| other square pictures .* \\| \`${squarePictures}\` \\|$`, "m"));
});

test("names every key, with its default", () => {
  const cells = page.split("\n").flatMap((line) => (line.startsWith("| `") ? [line.split(" | ")[0]] : []));
  const keys = defaults();
  expect(keys.length).toBeGreaterThan(60);
  for (const [key] of keys)
    expect(
      cells.some((cell) => cell.includes(`\`${key}\``)),
      key,
    ).toBe(true);
  const said = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)` \(([^)]+)\)/g)]);
  expect(said.length).toBeGreaterThan(30);
  for (const [text, name, value] of said)
    expect(
      keys.some(([key, own]) => key === name && String(own) === value),
      text,
    ).toBe(true);
});

test("its own recipe is one", () => {
  const [, text] = page.match(/```json\n([\s\S]*?)```/) ?? [];
  const recipe = parseRecipe(JSON.parse(text), "docs/recipes.md");
  expect(recipe).toMatchObject({ reconstruction: { loss: "l1", weight: 1 }, epochs: 10 });
});
