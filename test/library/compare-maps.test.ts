import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { type CompareEvent, type CompareOptions, compare } from "../../src/library/compare.js";
import type { TrialRecord } from "../../src/study/records.js";
import { npyFile } from "../data/array-files.js";
import { MapNetwork, smallUnet } from "../support/map-network.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { barPictures, modelFile } from "../support/toy-data.js";

const side = 8;

/** Pictures of bars, and masks of where the bars are: 1 where a bar lies, 2 where it stands, 0 elsewhere. */
function barMasks(folder: string, name: string, count: number, seed: number) {
  const { pixels, labels } = barPictures(count, side, seed);
  const masks = pixels.map((value, index) => (value < 100 ? 0 : 1 + labels[Math.floor(index / side ** 2)]));
  const [data, maps] = [join(folder, `${name}.npy`), join(folder, `${name}-masks.npy`)];
  writeFileSync(data, npyFile("|u1", [count, 1, side, side], pixels));
  writeFileSync(maps, npyFile("|u1", [count, side, side], masks));
  return { data, maps };
}

function segmenter(folder: string, scores: number, name = "unet"): string {
  const net = new MapNetwork();
  const { last } = smallUnet(net, (from) => net.enlarged(from));
  const output = net.node("Conv", [last, net.weight("head", [scores, 4, 1, 1]), net.weight("bias", [scores])]);
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, modelFile(net.graph([1, side, side], [output])));
  return path;
}

/** A network that halves its pictures, and gives scores for three classes at what is left. */
function coarseSegmenter(folder: string): string {
  const net = new MapNetwork();
  const last = net.convolution(net.convolution("x", "first", 1, 8), "second", 8, 8, 2);
  const output = net.node("Conv", [last, net.weight("head", [3, 8, 1, 1]), net.weight("bias", [3])]);
  const path = join(folder, "coarse.onnx");
  writeFileSync(path, modelFile(net.graph([1, side, side], [output])));
  return path;
}

function ready(scores = 3): CompareOptions & { output: string; folder: string; model: string } {
  const folder = temporaryFolder({});
  const train = barMasks(folder, "train", 60, 0);
  const measured = barMasks(folder, "test", 40, 1);
  return {
    folder,
    model: segmenter(folder, scores),
    data: train.data,
    labelColumn: train.maps,
    test: measured.data,
    testLabelColumn: measured.maps,
    output: join(folder, "study"),
    steps: 60,
    seeds: 2,
    batchSize: 16,
    labels: ["30", "50%"],
    learningRates: [0.01],
    longestExtension: 0,
  };
}

