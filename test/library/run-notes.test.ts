import { expect, test } from "vitest";
import { memoryNote, replacedInRunNote, replacedNote } from "../../src/library/run-notes.js";
import { builtInRecipe } from "../../src/recipe/recipe.js";

test("warns of training steps that take more memory than is free", () => {
  const training = { peakBytes: 10 * 2 ** 30, batchSize: 128 };
  expect(memoryNote(training, "cpu", 12 * 2 ** 30)).toBe(
    "a training step of 128 samples takes about 13.0 GiB of memory or more, and 12.0 GiB are free, so it may be slow, or the system may end it: a smaller --batch-size takes less",
  );
  expect(memoryNote(training, "cpu", 13 * 2 ** 30)).toBeUndefined();
  // Its memory is another, and what it has no room for it says itself.
  expect(memoryNote(training, "cuda", 2 ** 30)).toBeUndefined();
});

test("says which recipe has taken the place of another, in a run with what else may be better", () => {
  const [asked, rotation, clusters] = ["default", "rotation", "clusters"].map(builtInRecipe);
  const square = { asked, recipe: rotation, because: "these are square pictures" };
  expect(replacedNote(square)).toBe("these are square pictures, for which the recipe default is rotation");
  expect(replacedInRunNote(square, undefined)).toMatch(
    /^these .* is rotation; on pictures without an upright position/,
  );
  const decoded = { ...square, recipe: { ...rotation, start: "pytorch-default" as const } };
  for (const said of [replacedNote(decoded), replacedInRunNote(decoded, undefined)])
    expect(said).toContain("the recipe default is rotation from PyTorch's weights");
  const dense = { asked, recipe: clusters, because: "F has no convolutions" };
  expect(replacedInRunNote(dense, undefined)).toContain("is clusters; it was measured to help most where --head");
  expect(replacedInRunNote(dense, "class-means")).toBe(replacedNote(dense));
});
