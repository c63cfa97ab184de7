import { expect, test } from "vitest";
import { readArguments } from "../../src/cli/command.js";
import { command } from "../../src/cli/lab.js";

test("takes several folders to choose files from, and none without a name, which would be the current one", () => {
  expect(readArguments(command, ["--files", "a, b"])).toMatchObject({ options: { files: ["a", "b"] } });
  expect(() => readArguments(command, ["--files", "a,"])).toThrow(
    /^--files: required texts with commas in between, got "a,"/,
  );
});
