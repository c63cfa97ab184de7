import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type CompareOptions, compare } from "../../src/library/compare.js";
import { initialize } from "../../src/library/initialize.js";
import { newModel } from "../../src/library/new-model.js";
import { version } from "../../src/library/version.js";
import { RandomStream } from "../../src/random/stream.js";
import type { TrialRecord } from "../../src/study/records.js";
import { idxFile, npyFile } from "../data/array-files.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { barPictures, modelFile } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const side = 8;

/** Files of labelled pictures of noisy bars; no two of them are equal. */
function material(trainCount = 120, testCount = 60) {
  const train = barPictures(trainCount, side, 0);
  const test = barPictures(testCount, side, 1);
  const folder = temporaryFolder({
    "train/train-images-idx3-ubyte": idxFile(8, [trainCount, side, side], train.pixels),
    "train/train-labels-idx1-ubyte": idxFile(8, [trainCount], train.labels),
    "test/t10k-images-idx3-ubyte": idxFile(8, [testCount, side, side], test.pixels),
    "test/t10k-labels-idx1-ubyte": idxFile(8, [testCount], test.labels),
  });
  return {
    folder,
    train,
    test,
    data: join(folder, "train/train-images-idx3-ubyte"),
    testData: join(folder, "test/t10k-images-idx3-ubyte"),
  };
}

async function ready(): Promise<
  CompareOptions & { output: string; folder: string; made: ReturnType<typeof material> }
> {
  const made = material();
  const model = join(made.folder, "net.onnx");
  await newModel({ template: "mlp", inputShape: [side * side], widths: [12, 8], classes: 2, output: model });
  return {
    made,
    folder: made.folder,
    model,
    data: made.data,
    test: made.testData,
    output: join(made.folder, "study"),
    steps: 10,
    seeds: 2,
    batchSize: 16,
    labels: ["40"],
  };
}

