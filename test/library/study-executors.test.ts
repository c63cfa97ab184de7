/** Worker threads need the built files, so that these tests run what `npm test` has built. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { newModel } from "../../src/library/new-model.js";
import type { TrialRecord } from "../../src/study/records.js";
import { idxFile } from "../data/array-files.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { barPictures } from "../support/toy-data.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const worker = fileURLToPath(new URL("../../dist/library/study-worker.js", import.meta.url));

async function material(): Promise<{ folder: string; words: string[] }> {
  const file = (name: string, count: number, seed: number) => {
    const { pixels, labels } = barPictures(count, 8, seed);
    return {
      [`${name}/train-images-idx3-ubyte`]: idxFile(8, [count, 8, 8], pixels),
      [`${name}/train-labels-idx1-ubyte`]: idxFile(8, [count], labels),
    };
  };
  const folder = temporaryFolder({ ...file("a", 60, 0), ...file("b", 30, 1) });
  const model = join(folder, "net.onnx");
  await newModel({ template: "mlp", inputShape: [64], widths: [6], classes: 2, output: model });
  const words = ["compare", model, "--data", join(folder, "a"), "--test", join(folder, "b"), "--labels", "40"];
  return { folder, words: [...words, "--arms", "he,autoencoder", "--pretraining-epochs", "1", "--batch-size", "8"] };
}

/** The trials by key, without what depends on the machine. */
function trialsOf(folder: string): Map<string, unknown> {
  const lines = readFileSync(join(folder, "trials.jsonl"), "utf8").trim().split("\n");
  const records = lines.map((line) => JSON.parse(line) as TrialRecord);
  return new Map(
    records.map(({ timing: _, ...record }) => [record.key, record] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Interrupts the program where it first says something. @returns its status */
async function interruptedAt(text: string, words: readonly string[]): Promise<unknown> {
  const child = spawn(process.execPath, [main, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let told = false;
  const listen = (chunk: Buffer): void => {
    said += chunk.toString();
    if (told || !said.includes(text)) return;
    told = true;
    child.kill("SIGINT");
  };
  child.stdout.on("data", listen);
  child.stderr.on("data", listen);
  const status = await new Promise((resolve) => child.on("close", resolve));
  expect(said).toContain("the same command continues it");
  return status;
}

describe.skipIf(!existsSync(worker))("worker threads", () => {
  test("give the trials and pretrainings that one thread gives", { timeout: 60_000 }, async () => {
    const { folder, words } = await material();
    const outputs = ["1", "2"].map((workers) => {
      const output = join(folder, `with-${workers}`);
      const settings = ["--steps", "6", "--seeds", "2", "--longest-extension", "0", "--workers", workers];
      const ran = spawnSync(process.execPath, [main, ...words, ...settings, "--output", output], { encoding: "utf8" });
      expect(ran.stderr).not.toMatch(/Error/);
      expect(ran.status).toBe(0);
      expect(ran.stdout).toContain(`${workers} side by side`);
      return output;
    });
    const [one, two] = outputs.map(trialsOf);
    expect(one.size).toBe(4);
    expect(two).toEqual(one);
    const weights = (output: string) =>
      readdirSync(join(output, "pretraining"))
        .filter((name) => name.endsWith(".safetensors"))
        .map((name) => [name, readFileSync(join(output, "pretraining", name)).toString("base64")]);
    expect(weights(outputs[0])).toHaveLength(2);
    expect(weights(outputs[1])).toEqual(weights(outputs[0]));
  });

  test("come to their own end before they are ended, as native code may be at work", { timeout: 60_000 }, async () => {
    const { folder, words } = await material();
    const reporting = `import { Worker } from "node:worker_threads";
      const { terminate } = Worker.prototype;
      Worker.prototype.terminate = function () {
        process.stderr.write("ended thread " + this.threadId + "\\n");
        return terminate.call(this);
      };`;
    const settings = ["--steps", "6", "--seeds", "1", "--longest-extension", "0", "--workers", "2"];
    const ran = spawnSync(
      process.execPath,
      [
        "--import",
        `data:text/javascript,${encodeURIComponent(reporting)}`,
        main,
        ...words,
        ...settings,
        "--output",
        join(folder, "s"),
      ],
      { encoding: "utf8" },
    );
    expect(ran.status).toBe(0);
    // A thread that is there no more has no number.
    expect(ran.stderr.match(/ended thread -?\d+/g)).toEqual(["ended thread -1", "ended thread -1"]);
  });

  test("more of them than memory is free for are told of before they start", { timeout: 60_000 }, async () => {
    const { folder, words } = await material();
    const short = `process.availableMemory = () => 2 ** 28;`;
    const settings = ["--steps", "5", "--seeds", "1", "--longest-extension", "0", "--output", join(folder, "s")];
    const run = (...workers: string[]) =>
      spawnSync(
        process.execPath,
        ["--import", `data:text/javascript,${encodeURIComponent(short)}`, main, ...words, ...settings, ...workers],
        { encoding: "utf8" },
      );
    const ran = run("--workers", "2");
    expect(ran.status, ran.stderr).toBe(0);
    const said = ran.stdout + ran.stderr;
    expect(said).toMatch(/2 trials side by side take about 0\.\d GiB of memory, and 0\.3 GiB are free/);
    // By default there are as many as fit.
    const byDefault = run();
    expect(byDefault.status, byDefault.stderr).toBe(0);
    expect(byDefault.stdout + byDefault.stderr).not.toContain("side by side take about");
  });

  // Windows has no signals that a program can catch.
  test.skipIf(process.platform === "win32")(
    "stop where they are told to, and the study goes on from there",
    { timeout: 60_000 },
    async () => {
      const { folder, words } = await material();
      const output = join(folder, "stopped");
      const settings = ["--longest-extension", "0", "--workers", "2", "--output", output];
      // The plan is printed when the workers start.
      const long = [...words, ...settings, "--steps", "100000", "--seeds", "2"];
      expect(await interruptedAt("side by side", long)).toBe(130);
      expect(existsSync(join(output, "study.lock"))).toBe(false);
      const short = [main, ...words, ...settings, "--steps", "5", "--seeds", "1"];
      expect(spawnSync(process.execPath, short, { encoding: "utf8" }).status).toBe(0);
      expect(trialsOf(output).size).toBe(2);
    },
  );

  test.skipIf(process.platform === "win32")(
    "stop in the middle of self-training, of whose progress they tell",
    { timeout: 60_000 },
    async () => {
      const { folder, words } = await material();
      const settings = ["--workers", "2", "--output", join(folder, "stopped"), "--steps", "5", "--seeds", "2"];
      const long = [...words, ...settings, "--arms", "autoencoder+self-training", "--self-training-steps", "10000000"];
      expect(await interruptedAt("training: 0%", long)).toBe(130);
    },
  );
});