const trialsOf = (folder: string) =>
  readFileSync(join(folder, "trials.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as TrialRecord);

test("starts are compared for networks that give a class at each position, from pretraining to the report", async () => {
  const { folder: _, ...options } = ready();
  const few = { ...options, arms: ["he", "autoencoder"], pretrainingEpochs: 1 };
  const { plan, summary, report } = await compare(few);
  expect(plan).toMatchObject({ task: "segmentation" });
  expect(plan).not.toHaveProperty("measure");
  expect(summary).toMatchObject({ measure: "mean-iou", trials: 8, planned: 8, warnings: [] });
  const [{ points, chance, classSizes }] = trialsOf(options.output);
  const total = 40 * side ** 2;
  const [ground] = classSizes ?? [];
  expect(classSizes).toHaveLength(3);
  expect(classSizes?.reduce((sum, size) => sum + size, 0)).toBe(total);
  expect(ground).toBe(40 * (side ** 2 - side));
  expect(chance).toBeCloseTo(ground / total, 12);
  expect(points.at(-1)?.meanIou).toBeGreaterThan((points[0].meanIou ?? 1) + 0.2);
  for (const { chance: shown, arms } of summary.settings) {
    expect(shown).toBeCloseTo(ground / total / 3, 12);
    // Bars are told from the ground at least, and learned from the start.
    for (const { score } of arms) expect(score.mean).toBeGreaterThan(0.5);
  }
  expect(readFileSync(report, "utf8")).toContain("IoU: of the positions of all test samples");
  // Trials know all measures, so that another one makes none anew.
  const accuracy = await compare({ ...few, measure: "accuracy" });
  expect(accuracy.plan.measure).toBe("accuracy");
  expect(accuracy.summary.settings[0].chance).toBeCloseTo(ground / total, 12);
  expect(trialsOf(options.output)).toHaveLength(8);
});

test("maps are moved and turned with their samples", async () => {
  const { folder, ...options } = ready();
  const few = { ...options, arms: ["he"], seeds: 1, labels: ["all"] };
  const plain = await compare(few);
  const moved = await compare({ ...few, augment: ["shift", "flip"], steps: 120, output: join(folder, "moved") });
  // Were they not, no position could be told.
  const score = ({ summary }: typeof plain) => summary.settings[0].arms[0].score.mean;
  expect(score(plain)).toBeGreaterThan(0.5);
  expect(score(moved)).toBeGreaterThan(0.5);
});

test("a single score is for the second of two classes", async () => {
  const { folder, ...options } = ready(1);
  const binary = (name: string) => {
    const path = join(folder, `${name}-masks.npy`);
    const bytes = readFileSync(path);
    // The classes of bars become one, as masks of objects have it.
    for (let at = 128; at < bytes.length; at++) if (bytes[at] > 0) bytes[at] = 255;
    writeFileSync(path, bytes);
  };
  for (const name of ["train", "test"]) binary(name);
  const { summary } = await compare({ ...options, arms: ["he"], seeds: 1, labels: ["all"] });
  expect(summary.settings[0].arms[0].score.mean).toBeGreaterThan(0.8);
});

test("what does not go together is refused before anything is trained", async () => {
  const { folder, ...options } = ready();
  const refused = (changes: Partial<CompareOptions>) =>
    expect(compare({ ...options, arms: ["he"], ...changes })).rejects;
  await refused({ task: "classification" }).toThrow(
    /unet\.onnx: output conv\d+: required one row of numbers .* got class scores at each position/,
  );
  await refused({ labels: ["3/class"] }).toThrow(/^labels: .* since samples have no single class here/);
  await refused({ arms: ["he+class-means"] }).toThrow(/class-means|head/);
  await refused({ model: segmenter(folder, 2, "two") }).toThrow(
    /train\.npy: required at most the 2 classes that the model has scores for, got the class 2, counted from 0/,
  );
  const { data, maps } = barMasks(folder, "small", 60, 0);
  writeFileSync(maps, npyFile("|u1", [60, 4, 4], new Uint8Array(60 * 16).fill(1)));
  await refused({ data, labelColumn: maps }).toThrow(
    /small\.npy: required a class for each of 8x8 positions, .* got maps of 4x4/,
  );
  writeFileSync(maps, npyFile("|u1", [60, side, side], new Uint8Array(60 * side ** 2).fill(1)));
  await refused({ data, labelColumn: maps }).toThrow(
    /small\.npy: required positions of two classes .* one class alone/,
  );
  const { labelColumn: __, ...unlabelled } = options;
  await expect(compare({ ...unlabelled, arms: ["he"] })).rejects.toThrow(
    /train\.npy: required a class for each position .* got none/,
  );
  const rows = join(folder, "rows.onnx");
  const { newModel } = await import("../../src/library/new-model.js");
  await newModel({ template: "cnn", inputShape: [1, side, side], classes: 3, output: rows });
  await refused({ model: rows }).toThrow(
    /train\.npy: required one class for each sample, .* got a class for each of 8x8 positions/,
  );
  await refused({ model: rows, task: "segmentation" }).toThrow(
    /rows\.onnx: required one output of class scores at each/,
  );
  await refused({ model: "cnn", task: "segmentation" }).toThrow(
    /^task: required classification or regression with a template/,
  );
});

test("larger maps are brought to the positions of the output, where a note says so", async () => {
  const { folder, ...options } = ready();
  const model = coarseSegmenter(folder);
  const notes: string[] = [];
  const onEvent = (event: CompareEvent) => event.type === "note" && notes.push(event.message);
  const few = { ...options, model, arms: ["he"], seeds: 1, labels: ["all"], steps: 60 };
  const { summary } = await compare({ ...few, onEvent });
  expect(
    notes.filter((note) => /maps of 8x8 are brought to the 4x4 positions of the network's output/.test(note)),
  ).toEqual([expect.stringContaining("train.npy")]);
  // All positions of one class would have a third of the classes right.
  expect(summary.settings[0].arms[0].score.mean).toBeGreaterThan(0.5);
  await expect(compare({ ...few, augment: ["shift"], output: join(folder, "moved") })).rejects.toThrow(
    /^augment: required maps with a class for each of the samples' 8x8 positions, .* got maps of 4x4/,
  );
});

test("masks of pictures are found in folders of their own, those of the test data beside these", async () => {
  const { folder, ...options } = ready(2);
  for (const [name, count, seed] of [
    ["train", 24, 0],
    ["test", 12, 1],
  ] as const) {
    const { pixels } = barPictures(count, side, seed);
    for (const part of ["images", "masks"]) mkdirSync(join(folder, name, part), { recursive: true });
    for (let sample = 0; sample < count; sample++) {
      const own = pixels.subarray(sample * side ** 2, (sample + 1) * side ** 2);
      const mask = own.map((value) => (value < 100 ? 0 : 255));
      for (const [part, values] of [
        ["images", own],
        ["masks", mask],
      ] as const)
        writeFileSync(join(folder, name, part, `${sample}.png`), await greyPicture(values));
    }
  }
  const { labelColumn: _, testLabelColumn: __, ...found } = options;
  const few = { ...found, arms: ["he"], seeds: 1, labels: ["all"], steps: 40 };
  const [train, measured] = [join(folder, "train"), join(folder, "test")];
  const score = async (changes: Partial<CompareOptions>, output: string) => {
    const { summary } = await compare({ ...few, test: measured, ...changes, output: join(folder, output) });
    return summary.settings[0].arms[0].score.mean;
  };
  const named = await score({ data: join(train, "images"), labelColumn: join(train, "masks") }, "named");
  expect(named).toBeGreaterThan(0.7);
  expect(await score({ data: train }, "found")).toBe(named);
});

/** A grey PNG. */
function greyPicture(values: Uint8Array): Promise<Buffer> {
  const raw = { width: side, height: side, channels: 1 as const };
  return sharp(values, { raw }).toColourspace("b-w").png().toBuffer();
}
