import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import { externalDataReader } from "../../src/formats/external-data.js";

let root: string;
let read: ReturnType<typeof externalDataReader>;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "headstart-"));
  const folder = join(root, "models");
  mkdirSync(join(folder, "data"), { recursive: true });
  writeFileSync(join(folder, "w.bin"), Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7));
  writeFileSync(join(folder, "data", "deep.bin"), Uint8Array.of(9));
  writeFileSync(join(root, "secret.bin"), Uint8Array.of(42, 42));
  symlinkSync(join(root, "secret.bin"), join(folder, "link.bin"));
  symlinkSync(root, join(folder, "out"));
  symlinkSync("w.bin", join(folder, "inside.bin"));
  symlinkSync("circle", join(folder, "circle"));
  linkSync(join(folder, "w.bin"), join(folder, "hard.bin"));
  read = externalDataReader(join(folder, "model.onnx"));
});
afterAll(() => rmSync(root, { recursive: true }));

describe("externalDataReader", () => {
  it("reads a part of a file beside the model", () => {
    expect(Array.from(read("w.bin", 2, 3))).toEqual([2, 3, 4]);
    expect(Array.from(read("./data/deep.bin", 0, 1))).toEqual([9]);
    expect(Array.from(read("w.bin", 8, 0))).toEqual([]);
  });

  it("follows a link that stays in the folder, as tools that store files once make them", () => {
    expect(Array.from(read("inside.bin", 0, 2))).toEqual([0, 1]);
  });

  it.each<[string, string, number, number]>([
    ["a way out", "../secret.bin", 0, 1],
    ["a way out by a detour", "data/../../secret.bin", 0, 1],
    ["a way out in Windows' spelling", "..\\secret.bin", 0, 1],
    ["an absolute path", "/etc/passwd", 0, 1],
    ["an absolute path in Windows' spelling", "C:\\secret.bin", 0, 1],
    ["a server in Windows' spelling", "\\\\server\\share", 0, 1],
    ["a link that leads out", "link.bin", 0, 1],
    ["a folder's link that leads out", "out/secret.bin", 0, 1],
    ["links in a circle", "circle", 0, 1],
    ["memory", "*/_ORT_MEM_ADDR_/*", 4096, 1],
    ["no name", "", 0, 1],
    ["a NUL in the name", "w.bin\0", 0, 1],
    ["a folder", "data", 0, 1],
    ["the model's folder itself", ".", 0, 1],
    ["a file that is missing", "missing.bin", 0, 1],
    ["a path through a file", "w.bin/x", 0, 1],
    ["a part past the end", "w.bin", 6, 3],
    ["a huge part", "w.bin", 0, 2 ** 50],
    ["a huge offset", "w.bin", 2 ** 52, 1],
    ["a negative offset", "w.bin", -1, 1],
  ])("refuses %s", (_, location, offset, length) => {
    expect(() => read(location, offset, length)).toThrow(UserError);
  });
});
