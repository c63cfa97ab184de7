import { realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inspectOptions } from "../../src/web/inspect-request.js";
import { Refusal } from "../../src/web/refusal.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const folder = sharedTemporaryFolder();

test("hands on every option that decides how a model is shown", async () => {
  const root = await realpath(folder);
  for (const name of ["model.onnx", "state.safetensors"]) await writeFile(join(root, name), "");
  const body = {
    model: "model.onnx",
    features: "relu",
    input: "embedding",
    inputShape: "64 × 32",
    freeze: "conv",
    discriminator: "mlp",
    recipe: "topics",
    stateDict: "state.safetensors",
    keepNames: "yes",
  };
  expect(await inspectOptions(body, [root])).toEqual({
    ...body,
    model: join(root, "model.onnx"),
    inputShape: [64, 32],
    stateDict: join(root, "state.safetensors"),
    keepNames: true,
  });
  // What is not filled in, or no shape so far.
  const half = { model: "model.onnx", features: "", inputShape: "64x", keepNames: "" };
  expect(await inspectOptions(half, [root])).toEqual({ model: join(root, "model.onnx") });
  for (const wrong of [{ stateDict: "../other" }, { recipe: "../other.json" }, { model: "none.onnx" }])
    await expect(inspectOptions({ ...body, ...wrong }, [root])).rejects.toThrow(Refusal);
});