function trialsOf(folder: string): TrialRecord[] {
  return readFileSync(join(folder, "trials.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as TrialRecord);
}

test("self-training takes as many steps as it is told, and only where an arm has it", async () => {
  const { made: _, folder: __, ...options } = await ready();
  const few = { ...options, seeds: 1, steps: 5, longestExtension: 0, selfTrainingSteps: 4 };
  await expect(compare({ ...few, arms: ["he"] })).rejects.toThrow(
    /^self-training steps: required an arm with self-training, whose steps they are, got he\./,
  );
  const { plan, summary } = await compare({ ...few, arms: ["he", "he+self-training"] });
  expect(plan.selfTrainingSteps).toBe(4);
  // Another version may compute other numbers.
  expect(plan.headstart).toBe(version);
  const samples = summary.settings[0].arms.map(({ pretraining }) => pretraining.samples);
  expect(samples).toEqual([0, 4 * 64]);
  const { plan: usual } = await compare({ ...few, arms: ["he"], selfTrainingSteps: undefined as never });
  expect(usual).not.toHaveProperty("selfTrainingSteps");
});

test("labelled samples are changed at each step where asked, in all arms alike, in trials of their own", async () => {
  const { made: _, folder: __, ...options } = await ready();
  const few = { ...options, arms: ["he", "he+calibrated"], seeds: 1, longestExtension: 0 };
  await compare(few);
  // The network is dense, and takes the pictures flattened.
  const { plan } = await compare({ ...few, augment: ["flip", "shift"] });
  expect(plan.augment).toEqual(["shift", "flip"]);
  expect(trialsOf(options.output ?? "")).toHaveLength(4);
  const [plain, , changed] = trialsOf(options.output ?? "");
  expect(changed.points[0]).toEqual(plain.points[0]);
  expect(changed.points[1].loss).not.toBe(plain.points[1].loss);
  await compare({ ...few, augment: ["shift", "flip", "flip"] });
  expect(trialsOf(options.output ?? "")).toHaveLength(4);
});

test("the learning rate falls over the steps where asked, in trials of their own", async () => {
  const { made: _, folder: __, ...options } = await ready();
  const few = { ...options, arms: ["he"], seeds: 1 };
  expect((await compare({ ...few, schedule: "constant" })).plan).not.toHaveProperty("schedule");
  expect((await compare({ ...few, schedule: "cosine" })).plan.schedule).toBe("cosine");
  const [constant, falling, ...others] = trialsOf(options.output).map(({ points }) => points);
  expect(others).toEqual([]);
  expect(falling[0]).toEqual(constant[0]);
  expect(falling.at(-1)?.testLoss).not.toBe(constant.at(-1)?.testLoss);
  await compare(few);
  expect(trialsOf(options.output)).toHaveLength(2);
});

test("only the start differs between arms, and only what is new runs again", async () => {
  const { made: _, folder: __, ...options } = await ready();
  const arms = ["he", "he+calibrated", "autoencoder"];
  const { summary, report } = await compare({ ...options, arms, pretrainingEpochs: 2 });
  expect(summary).toMatchObject({ trials: 6, planned: 6, warnings: [] });
  expect(existsSync(report)).toBe(true);
  const trials = trialsOf(options.output);
  expect(trials).toHaveLength(6);
  for (const seed of [0, 1]) {
    const own = trials.filter((trial) => trial.seed === seed);
    expect(new Set(own.map(({ headHash }) => headHash)).size).toBe(1);
    // And begin elsewhere all the same.
    expect(new Set(own.map(({ points }) => points[0].testLoss)).size).toBe(3);
  }
  expect(new Set(trials.map(({ headHash }) => headHash)).size).toBe(2);
  // Calibrated means: unit deviation before every activation, measured anew on other samples.
  const calibrated = trials.find(({ arm }) => arm === "he+calibrated");
  for (const { standardDeviation, gradient } of calibrated?.start ?? []) {
    expect(standardDeviation).toBeCloseTo(1, 0);
    expect(gradient).toBeGreaterThan(0);
  }
  for (const name of ["study.json", "summary.json", "subsets/labels-40-seed-1.json"])
    expect(existsSync(join(options.output, name))).toBe(true);

  const events: string[] = [];
  const larger = await compare({
    ...options,
    arms: [...arms, "lecun"],
    pretrainingEpochs: 2,
    seeds: 3,
    onEvent: ({ type }) => events.push(type),
  });
  expect(larger.summary.trials).toBe(12);
  expect(events.filter((type) => type === "trial")).toHaveLength(6);
  expect(events.filter((type) => type === "pretrained")).toHaveLength(1);
  expect(trialsOf(options.output).slice(0, 6)).toEqual(trials);
});

test("trials of data that was read another way, or of another discriminator, are not used again", async () => {
  const { made: _, folder, ...options } = await ready();
  const discriminator = join(folder, "judge.onnx");
  const made = { template: "mlp", inputShape: [side * side], outputs: 1, output: discriminator };
  await newModel({ ...made, widths: [6] });
  const given = { ...options, seeds: 1, pretrainingEpochs: 1, arms: ["he", "adversarial"], discriminator };
  const ran = async (changes: Partial<CompareOptions>): Promise<string[]> => {
    const events: string[] = [];
    const onEvent: CompareOptions["onEvent"] = (event) => {
      if (event.type === "trial") events.push(event.record.arm);
      if (event.type === "pretrained") events.push(event.type);
    };
    await compare({ ...given, ...changes, onEvent });
    return events;
  };
  expect(await ran({})).toEqual(["pretrained", "he", "adversarial"]);
  expect(await ran({})).toEqual([]);
  expect(await ran({ normalise: "none" })).toEqual(["pretrained", "he", "adversarial"]);
  expect(await ran({})).toEqual([]);
  await newModel({ ...made, widths: [7], overwrite: true });
  expect(await ran({})).toEqual(["pretrained", "adversarial"]);
});

test("a study that is stopped reports what is finished, and goes on", async () => {
  const { made: _, folder: __, ...options } = await ready();
  const given = { ...options, seeds: 4, arms: ["he", "lecun"] };
  const controller = new AbortController();
  const notes: string[] = [];
  let done = 0;
  const stopped = compare({
    ...given,
    signal: controller.signal,
    onEvent: (event) => {
      if (event.type === "trial" && ++done === 3) controller.abort();
      if (event.type === "note") notes.push(event.message);
    },
  });
  await expect(stopped).rejects.toThrow(/the study was stopped; the same command continues it/);
  const report = join(options.output, "report.html");
  expect(notes).toEqual([`what is finished stands in ${report}`]);
  expect(readFileSync(report, "utf8")).toMatch(/Warning.*3 of 8 trials are finished/);
  expect(JSON.parse(readFileSync(join(options.output, "summary.json"), "utf8"))).toMatchObject({
    trials: 3,
    planned: 8,
  });
  expect(existsSync(join(options.output, "study.lock"))).toBe(false);
  expect((await compare(given)).summary).toMatchObject({ trials: 8, planned: 8 });
  expect(readFileSync(report, "utf8")).not.toContain("3 of 8");

  const early = new AbortController();
  const output = join(options.output, "..", "early");
  const soon = compare({
    ...given,
    output,
    signal: early.signal,
    onEvent: ({ type }) => type === "planned" && early.abort(),
  });
  await expect(soon).rejects.toThrow(/the study was stopped/);
  expect(existsSync(join(output, "report.html"))).toBe(false);
});

test("says before it begins that few seeds decide nothing", async () => {
  const { made: _, folder: __, ...options } = await ready();
  const said = async (seeds: number, arms: string[]): Promise<string[]> => {
    const heard: string[] = [];
    const onEvent: CompareOptions["onEvent"] = (event) =>
      heard.push(event.type === "note" ? event.message : event.type);
    await compare({ ...options, steps: 5, seeds, arms, onEvent });
    return heard.slice(0, heard.indexOf("planned"));
  };
  const note = expect.stringMatching(/^with fewer than 3 seeds no arm can have a verdict/);
  expect(await said(2, ["he", "lecun"])).toEqual(["reading", note]);
  expect(await said(2, ["he"])).toEqual(["reading"]);
  expect(await said(3, ["he", "lecun"])).toEqual(["reading"]);
});

test("says where a folder's trials are of another version", async () => {
  const { made: _, folder: __, ...options } = await ready();
  const notes: string[] = [];
  const few = { ...options, seeds: 1, steps: 5, arms: ["he"] };
  const onEvent: CompareOptions["onEvent"] = (event) => event.type === "note" && notes.push(event.message);
  await compare({ ...few, onEvent });
  await compare({ ...few, onEvent });
  expect(notes).toEqual([]);
  const file = join(options.output, "study.json");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(`"headstart": "${version}"`, '"headstart": "0.0.9"'));
  await compare({ ...few, onEvent });
  expect(notes).toEqual([expect.stringMatching(/its trials are of headstart 0\.0\.9, and this is .* not used again/)]);
});

test("the same seeds give the same trials, and an arm against itself no difference", async () => {
  const { made: _, folder, ...options } = await ready();
  const arms = ["he", "he+raw", "autoencoder"];
  const untimed = (trials: TrialRecord[]) => trials.map(({ timing: _timing, ...record }) => record);
  const settings = { ...options, arms, pretrainingEpochs: 1, longestExtension: 0 };
  const { summary } = await compare(settings);
  await compare({ ...settings, output: join(folder, "again") });
  expect(untimed(trialsOf(join(folder, "again")))).toEqual(untimed(trialsOf(options.output)));
  expect(summary.comparisons[0].arms[0]).toMatchObject({ name: "he+raw", differences: { differences: [0, 0] } });
});

test("weights from a file take the place of F's", async () => {
  const { made: _, folder, ...options } = await ready();
  const first = await compare({
    ...options,
    arms: ["he", "autoencoder+raw"],
    pretrainingEpochs: 1,
    pretrainingSeeds: 1,
    longestExtension: 0,
  });
  const key = first.plan.arms.length && JSON.parse(readFileSync(join(options.output, "study.json"), "utf8")).plan;
  expect(key.pretrainingSeeds).toBe(1);
  const file = join(
    options.output,
    "pretraining",
    (await import("node:fs"))
      .readdirSync(join(options.output, "pretraining"))
      .find((name) => name.endsWith(".safetensors")) ?? "",
  );
  const second = await compare({ ...options, arms: ["he", `weights:${file}`], output: join(folder, "other") });
  const accuracies = (result: typeof first) => result.summary.settings[0].arms[1].score.mean;
  expect(accuracies(second)).toBe(accuracies(first));

  // Trials of two files in one arm would be a mixture.
  const changing = join(folder, "changing.safetensors");
  writeFileSync(changing, readFileSync(file));
  const mixed = compare({
    ...options,
    arms: [`weights:${changing}`],
    output: join(folder, "mixed"),
    onEvent: ({ type }) => {
      if (type === "trial")
        writeFileSync(
          changing,
          readFileSync(file).map((byte, at) => (at > 500 ? byte ^ 1 : byte)),
        );
    },
  });
  await expect(mixed).rejects.toThrow(/changing\.safetensors: required the file as it was when the study began, got/);
  const another = join(folder, "another.onnx");
  await newModel({ template: "mlp", inputShape: [side * side], widths: [9, 8], classes: 2, output: another });
  const replaced = compare({
    ...options,
    arms: ["he"],
    output: join(folder, "replaced"),
    onEvent: ({ type }) => {
      if (type === "planned") writeFileSync(options.model, readFileSync(another));
    },
  });
  await expect(replaced).rejects.toThrow(/net\.onnx: required the file as it was when the study began, got/);
});

test("weights that do not fit the network are refused before anything is trained", async () => {
  const { made, folder, ...options } = await ready();
  const other = join(made.folder, "other.onnx");
  await newModel({ template: "mlp", inputShape: [side * side], widths: [12, 9], classes: 2, output: other });
  const { weightsFile } = await initialize({
    model: other,
    data: made.data,
    output: join(folder, "run"),
    recipe: "principal-components",
    threads: 1,
  });
  await expect(compare({ ...options, arms: ["autoencoder", `weights:${weightsFile}`] })).rejects.toThrow(
    /^arm weights:.*: required 8x12 elements for this tensor of .*net\.onnx, got 108\. /,
  );
  expect(readdirSync(options.output)).toEqual(["study.json"]);
});

test("small data are gone through as often as the recipe's least number of steps takes, as init does", async () => {
  const { made, ...options } = await ready();
  const recipe = join(made.folder, "short.json");
  writeFileSync(recipe, JSON.stringify({ reconstruction: { weight: 1 }, batchSize: 20, epochs: 1, minimumSteps: 17 }));
  const steps = async (settings: Partial<CompareOptions>): Promise<number[]> => {
    const output = join(made.folder, `study-${settings.pretrainingEpochs ?? "own"}`);
    await compare({ ...options, ...settings, output, seeds: 1, arms: ["he", recipe], longestExtension: 0 });
    return readdirSync(join(output, "pretraining"))
      .filter((name) => name.endsWith(".json"))
      .map((name) => JSON.parse(readFileSync(join(output, "pretraining", name), "utf8")).steps);
  };
  expect(await steps({})).toEqual([17]);
  // Epochs that were asked for are kept to: 120 samples are 6 batches.
  expect(await steps({ pretrainingEpochs: 2 })).toEqual([12]);
});

test.each([
  ["depth=1 normalization=foo", /^normalization: required one of none, batch, layer, got "foo"/],
  ["depth=2 widths=4,5,6", /^depth: required as many layers as widths/],
])("a grid of %s is refused before there is a folder", async (grid, message) => {
  const { made: _, folder: __, ...options } = await ready();
  await expect(compare({ ...options, model: "mlp", arms: ["he"], grid })).rejects.toThrow(message);
  expect(existsSync(options.output)).toBe(false);
});

test("features that a network of a grid lacks are refused before there is a folder", async () => {
  const { made: _, folder: __, ...options } = await ready();
  const given = { ...options, model: "mlp", arms: ["he"], grid: "depth=1,2 widths=4", features: "nowhere" };
  await expect(compare(given)).rejects.toThrow(/^mlp, 1 x relu: feature tensor: .*got "nowhere"/);
  expect(existsSync(options.output)).toBe(false);
});

test("a grid makes its networks", async () => {
  const { made: _, folder: __, model: ___, ...options } = await ready();
  const { summary, plan } = await compare({
    ...options,
    model: "mlp",
    grid: "depth=1,2 activation=tanh,relu widths=6",
    arms: ["he", "lecun"],
    labels: ["all"],
    steps: 5,
  });
  expect(plan.networks.map(({ name }) => name)).toEqual([
    "mlp, 1 x tanh",
    "mlp, 2 x tanh",
    "mlp, 1 x relu",
    "mlp, 2 x relu",
  ]);
  expect(summary.trials).toBe(16);
  expect(readFileSync(join(options.output, "charts/grid.svg"), "utf8")).toContain("tanh");
});

test("refuses test data in training or pretraining, counting it, and writes nothing", async () => {
  const { made, folder, ...options } = await ready();
  const leaky = made.train.pixels.slice();
  leaky.set(made.test.pixels.subarray(0, 3 * side * side), 0);
  writeFileSync(join(folder, "leaky"), idxFile(8, [120, side, side], leaky));
  await expect(compare({ ...options, arms: ["he"], unlabelled: join(folder, "leaky") })).rejects.toThrow(
    /leaky: required no sample that .* has too, got 3\./,
  );
  await expect(compare({ ...options, arms: ["he"], data: options.test })).rejects.toThrow(/got 60\./);
  expect(existsSync(options.output)).toBe(false);
  const notes: string[] = [];
  await compare({
    ...options,
    arms: ["he"],
    unlabelled: join(folder, "leaky"),
    duplicates: "drop",
    onEvent: (event) => event.type === "note" && notes.push(event.message),
  });
  expect(notes).toEqual([expect.stringContaining("3 samples of")]);
});

test("two studies cannot write into one folder at once; what a dead one left is taken over", async () => {
  const { made: _, folder: __, ...options } = await ready();
  const settings = { ...options, arms: ["he"], seeds: 1, steps: 5 };
  const both = await Promise.allSettled([compare(settings), compare(settings)]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const refused = both.find((result) => result.status === "rejected");
  expect(String(refused?.reason)).toMatch(/study\.lock: required a folder that no other study/);
  const lock = join(options.output, "study.lock");
  expect(existsSync(lock)).toBe(false);
  const { pid } = spawnSync(process.execPath, ["--version"]);
  writeFileSync(lock, JSON.stringify({ process: pid, host: hostname(), since: "" }));
  await compare({ ...settings, overwrite: true });
  expect(existsSync(lock)).toBe(false);
  expect(trialsOf(options.output)).toHaveLength(1);
});

/** A network of one output, or more, behind a hidden layer. */
function predictor(folder: string, outputs: number, end?: string): string {
  const net = new TestNetwork();
  const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("a", [side * side, 8])])]);
  const last = net.node("Gemm", [hidden, net.weight("b", [8, outputs]), net.weight("c", [outputs])]);
  const model = join(folder, `predictor-${outputs}${end ?? ""}.onnx`);
  writeFileSync(model, modelFile(net.graph([side * side], [end === undefined ? last : net.node(end, [last])])));
  return model;
}

