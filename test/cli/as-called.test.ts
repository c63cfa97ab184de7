import { join } from "node:path";
import { expect, test } from "vitest";
import { asCalled } from "../../src/cli/as-called.js";
import { shellWord } from "../../src/library/shell-word.js";

test.each([
  [["clone", "dist", "cli", "main.js"], `node ${join("dist", "cli", "main.js")}`],
  [["my clone", "main.js"], `node ${shellWord(join("..", "my clone", "main.js"))}`],
  [["project", "node_modules", ".bin", "headstart"], "npx headstart"],
  [["clone", "node_modules", "headstart", "dist", "cli", "main.js"], "npx headstart"],
  [["npm", "node_modules", "headstart", "dist", "cli", "main.js"], "headstart"],
  [["usr", "bin", "headstart"], "headstart"],
])("%j was started as %s", (script, words) => {
  expect(asCalled(join("/", ...script), join("/", "clone"))).toBe(words);
});
