import { expect, it } from "vitest";
import { resolveRecipe } from "../../src/library/resolve-recipe.js";
import { builtInRecipe } from "../../src/recipe/recipe.js";
import { folderWith } from "../support/toy-data.js";

it("takes names, files and objects", async () => {
  expect(await resolveRecipe("paper")).toEqual(builtInRecipe("paper"));
  const path = folderWith({
    "mine.json": '{"reconstruction": {"weight": 2}}',
    "named.json": '{"name": "other", "reconstruction": {"weight": 2}}',
  });
  expect(await resolveRecipe(path("mine.json"))).toMatchObject({ name: "mine", reconstruction: { weight: 2 } });
  expect(await resolveRecipe(path("named.json"))).toMatchObject({ name: "other" });
  expect(await resolveRecipe({ reconstruction: { weight: 1 } })).toMatchObject({ name: "custom" });
});

it("takes a file with a byte order mark", async () => {
  const path = folderWith({ "mine.json": '\ufeff{"reconstruction": {"weight": 2}}' });
  expect(await resolveRecipe(path("mine.json"))).toMatchObject({ name: "mine" });
});

it("takes what has a backslash for a path, as Windows does", async () => {
  await expect(resolveRecipe("recipes\\mine")).rejects.toThrow(
    /mine: required a recipe's JSON file, got nothing there/,
  );
});

it.each([
  ["broken.json", /broken\.json: required a JSON object, got .*\. Correct the file\./],
  ["text.json", /text\.json: required an object of settings, got "paper"\./],
  ["missing.json", /missing\.json: required a recipe's JSON file, got nothing there\./],
  [".", /required a recipe's JSON file, got a folder\./],
])("refuses %s", async (name, message) => {
  const path = folderWith({ "broken.json": "{", "text.json": '"paper"' });
  await expect(resolveRecipe(path(name))).rejects.toThrow(message);
});
