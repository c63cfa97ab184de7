import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { evenlySpaced } from "../../src/data/evenly-spaced.js";
import { OpenedDatasets } from "../../src/library/opened-datasets.js";
import { type BenchSettings, openStudyData } from "../../src/library/study-data.js";
import { withoutDuplicates } from "../../src/library/study-duplicates.js";
import { duplicatesOf } from "../../src/study/duplicates.js";
import { idxFile } from "../data/array-files.js";
import { readAll } from "../data/read-all.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { barPictures } from "../support/toy-data.js";

describe("withoutDuplicates", () => {
  const side = 8;
  const { signal } = new AbortController();

  /** Training and unlabelled pictures of which the first few are test pictures, and how they are read. */
  function leaky() {
    const test = barPictures(30, side, 1);
    const withSome = (count: number, seed: number) => {
      const { pixels, labels } = barPictures(40, side, seed);
      pixels.set(test.pixels.subarray(0, count * side * side));
      labels.set(test.labels.subarray(0, count));
      return { pixels, labels };
    };
    const train = withSome(3, 0);
    const folder = temporaryFolder({
      "train/train-images-idx3-ubyte": idxFile(8, [40, side, side], train.pixels),
      "train/train-labels-idx1-ubyte": idxFile(8, [40], train.labels),
      "test/train-images-idx3-ubyte": idxFile(8, [30, side, side], test.pixels),
      "test/train-labels-idx1-ubyte": idxFile(8, [30], test.labels),
      unlabelled: idxFile(8, [40, side, side], withSome(5, 2).pixels),
    });
    const at = (name: string) => join(folder, name);
    const reading = { shape: [side * side] };
    const settings = { folder, train: at("train"), test: at("test"), reading, dropped: { train: [], unlabelled: [] } };
    return { settings, unlabelled: at("unlabelled") };
  }

  /** The study's data without duplicates, and what a worker opens with the settings that come of it. */
  async function dropping(own: Partial<BenchSettings>) {
    const settings = { ...leaky().settings, ...own };
    const datasets = new OpenedDatasets(signal);
    const { unlabelled } = settings;
    const options = {
      model: "m.onnx",
      data: settings.train,
      test: settings.test,
      ...(unlabelled ? { unlabelled } : {}),
    };
    const everything = await openStudyData(settings, datasets);
    await expect(withoutDuplicates(options, settings, everything)).rejects.toThrow(
      /required no sample that .*, got 3\./,
    );
    const found = await withoutDuplicates({ ...options, duplicates: "drop" }, settings, everything);
    return { ...found, everything, opened: await openStudyData(found.settings, datasets) };
  }

  test("leaves no study without training data", async () => {
    const { settings } = leaky();
    const same = { ...settings, train: settings.test };
    const everything = await openStudyData(same, new OpenedDatasets(signal));
    const options = { model: "m.onnx", data: same.train, test: same.test, duplicates: "drop" } as const;
    await expect(withoutDuplicates(options, same, everything)).rejects.toThrow(
      /required at least two samples that .* does not have, got 0\. Give other data to test on\./,
    );
  });

  test("leaves test samples out of the training and of the unlabelled data, in workers too", async () => {
    const { settings, data, everything, opened } = await dropping({ unlabelled: leaky().unlabelled });
    expect(settings.dropped).toEqual({ train: [0, 1, 2], unlabelled: [0, 1, 2, 3, 4] });
    for (const { train, test: measured, unlabelled } of [data, opened]) {
      expect([train.count, measured.count, unlabelled.count]).toEqual([37, 30, 35]);
      expect(await duplicatesOf(train, measured)).toEqual([]);
      expect(await duplicatesOf(unlabelled, measured)).toEqual([]);
      expect(train.labels).toEqual(everything.train.labels?.slice(3));
    }
    for (const name of ["train", "test", "unlabelled"] as const) {
      expect(opened[name].hash).toBe(data[name].hash);
      expect(await readAll(opened[name])).toEqual(await readAll(data[name]));
    }
  });

  test("leaves them out of the training samples that stand for unlabelled ones", async () => {
    const { settings, data, opened } = await dropping({ unlabelledLimit: 10 });
    expect(settings.dropped).toEqual({ train: [0, 1, 2], unlabelled: [] });
    for (const { train, test: measured, unlabelled } of [data, opened]) {
      expect([train.count, unlabelled.count]).toEqual([37, 10]);
      const size = side * side;
      const all = await readAll(train);
      // At even distances, as a limit takes samples elsewhere.
      const expected = [...evenlySpaced(37, 10)].flatMap((index) => [
        ...all.subarray(index * size, (index + 1) * size),
      ]);
      expect([...(await readAll(unlabelled))]).toEqual(expected);
      expect(await duplicatesOf(unlabelled, measured)).toEqual([]);
      expect(unlabelled.record.subsetOf).toBe(train.hash);
    }
  });
});
