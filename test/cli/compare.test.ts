import { join } from "node:path";
import { expect, test } from "vitest";
import { report } from "../../src/cli/compare.js";
import { Console } from "../../src/cli/console.js";
import { runProgram } from "../../src/cli/program.js";
import { newModel } from "../../src/library/new-model.js";
import type { TrialRecord } from "../../src/study/records.js";
import { summarize } from "../../src/study/summary.js";
import { idxFile } from "../data/array-files.js";
import { RecordingStream } from "../support/recording-stream.js";
import { armsOf, planOf, recordOf, trialOf } from "../support/study-plan.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { barPictures } from "../support/toy-data.js";

async function run(...words: string[]) {
  const stdout = new RecordingStream();
  const stderr = new RecordingStream();
  const status = await runProgram(["compare", ...words], {
    stdout,
    stderr,
    signal: new AbortController().signal,
    variables: {},
  });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

async function material(): Promise<string[]> {
  const file = (name: string, count: number, seed: number) => {
    const { pixels, labels } = barPictures(count, 8, seed);
    return {
      [`${name}/train-images-idx3-ubyte`]: idxFile(8, [count, 8, 8], pixels),
      [`${name}/train-labels-idx1-ubyte`]: idxFile(8, [count], labels),
    };
  };
  const folder = temporaryFolder({ ...file("a", 80, 0), ...file("b", 40, 1) });
  const model = join(folder, "net.onnx");
  await newModel({ template: "mlp", inputShape: [64], widths: [8], classes: 2, output: model });
  return [model, "--data", join(folder, "a"), "--test", join(folder, "b"), "--output", join(folder, "study")];
}

test("prints a verdict for each arm and a table of accuracies", async () => {
  const words = await material();
  const { status, stdout } = await run(
    ...words,
    "--arms",
    "he,lecun",
    "--labels",
    "40",
    "--steps",
    "8",
    "--seeds",
    "3",
  );
  expect(status).toBe(0);
  expect(stdout).toMatch(/Against he: accuracy after 8 steps/);
  expect(stdout).toMatch(/^ {2}lecun: (helps|hurts|no difference shown|unclear)\. /m);
  expect(stdout).toMatch(
    /On the way there: mean accuracy over the 8 steps\n\n {2}lecun: (learns faster|learns slower|no difference shown|unclear)\. /,
  );
  expect(stdout).toMatch(/^ {4}steps to the target: [+-]?\d+ /m);
  expect(stdout).toMatch(/^lecun +\d+\.\d ± \d+\.\d/m);
  expect(stdout).toMatch(/report: .*report\.html/);

  const records = (
    await run(...words, "--arms", "he,lecun", "--labels", "40", "--steps", "8", "--seeds", "3", "--json")
  ).stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string });
  expect(records.at(-1)).toMatchObject({ type: "done", summary: { trials: 6 } });
});

test("one arm alone has its accuracy and no comparison", async () => {
  const words = await material();
  const { status, stdout } = await run(...words, "--arms", "he", "--labels", "40", "--steps", "5", "--seeds", "1");
  expect(status).toBe(0);
  expect(stdout).toContain("1 arm, 1 seed, 1 trial of 5 steps");
  expect(stdout).not.toMatch(/Against|On the way there/);
  expect(stdout).toMatch(/^he +\d+\.\d/m);
});

test("where the time is over before a trial has finished, there is no table and no word on intervals", async () => {
  const plan = planOf(await armsOf("he", "lecun"));
  const results = { planned: 6, pretrainings: new Map(), timing: { secondsPerStep: {} }, tuned: {} };
  const told = (trials: TrialRecord[]): string => {
    const stream = new RecordingStream();
    const summary = summarize(plan, { ...results, trials }, 1000);
    const console = new Console({ stdout: stream, stderr: stream, json: false, variables: {} });
    report(console, { summary, plan, folder: "study", report: "study/report.html" });
    return stream.text;
  };
  expect(told([])).toBe(
    "\n\nwarning: 0 of 6 trials are finished; the same command continues the study.\n\nreport: study/report.html\n",
  );
  const some = told([recordOf(plan, trialOf(plan, "he", 0), 0.5)]);
  expect(some).toMatch(/^he +50\.0/m);
  expect(some).toMatch(/^note: /m);
});

test("wrong usage is one line that says what is known", async () => {
  const words = await material();
  expect(await run(...words, "--arms", "hee")).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/arm hee: required .*Did you mean he\?/),
  });
  expect(await run(...words, "--labels", "few")).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^headstart: labels: required .* named by --label-column\.\n$/),
  });
  expect(await run("cn", ...words.slice(1))).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^headstart: cn: required a model file, or a template \(mlp, cnn, .*got neither\./m),
  });
  expect(await run(...words, "--labels", "1", "--tune", "--learning-rates", "0.1,0.01")).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^headstart: labels: required two or more where learning rates are chosen/),
  });
  expect(await run(...words, "--learning-rates", "0.1,x")).toMatchObject({ status: 2 });
  expect(await run(...words, "--optimizer", "sgdd")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("Did you mean sgd?"),
  });
  expect(await run(words[0])).toMatchObject({ status: 2, stderr: expect.stringContaining("--data") });
});