/** Numbers to predict for pictures: `scale` times the mean grey of one half, a column for each half. */
function greyFile(folder: string, name: string, pixels: Uint8Array, columns: number, scale = 10): string {
  const count = pixels.length / side ** 2;
  const half = side ** 2 / 2;
  const values = Float32Array.from({ length: count * columns }, (_, index) => {
    const start = (Math.floor(index / columns) * 2 + (index % columns)) * half;
    return (scale * pixels.subarray(start, start + half).reduce((sum, value) => sum + value, 0)) / half / 255;
  });
  const path = join(folder, name);
  writeFileSync(path, npyFile("<f4", columns === 1 ? [count] : [count, columns], values));
  return path;
}

test("predicts numbers: R² and errors in their own units, the lower error the better", async () => {
  const { made, folder, ...options } = await ready();
  const labels = {
    labelColumn: greyFile(folder, "train.npy", made.train.pixels, 1, 1000),
    testLabelColumn: greyFile(folder, "test.npy", made.test.pixels, 1, 1000),
  };
  const settings = { ...options, ...labels, model: predictor(folder, 1), steps: 40, labels: ["all"], seeds: 3 };
  const { summary, plan, report } = await compare({
    ...settings,
    arms: ["he+calibrated", "he"],
    learningRates: [0.01],
  });
  expect(plan).toMatchObject({ task: "regression", targets: ["label"], standardise: true });
  expect(summary).toMatchObject({ measure: "r2", targets: ["label"] });
  const [arm] = summary.settings[0].arms;
  expect(arm.score.mean).toBeGreaterThan(0.3);
  // R² and error say the same: the error in units of a thousand, R² as a share of the variance.
  const [first] = trialsOf(options.output);
  const [start, end] = [first.points[0], first.points[first.points.length - 1]];
  const variance = (point: typeof end): number => (point.rmse?.[0] ?? 0) ** 2 / (1 - point.score);
  expect(variance(end) / variance(start)).toBeCloseTo(1, 9);
  expect(end.rmse?.[0]).toBeGreaterThan(1);
  expect(end.rmse?.[0]).toBeLessThan(start.rmse?.[0] ?? 0);
  for (const text of [readFileSync(report, "utf8"), readFileSync(join(options.output, "summary.json"), "utf8")])
    expect(text).not.toMatch(/accuracy/i);
  expect(existsSync(join(options.output, "charts/rmse.svg"))).toBe(true);
});

