import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import { externalDataReader } from "../../src/formats/external-data.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const ten = Uint8Array.from({ length: 10 }, (_, index) => index);
const files = { "models/m.onnx": "", "models/w.bin": ten, "models/deep/v.bin": ten, "secret.bin": ten };

function reader() {
  const folder = temporaryFolder(files);
  return { folder, read: externalDataReader(join(folder, "models", "m.onnx")) };
}

/** Symbolic links and pipes need rights or commands that Windows does not give. */
const posix = it.skipIf(process.platform === "win32");

describe("externalDataReader", () => {
  it("reads a part of a file in the model's folder or deeper", () => {
    const { read } = reader();
    expect(read("w.bin", 0, 10)).toEqual(ten);
    expect(read("w.bin", 3, 4)).toEqual(Uint8Array.of(3, 4, 5, 6));
    expect(read("w.bin", 10, 0)).toEqual(new Uint8Array(0));
    expect(read("./deep/v.bin", 9, 1)).toEqual(Uint8Array.of(9));
    expect(read("deep//v.bin", 0, 1)).toEqual(Uint8Array.of(0));
  });

  posix("follows links that stay inside, and a link to the model's folder", () => {
    const { folder, read } = reader();
    symlinkSync("deep/v.bin", join(folder, "models", "inside.bin"));
    expect(read("inside.bin", 1, 1)).toEqual(Uint8Array.of(1));
    symlinkSync("models", join(folder, "alias"));
    expect(externalDataReader(join(folder, "alias", "m.onnx"))("w.bin", 2, 1)).toEqual(Uint8Array.of(2));
  });

  it.each<[string, string, RegExp]>([
    ["a parent", "../secret.bin", /leads out/],
    ["a parent behind a folder", "deep/../../secret.bin", /leads out/],
    ["a parent in Windows' spelling", "deep\\..\\..\\secret.bin", /leads out/],
    ["the parent itself", "..", /leads out/],
    ["an absolute path", "/etc/passwd", /absolute/],
    ["a drive", "C:\\secret.bin", /absolute/],
    ["a path on a drive", "c:secret.bin", /absolute/],
    ["a network share", "\\\\host\\share\\secret.bin", /absolute/],
    ["an address in memory", "*/_ORT_MEM_ADDR_/*", /memory/],
    ["no name", "", /no file name/],
    ["a name that ends early", "w.bin\0.txt", /no file name/],
    ["a folder", "deep", /folder|something else than a file/],
    ["the folder itself", ".", /folder|something else than a file/],
    ["a missing file", "none.bin", /nothing there/],
    ["a path through a file", "w.bin/x", /path through a file|nothing there/],
    ["a very long name", "x".repeat(5000), /too long|nothing there/],
  ])("refuses %s", (_, location, message) => {
    const { folder, read } = reader();
    expect(() => read(location, 0, 1)).toThrow(UserError);
    expect(() => read(location, 0, 1)).toThrow(message);
    expect(() => read(location, 0, 1)).toThrow(join(folder, "models", "m.onnx"));
  });

  posix("refuses links that lead out, files and folders", () => {
    const { folder, read } = reader();
    symlinkSync("../secret.bin", join(folder, "models", "link.bin"));
    symlinkSync("..", join(folder, "models", "up"));
    // A folder whose name begins as the model's folder is not inside it.
    mkdirSync(join(folder, "models-other"));
    symlinkSync("../models-other", join(folder, "models", "beside"));
    for (const location of ["link.bin", "up/secret.bin", "beside"]) {
      expect(() => read(location, 0, 1)).toThrow(UserError);
      expect(() => read(location, 0, 1)).toThrow(/link that leads out/);
    }
    symlinkSync("circle", join(folder, "models", "circle"));
    expect(() => read("circle", 0, 1)).toThrow(UserError);
  });

  posix("refuses a pipe without waiting for a writer", () => {
    const { folder, read } = reader();
    execFileSync("sh", ["-c", `mkfifo "$0"`, join(folder, "models", "pipe")]);
    expect(() => read("pipe", 0, 1)).toThrow(UserError);
    expect(() => read("pipe", 0, 1)).toThrow(/something else than a file/);
  });

  it.each([
    [0, 11],
    [10, 1],
    [11, 0],
    [-1, 1],
    [0, -1],
    [2 ** 52, 2 ** 52],
    [0, 2 ** 53 - 1],
  ])("refuses a part beyond the file: from %d on %d bytes", (offset, length) => {
    const { read } = reader();
    expect(() => read("w.bin", offset, length)).toThrow(UserError);
    expect(() => read("w.bin", offset, length)).toThrow(/a file of 10 bytes/);
  });

  it("says how to have one file where the data beside the model is missing", () => {
    const read = externalDataReader(join(temporaryFolder(), "m.onnx"));
    expect(() => read("w.bin", 0, 1)).toThrow(
      /external data "w\.bin": required .*, got nothing there\. .*external_data=False/,
    );
  });

  it("tells a model file that is missing", () => {
    const read = externalDataReader(join(temporaryFolder(), "none", "m.onnx"));
    expect(() => read("w.bin", 0, 1)).toThrow(UserError);
  });
});
