import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { shellWord } from "../../src/library/shell-word.js";

test.each([
  ["m.onnx", "m.onnx"],
  ["--arms=he,default", "--arms=he,default"],
  ["a b", "'a b'"],
  ["it's", "'it'\\''s'"],
  ["$HOME", "'$HOME'"],
  ["사진", "'사진'"],
])("a POSIX shell reads %s as it was", (word, shown) => {
  expect(shellWord(word, "linux")).toBe(shown);
});

test.each([
  ["C:\\data\\m.onnx", "C:\\data\\m.onnx"],
  ["--arms=he,default", '"--arms=he,default"'],
  ["a b", '"a b"'],
  ["it's", '"it\'s"'],
  ["C:\\my data\\", '"C:\\my data\\\\"'],
  ['say "so"', '"say \\"so\\""'],
])("PowerShell and cmd read %s as it was", (word, shown) => {
  expect(shellWord(word, "win32")).toBe(shown);
});

test.skipIf(process.platform === "win32")("whatever a word holds, sh gives it back", () => {
  const word = fc.string({ unit: "binary", minLength: 1 }).filter((text) => !text.includes("\0"));
  fc.assert(
    fc.property(fc.array(word, { maxLength: 50 }), (words) => {
      const line = `printf '%s\\0' ${words.map((each) => shellWord(each, "linux")).join(" ")}`;
      const { stdout } = spawnSync("sh", ["-c", line], { encoding: "utf8" });
      expect(stdout).toBe(words.length === 0 ? "\0" : words.map((each) => `${each}\0`).join(""));
    }),
    { numRuns: 20, seed: 1 },
  );
});
