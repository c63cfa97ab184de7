import { join } from "node:path";
import { expect, test } from "vitest";
import { readArguments } from "../../src/cli/command.js";
import { Console } from "../../src/cli/console.js";
import { command } from "../../src/cli/lab.js";
import { RecordingStream } from "../support/recording-stream.js";
import { temporaryFolder } from "../support/temporary-folder.js";

test("takes several folders to choose files from, and none without a name, which would be the current one", () => {
  expect(readArguments(command, ["--files", "a, b"])).toMatchObject({ options: { files: ["a", "b"] } });
  expect(() => readArguments(command, ["--files", "a,"])).toThrow(
    /^--files: required texts with commas in between, got "a,"/,
  );
});

test("says that it has made its folder, once", async () => {
  const folder = join(temporaryFolder(), "runs");
  const shown = async (): Promise<string> => {
    const [stdout, stderr] = [new RecordingStream(), new RecordingStream()];
    const console = new Console({ stdout, stderr, json: false, variables: {} });
    const invocation = readArguments(command, [folder, "--open", "no"]);
    if (invocation.kind !== "run") throw new Error("no help was asked for");
    await command.run({ ...invocation, console, signal: AbortSignal.abort() });
    return stdout.text;
  };
  expect(await shown()).toContain(
    `note: ${folder} was not there, and was made: it has no runs yet\nheadstart lab: http`,
  );
  expect(await shown()).not.toContain("note:");
});
