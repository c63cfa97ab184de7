/** Runs as TensorBoard's own reader and a real MLflow server see them. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, inject, test } from "vitest";
import { initialize } from "../../src/library/initialize.js";
import { newModel } from "../../src/library/new-model.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const folder = sharedTemporaryFolder();
const data = fileURLToPath(new URL("../../demo-data/t10k-images-idx3-ubyte.gz", import.meta.url));
const python = inject("python");
const settings = {
  model: join(folder, "model.onnx"),
  data,
  // One that plays the game, so that there are pictures of G(x).
  recipe: "contrast",
  limit: 100,
  batchSize: 8,
  threads: 1,
  checkpointEvery: 4,
};

const recorded = (run: string) =>
  readFileSync(join(folder, run, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number>);

beforeAll(async () => {
  await newModel({ template: "cnn", inputShape: [1, 28, 28], output: settings.model });
});

test("TensorBoard reads scalars, pictures and histograms, of a resumed and extended run too", async () => {
  const run = { ...settings, output: join(folder, "board"), tensorboard: true };
  await initialize({ ...run, steps: 10 });
  await initialize({ ...run, steps: 14, resume: true });
  const ran = spawnSync(python, [join("test", "interop", "read_events.py"), join(folder, "board", "tensorboard")], {
    encoding: "utf8",
  });
  expect(ran.stderr.includes("Traceback"), ran.stderr).toBe(false);
  const { scalars, images, histograms } = JSON.parse(ran.stdout) as Record<string, Record<string, number[][]>>;
  const rows = recorded("board");
  expect(Object.keys(scalars).sort()).toEqual(
    Object.keys(rows[0])
      .filter((name) => name !== "step" && name !== "epoch")
      .sort(),
  );
  for (const [tag, values] of Object.entries(scalars))
    expect(values, tag).toEqual(rows.map((row) => [row.step, Math.fround(row[tag])]));
  expect(images.samples.map(([step]) => step)).toContain(14);
  expect(images.filters.every(([, width, height]) => width > 10 && height > 10)).toBe(true);
  expect(Object.keys(histograms)).toEqual(["pre-activations/features.0.weight", "pre-activations/features.2.weight"]);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}

test("an MLflow server has the run with its settings, metrics and end", async () => {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const store = [
    `--backend-store-uri=sqlite:///${join(folder, "mlflow.db")}`,
    `--artifacts-destination=${join(folder, "artifacts")}`,
  ];
  const server: ChildProcess = spawn(
    // Absolute, since the server runs in another folder.
    resolve(dirname(python), "mlflow"),
    ["server", "--host=127.0.0.1", `--port=${port}`, "--workers=1", ...store],
    {
      cwd: folder,
      stdio: "ignore",
      detached: true,
      env: { ...process.env, MLFLOW_DISABLE_TELEMETRY: "true" },
    },
  );
  try {
    const answers = () =>
      fetch(`${address}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
    await expect.poll(answers, { timeout: 90_000, interval: 500 }).toBe(true);
    const run = { ...settings, output: join(folder, "flow"), mlflow: address };
    await initialize({ ...run, steps: 10 });
    await initialize({ ...run, steps: 12, resume: true });
    const { run: id } = JSON.parse(readFileSync(join(folder, "flow", "mlflow.json"), "utf8")) as { run: string };
    const ask = async (path: string) =>
      (await (await fetch(`${address}/api/2.0/mlflow/${path}`)).json()) as Record<string, never>;
    const found = (await ask(`runs/get?run_id=${id}`)) as {
      run?: { info: { status: string; run_name: string }; data: { params: { key: string; value: string }[] } };
    };
    expect(found.run?.info).toMatchObject({ status: "FINISHED", run_name: "flow" });
    expect(found.run?.data.params).toContainEqual({ key: "recipe.name", value: "contrast" });
    const { metrics } = (await ask(`metrics/get-history?run_id=${id}&metric_key=generator/loss`)) as {
      metrics?: { step: string | number; value: number }[];
    };
    const last = new Map(metrics?.map(({ step, value }) => [Number(step), value]));
    expect([...last.keys()].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    for (const row of recorded("flow"))
      if (row.step <= 8) expect(last.get(row.step)).toBeCloseTo(row["generator/loss"], 5);
  } finally {
    if (server.pid) process.kill(-server.pid, "SIGTERM");
  }
});
