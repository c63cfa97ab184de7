import { expect, test } from "vitest";
import { builtInRecipe } from "../../src/recipe/recipe.js";
import { armsForData, defaultArms, parseArm, pilotArms, pretrainingPart } from "../../src/study/arm.js";
import { toyDataset } from "../support/toy-data.js";

const sources = {
  recipe: async (name: string) => builtInRecipe(name),
  weightsHash: async (file: string) => `hash of ${file}`,
};

test("reads every default arm", async () => {
  for (const name of [...defaultArms, ...pilotArms]) expect((await parseArm(name, sources)).name).toBe(name);
});

test("conditions as the suffix says, a recipe by itself otherwise", async () => {
  expect((await parseArm("he", sources)).conditioning).toMatchObject({ spectrumExponent: null, scale: "none" });
  expect((await parseArm("he+calibrated", sources)).conditioning).toMatchObject({
    spectrumExponent: null,
    scale: "unit",
  });
  expect((await parseArm("xavier+conditioned", sources)).conditioning).toMatchObject({
    spectrumExponent: 0.5,
    scale: "unit",
  });
  expect((await parseArm("file+layer-calibrated", sources)).conditioning).toMatchObject({
    spectrumExponent: null,
    scale: "layer",
  });
  expect((await parseArm("default", sources)).conditioning).toEqual(builtInRecipe("default").conditioning);
  expect((await parseArm("default+raw", sources)).conditioning).toMatchObject({
    spectrumExponent: null,
    scale: "none",
  });
});

test("reads where the head starts, behind the conditioning or at once", async () => {
  expect(await parseArm("he+zero-head", sources)).toMatchObject({ conditioning: { scale: "none" }, head: "zero" });
  expect(await parseArm("he+calibrated+class-means", sources)).toMatchObject({
    name: "he+calibrated+class-means",
    source: { kind: "initializer" },
    conditioning: { scale: "unit" },
    head: "class-means",
  });
  expect(await parseArm("he+opened", sources)).toMatchObject({
    conditioning: { scale: "unit", openness: 2, size: 0.2 },
  });
  expect(await parseArm("he+self-training", sources)).toMatchObject({ head: "self-training" });
  expect(await parseArm("he+linear-discriminant", sources)).toMatchObject({ head: "linear-discriminant" });
  const rotation = await parseArm("rotation+class-means", sources);
  expect(rotation.conditioning).toEqual(builtInRecipe("rotation").conditioning);
  expect(await parseArm("rotation", sources)).not.toHaveProperty("head");
  await expect(parseArm("he+zero-head+calibrated", sources)).rejects.toThrow(/Name the head once, and last/);
  await expect(parseArm("he+calibrated+raw", sources)).rejects.toThrow(
    /got "calibrated"\. Name one conditioning alone/,
  );
  await expect(parseArm("he+class-mean", sources)).rejects.toThrow(/Did you mean class-means/);
});

test("paths of files may have plus signs", async () => {
  const arm = await parseArm("weights:a+b/c+d.safetensors+zero-head", sources);
  expect(arm).toMatchObject({ source: { file: "a+b/c+d.safetensors" }, head: "zero" });
});

test("knows a file of weights by its content", async () => {
  const arm = await parseArm("weights:a/b.safetensors+calibrated", sources);
  expect(arm.source).toEqual({ kind: "weights", file: "a/b.safetensors", hash: "hash of a/b.safetensors" });
  expect(arm.conditioning.scale).toBe("unit");
});

test("names the nearest known arm", async () => {
  await expect(parseArm("xavierr", sources)).rejects.toThrow(/arm xavierr.*Did you mean xavier/);
  await expect(parseArm("he+calibratd", sources)).rejects.toThrow(/Did you mean calibrated/);
});

test("arms have the recipes that theirs name for the data, and what a suffix says stays", async () => {
  const names = ["default", "default+raw+zero-head", "contrast", "he"];
  const arms = await Promise.all(names.map((name) => parseArm(name, sources)));
  const { arms: inColour, replaced } = armsForData(
    arms,
    toyDataset([3, 8, 8]),
    { isDense: false, isDepthwise: false, hasDecoder: false },
    2,
  );
  const recipes = inColour.map(({ source }) =>
    source.kind === "recipe" ? [source.recipe.name, source.recipe.epochs] : null,
  );
  expect(recipes).toEqual([["rotation", 2], ["rotation", 2], ["contrast", 2], null]);
  expect(inColour.map(({ name }) => name)).toEqual(names);
  expect(inColour[1]).toMatchObject({ conditioning: { scale: "none" }, head: "zero" });
  expect(replaced).toEqual([
    {
      asked: builtInRecipe("default"),
      recipe: builtInRecipe("rotation"),
      because: "these are square pictures",
    },
  ]);
  const kept = armsForData(arms, toyDataset([1, 8, 8]), { isDense: false, isDepthwise: false, hasDecoder: false });
  expect(kept).toEqual({ arms, replaced: [] });
  const { arms: dense } = armsForData(arms, toyDataset([1, 8, 8]), {
    isDense: true,
    isDepthwise: false,
    hasDecoder: false,
  });
  expect(dense[0]).toMatchObject({ source: { recipe: { name: "clusters" } }, conditioning: { drawnHeadsOnly: true } });
  expect(dense[1]).toMatchObject({ source: { recipe: { name: "clusters" } }, conditioning: { scale: "none" } });
});

test("the default and the recipe that it is share their pretraining", async () => {
  const [contrast, byDefault] = ["contrast", "default"].map(builtInRecipe);
  expect(pretrainingPart(byDefault)).toEqual(pretrainingPart(contrast));
});

test("pretraining does not depend on a recipe's name nor on what is done afterwards", () => {
  const recipe = builtInRecipe("default");
  const other = { ...recipe, name: "mine", conditioning: { ...recipe.conditioning, scale: "none" as const } };
  expect(pretrainingPart(other)).toEqual(pretrainingPart(recipe));
  expect(pretrainingPart({ ...recipe, epochs: 1 })).not.toEqual(pretrainingPart(recipe));
  const [conditioned, otherwise] = [recipe, other].map((each) => ({ ...each, conditionStart: true }));
  expect(pretrainingPart(otherwise)).not.toEqual(pretrainingPart(conditioned));
});