test.each(["class-means", "linear-discriminant", "self-training"])(
  "refuses the head %s for numbers before anything is trained",
  async (head) => {
    const { made, folder, ...options } = await ready();
    const labelColumn = greyFile(folder, "train.npy", made.train.pixels, 1, 1000);
    const testLabelColumn = greyFile(folder, "test.npy", made.test.pixels, 1, 1000);
    const heard: string[] = [];
    const comparing = compare({
      ...options,
      labelColumn,
      testLabelColumn,
      model: predictor(folder, 1),
      arms: ["he", `autoencoder+${head}`],
      onEvent: ({ type }) => heard.push(type),
    });
    await expect(comparing).rejects.toThrow(
      `required samples with class labels, for the head ${head}, got numbers to predict`,
    );
    expect(heard).toEqual(["reading"]);
  },
);

test("predicts several numbers, and bounded ones as they are", async () => {
  const { made, folder, ...options } = await ready();
  const labels = (columns: number) => ({
    labelColumn: greyFile(folder, `train-${columns}.npy`, made.train.pixels, columns, 1),
    testLabelColumn: greyFile(folder, `test-${columns}.npy`, made.test.pixels, columns, 1),
  });
  const arms = ["he", "he+raw"];
  const { summary } = await compare({ ...options, ...labels(2), arms, model: predictor(folder, 2) });
  expect(summary.targets).toEqual(["label 1", "label 2"]);
  expect(summary.settings[0].arms[0].rmse).toHaveLength(2);
  expect(summary.comparisons[0].arms[0].differences.differences).toEqual([0, 0]);
  const bounded = await compare({
    ...options,
    ...labels(1),
    arms: ["he"],
    model: predictor(folder, 1, "Sigmoid"),
    output: join(folder, "bounded"),
  });
  expect(bounded.plan.standardise).toBe(false);
});

