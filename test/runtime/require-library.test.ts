import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { libraryError, type Machine } from "../../src/runtime/require-library.js";

const built = ["darwin arm64", "linux x64", "win32 arm64"];
const message = (error: unknown, machine: Machine, there = built): string =>
  libraryError(error, machine, there).message;

test.each<[NodeJS.Platform, string, string, RegExp]>([
  [
    "win32",
    "arm64",
    "The specified module could not be found.\n\\\\?\\C:\\o.node",
    /\(The specified module could not be found\)\. Install .*vc_redist\.arm64\.exe\)\.$/,
  ],
  ["darwin", "arm64", "built for macOS 14.0", /\(built for macOS 14\.0\)\. It needs macOS 14 or later\.$/],
  [
    "linux",
    "x64",
    "/lib/libm.so.6: version `GLIBC_2.27' not found",
    /GLIBC_2\.27' not found\)\. It needs glibc 2\.28 or later/,
  ],
])("says what %s %s needs where its library cannot be loaded", (platform, arch, said, expected) => {
  expect(message(new Error(said), { platform, arch })).toMatch(expected);
});

test("says which libraries there are where there is none for the machine", () => {
  const missing = new Error("Cannot find module '../bin/napi-v6/darwin/x64/onnxruntime_binding.node'");
  expect(message(missing, { platform: "darwin", arch: "x64" })).toBe(
    "ONNX Runtime: required its library for darwin x64, got only those for darwin arm64, linux x64, win32 arm64. " +
      "On a Mac with Apple silicon, install Node for arm64; for Macs with Intel's processors there is none.",
  );
  expect(message(missing, { platform: "linux", arch: "riscv64" })).toMatch(/Use one of these machines\.$/);
  expect(message(missing, { platform: "linux", arch: "x64" }, [])).toMatch(/Install headstart's packages again\.$/);
});

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

test.skipIf(!existsSync(main))("the program says in one line that the machine has no library", () => {
  const otherMachine = 'data:text/javascript,Object.defineProperty(process,"arch",{value:"riscv64"})';
  const words = ["--import", otherMachine, main, "inspect", "model.onnx"];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(
      /^headstart: ONNX Runtime: required its library for \w+ riscv64, got only those for .*\n$/,
    ),
  });
});
