import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { npyFile } from "../data/array-files.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { toyModel } from "../support/toy-data.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Folders that a run finds in place of the user's own, each of them empty. */
function runIn(folder: string, ...words: string[]): { status: number | null; left: string[] } {
  const { ORT_DISABLE_TELEMETRY: _, ...variables } = process.env;
  const places = { HOME: join(folder, "home"), TMPDIR: join(folder, "temporary"), XDG_CACHE_HOME: undefined };
  const env = { ...variables, ...places };
  const { status, stderr } = spawnSync(process.execPath, [main, ...words], { cwd: folder, encoding: "utf8", env });
  if (status !== 0) throw new Error(stderr);
  return { status, left: [places.HOME, places.TMPDIR].flatMap((each) => readdirSync(each)) };
}

test.skipIf(!existsSync(main))("ONNX Runtime keeps no records of a run, nor of a study's workers", () => {
  const samples = Float32Array.from({ length: 64 * 4 }, (_, index) => Math.sin(index * index));
  const labels = Float32Array.from({ length: 64 }, (_, index) => index % 2);
  const folder = temporaryFolder({
    "home/nothing": "",
    "temporary/nothing": "",
    "model.onnx": toyModel({ template: "mlp", inputShape: [4] }),
    "X_train.npy": npyFile("<f4", [64, 4], samples),
    "y_train.npy": npyFile("<f4", [64], labels),
    "X_test.npy": npyFile(
      "<f4",
      [64, 4],
      samples.map((number) => number + 1),
    ),
    "y_test.npy": npyFile("<f4", [64], labels),
  });
  const left = ["nothing", "nothing"];
  expect(runIn(folder, "init", "model.onnx", "--data", "X_train.npy", "--steps", "2")).toEqual({ status: 0, left });
  const study = ["compare", "model.onnx", "--data", "X_train.npy", "--test", "X_test.npy", "--arms", "he,lecun"];
  const size = ["--steps", "5", "--seeds", "2", "--workers", "2"];
  expect(runIn(folder, ...study, ...size)).toEqual({ status: 0, left });
});