test("says where the test data's numbers look like another quantity", async () => {
  const { made, folder, ...options } = await ready();
  const notes = async (scale: number): Promise<string[]> => {
    const found: string[] = [];
    await compare({
      ...options,
      model: predictor(folder, 1),
      arms: ["he"],
      seeds: 1,
      labelColumn: greyFile(folder, "train-numbers.npy", made.train.pixels, 1, 1),
      testLabelColumn: greyFile(folder, `test-numbers-${scale}.npy`, made.test.pixels, 1, scale),
      output: join(folder, `scale-${scale}`),
      onEvent: (event) => event.type === "note" && found.push(event.message),
    });
    return found;
  };
  expect(await notes(1)).toEqual([]);
  expect(await notes(1000)).toEqual([expect.stringMatching(/two quantities.*--test-label-column/)]);
});

test("says once what of the data is left out", async () => {
  const rows = (count: number, first: number) =>
    Array.from(
      { length: count },
      (_, row) => `${((first + row) * 7) % 31},5,${((first + row) * 3) % 17},${row % 2 ? "a" : "b"}`,
    );
  const folder = temporaryFolder({
    "train.csv": `x,same,z,kind\n${rows(40, 0).join("\n")}\n`,
    "test.csv": `x,same,z,kind\n${rows(20, 500).join("\n")}\n1,5,rubbish,a\n`,
  });
  const notes: string[] = [];
  await compare({
    model: "mlp",
    data: join(folder, "train.csv"),
    test: join(folder, "test.csv"),
    output: join(folder, "study"),
    labelColumn: "kind",
    onBad: "skip",
    arms: ["he"],
    seeds: 1,
    steps: 5,
    batchSize: 8,
    labels: ["all"],
    duplicates: "drop",
    onEvent: (event) => event.type === "note" && notes.push(event.message),
  });
  expect(notes).toEqual([
    `${join(folder, "train.csv")}: same left out: constant`,
    expect.stringMatching(/test\.csv: 1 sample cannot be used, .*row 21: rubbish in z$/),
  ]);
});

