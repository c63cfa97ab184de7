import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.js";

const scripts = new URL("../../scripts/", import.meta.url);

test("the page's folder has the licence of every package that the page contains", () => {
  const folder = join(temporaryFolder(), "page");
  const words = [fileURLToPath(new URL("build-page.mjs", scripts)), folder];
  expect(spawnSync(process.execPath, words, { encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
  expect(readdirSync(folder).sort()).toEqual(["THIRD-PARTY-LICENSES", "assets", "index.html"]);
  const parts = readFileSync(join(folder, "THIRD-PARTY-LICENSES"), "utf8").split(/^(\S+) [\d.]+ \((?:MIT|ISC)\)\n-+$/m);
  const names = parts.filter((_, index) => index % 2 === 1);
  expect(names).toEqual(expect.arrayContaining(["preact", "@observablehq/plot", "d3-scale", "d3-geo", "isoformat"]));
  // Of the page's tools and the program's packages nothing is in the page.
  for (const other of ["vite", "hono", "d3"]) expect(names).not.toContain(other);
  const texts = parts.slice(1).filter((_, index) => index % 2 === 1);
  for (const text of texts) expect(text).toMatch(/Copyright.*[\s\S]*Permission/);
});

test.each([[{ name: "a", version: "1.0.0", identifier: "MIT" }], [{ name: "a", version: "1.0.0", text: "Copyright" }]])(
  "a bundled package without a licence fails the build: %j",
  (found) => {
    const program = `
    import { licencesText } from ${JSON.stringify(new URL("third-party-licenses.mjs", scripts).href)};
    licencesText([{ name: "b", version: "1.0.0", identifier: "MIT", text: "Copyright" }, ${JSON.stringify(found)}]);`;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toContain("no licence in the bundled packages a\n");
  },
);
