/** The types of the package, as whoever imports it reads them. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** What declarations import from outside, by all files that they come from. */
function packagesBehind(entry: URL): Set<string> {
  const found = new Set<string>();
  const files = [entry.href];
  for (const file of files) {
    const path = new URL(file.replace(/\.js$/, ".d.ts"));
    expect(existsSync(path), path.href).toBe(true);
    const text = readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, name] of text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)) {
      const next = new URL(name, file).href;
      if (name.startsWith("node:")) continue;
      if (!name.startsWith(".")) found.add(name);
      else if (!files.includes(next)) files.push(next);
    }
  }
  return found;
}

// ONNX Runtime's declarations need those of the DOM, which a program for Node does not have.
test("lead to no other package's types than zod's", () => {
  expect([...packagesBehind(new URL("../dist/index.js", import.meta.url))]).toEqual(["zod"]);
});