test("a single output tells two classes apart, with its sigmoid or without", async () => {
  const { made: _, folder, ...options } = await ready();
  const settings = { ...options, arms: ["he"], steps: 40, learningRates: [0.01] };
  const run = (end?: string) =>
    compare({ ...settings, model: predictor(folder, 1, end), output: join(folder, `two${end ?? ""}`) });
  const [plain, sigmoid] = [await run(), await run("Sigmoid")];
  expect(plain.summary.measure).toBe("accuracy");
  expect(plain.summary.settings[0].arms[0].score.mean).toBeGreaterThan(0.8);
  expect(sigmoid.summary.settings[0].arms[0].score).toEqual(plain.summary.settings[0].arms[0].score);
});

test("shuffled labels teach nothing, and it says so", async () => {
  const { made, folder, ...options } = await ready();
  const shuffled = join(folder, "shuffled.npy");
  const order = new RandomStream(3, "shuffle").permutation(120);
  writeFileSync(
    shuffled,
    npyFile(
      "|u1",
      [120],
      Uint8Array.from(order, (place) => made.train.labels[place]),
    ),
  );
  const arms = ["he", "he+calibrated"];
  const { summary } = await compare({ ...options, arms, labels: ["all"], labelColumn: shuffled, seeds: 3, steps: 30 });
  const found = summary.settings[0].arms.map(({ score, stalled }) => score.mean < 0.65 || stalled.count > 0);
  expect(found).toEqual([true, true]);
  for (const { verdict } of summary.comparisons[0].arms) expect(verdict.verdict).not.toMatch(/helps|hurts/);
});

