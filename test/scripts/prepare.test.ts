import { expect, test } from "vitest";

const { npmCommand } = await import(new URL("../../scripts/prepare.mjs", import.meta.url).href);

test("npm is started without a shell, by its script where that is known", () => {
  const known = { npm_execpath: "/lib/npm/bin/npm-cli.js" };
  for (const platform of ["linux", "win32"] as const)
    expect(npmCommand(["ci"], known, platform)).toEqual({
      program: process.execPath,
      words: [known.npm_execpath, "ci"],
      shell: false,
    });
  expect(npmCommand(["ci", "a b"], {}, "darwin")).toEqual({ program: "npm", words: ["ci", "a b"], shell: false });
});

test("on Windows, npm by its name is one line for a shell, since Node starts no batch file without", () => {
  expect(npmCommand(["pack", "C:\\my files"], {}, "win32")).toEqual({
    program: 'npm pack "C:\\my files"',
    words: [],
    shell: true,
  });
  // Another package manager's script has other options.
  expect(npmCommand(["ci"], { npm_execpath: "C:\\pnpm\\bin\\pnpm.cjs" }, "win32").program).toBe("npm ci");
});
