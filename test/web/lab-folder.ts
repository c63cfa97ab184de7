/** Folders with runs and studies as the commands write them, for tests. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { armsOf, planOf, recordOf, trialOf } from "../support/study-plan.js";

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "headstart-lab-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

export const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** The lock of a process, such as this one, that writes to a folder. */
export async function lock(file: string, number = process.pid, host = hostname()): Promise<void> {
  await writeFile(file, JSON.stringify({ process: number, host, since: new Date().toISOString() }));
}

/** A run of 4 steps, of which `done` are done. */
export async function writeRun(folder: string, done = 4, finished = false): Promise<void> {
  await mkdir(join(folder, "samples"), { recursive: true });
  await mkdir(join(folder, "checkpoints"), { recursive: true });
  const record = {
    headstart: "0.1.0",
    model: { file: "model.onnx" },
    data: { file: "data.npy" },
    recipe: { name: "default" },
    task: "rotation",
    seed: 3,
    steps: 4,
    batchSize: 8,
  };
  const steps = Array.from({ length: done }, (_, index) => index + 1);
  await writeFile(join(folder, "run.json"), JSON.stringify(record));
  await writeFile(
    join(folder, "metrics.jsonl"),
    lines(steps.map((step) => ({ step, epoch: step / 4, "generator/loss": 1 / step }))),
  );
  await writeFile(join(folder, "timing.jsonl"), lines(steps.map((step) => ({ step, seconds: step, memory: 1e8 }))));
  await writeFile(join(folder, "samples", "step-000000001.png"), "picture");
  await writeFile(join(folder, "checkpoints", "step-000000002.safetensors"), "secret");
  if (finished)
    await writeFile(
      join(folder, "result.json"),
      JSON.stringify({
        before: {},
        after: {},
        warnings: [],
        written: { model: "model.onnx", format: "onnx", producer: "" },
      }),
    );
  if (finished) await writeFile(join(folder, "weights.safetensors"), "weights");
}

/** A study of two arms and two seeds, of which `done` trials are done. */
export async function writeStudy(folder: string, done: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const plan = planOf(await armsOf("he", "default"), { steps: 5, seeds: 2 });
  const trials = plan.arms.flatMap(({ name }) =>
    [0, 1].map((seed) => recordOf(plan, trialOf(plan, name, seed), 0.5 + 0.1 * seed)),
  );
  await writeFile(join(folder, "study.json"), JSON.stringify({ plan }));
  await writeFile(join(folder, "trials.jsonl"), lines(trials.slice(0, done)));
}