test("a trial that was measured over too few steps runs again", async () => {
  const { made: _, folder: __, ...options } = await ready();
  const settings = { ...options, arms: ["he", "lecun"], longestExtension: 0 };
  await compare(settings);
  const path = join(options.output, "trials.jsonl");
  const whole = trialsOf(options.output);
  const cut = whole.map((trial) =>
    trial.arm === "lecun" ? { ...trial, points: trial.points.slice(0, -2), score: 0 } : trial,
  );
  writeFileSync(path, cut.map((trial) => `${JSON.stringify(trial)}\n`).join(""));
  const { summary } = await compare(settings);
  expect(summary.warnings).not.toContainEqual(expect.stringMatching(/of its trials made/));
  const untimed = (trials: TrialRecord[]) => trials.map(({ timing: _timing, ...record }) => record);
  expect(untimed(trialsOf(options.output).slice(4))).toEqual(untimed(whole.filter(({ arm }) => arm === "lecun")));
});

test("refuses what cannot be compared", async () => {
  const { made, folder, ...options } = await ready();
  const model = predictor(folder, 1);
  const targets = greyFile(folder, "targets.npy", made.train.pixels, 1);
  await expect(compare({ ...options, arms: ["he"], labelColumn: targets, task: "classification" })).rejects.toThrow(
    /targets\.npy: required whole numbers as labels/,
  );
  await expect(compare({ ...options, arms: ["he"], labelColumn: targets, testLabelColumn: targets })).rejects.toThrow(
    /required one label for each of 60 samples/,
  );
  const testTargets = greyFile(folder, "test-targets.npy", made.test.pixels, 1);
  const numbers = { ...options, arms: ["he"], labelColumn: targets, testLabelColumn: testTargets };
  await expect(compare(numbers)).rejects.toThrow(/required 2 numbers to predict for each sample.*got 1 \(label\)/);
  await expect(compare({ ...numbers, model, labels: ["3/class"] })).rejects.toThrow(
    /There are no classes to draw from/,
  );
  await expect(compare({ ...options, arms: ["he"], targetRmse: 3 })).rejects.toThrow(/target RMSE: .*got classes/);
  await expect(compare({ ...options, arms: ["he"], baseline: "lecun" })).rejects.toThrow(
    /baseline: required one of the arms he/,
  );
  await expect(compare({ ...options, arms: ["he"], labels: ["500"] })).rejects.toThrow(/at most the 120 labels/);
  await expect(compare({ ...options, arms: ["he"], grid: "depth=2" })).rejects.toThrow(/grid: required a template/);
  await expect(compare({ ...options, arms: ["he"], minimumEffect: 0 })).rejects.toThrow(/^minimumEffect: required/);
  await expect(compare({ ...options, arms: ["he"], data: "nowhere", seeds: 0 })).rejects.toThrow(/^seeds: required/);
  await expect(compare({ ...options, arms: ["he"], augment: ["turn" as "flip"] })).rejects.toThrow(
    /^augment: required some of shift, flip, crop, colour, got turn/,
  );
  await expect(compare({ ...options, arms: ["he"], schedule: "linear" as "cosine" })).rejects.toThrow(
    /^schedule: required constant or cosine, got linear/,
  );
  const unnamed = { ...options, arms: ["he"], test: undefined as unknown as string };
  await expect(compare(unnamed)).rejects.toThrow("test: required a value, got none.");
  await compare({ ...options, arms: ["he"], seeds: 1 });
  const other = material(80, 40);
  await expect(compare({ ...options, arms: ["he"], data: other.data, test: other.testData })).rejects.toThrow(
    /study of the same data/,
  );
});

test("a device that is not there is refused before anything is written", async () => {
  const { folder: _, made: __, ...options } = await ready();
  await expect(compare({ ...options, arms: ["he"], device: "gpu" })).rejects.toThrow(
    /^device: required one.*got "gpu"/,
  );
  expect(existsSync(options.output)).toBe(false);
});
