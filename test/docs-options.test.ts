/** Every option of every command stands in a document, where a reader finds what it is for. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { catalogue } from "../src/cli/catalogue.js";
import { flagOf } from "../src/cli/options.js";

const root = join(import.meta.dirname, "..");
// The log says what was tried, not what there is.
const documents = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md") && name !== "log.md");
const text = ["README.md", ...documents.map((name) => join("docs", name))]
  .map((name) => readFileSync(join(root, name), "utf8"))
  .join("\n");

test.each(catalogue.map(({ name, load }) => [name, load] as const))("the options of %s", async (_, load) => {
  const flags = Object.keys((await load()).options).map(flagOf);
  expect(flags.length).toBeGreaterThan(0);
  expect(flags.filter((flag) => !new RegExp(`${flag}(?![a-z-])`).test(text))).toEqual([]);
});
