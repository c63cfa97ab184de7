import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type CompareOptions, compare } from "../../src/library/compare.js";
import { newModel } from "../../src/library/new-model.js";
import { RandomStream } from "../../src/random/stream.js";
import type { TrialRecord } from "../../src/study/records.js";
import { temporaryFolder } from "../support/temporary-folder.js";

/** A table in which one row of ten is of a class that lies half within the other. */
function table(rows: number, seed: number): string {
  const stream = new RandomStream(seed, "rows");
  const lines = Array.from({ length: rows }, (_, row) => {
    const rare = row % 10 === 0;
    return [rare ? 1.5 + stream.normal() : stream.normal(), stream.normal(), rare ? "b" : "a"].join();
  });
  return `x,y,kind\n${lines.join("\n")}\n`;
}

function ready(): CompareOptions & { output: string } {
  const folder = temporaryFolder({ "train.csv": table(200, 0), "test.csv": table(100, 1) });
  return {
    model: "mlp",
    data: join(folder, "train.csv"),
    test: join(folder, "test.csv"),
    output: join(folder, "study"),
    labelColumn: "kind",
    arms: ["he", "lecun"],
    labels: ["all"],
    learningRates: [0.01],
    seeds: 2,
    steps: 60,
    batchSize: 32,
  };
}

/** Compares, and tells how many trials ran, and how long a pilot was expected to take. */
async function ran(options: CompareOptions) {
  let count = 0;
  let expected: number | undefined;
  const onEvent: CompareOptions["onEvent"] = (event) => {
    if (event.type === "trial") count++;
    if (event.type === "pilot") expected = event.fit.expected;
  };
  const result = await compare({ ...options, onEvent });
  return { ...result, count, expected };
}

test("balanced accuracy judges the trials that accuracy has judged", async () => {
  const options = ready();
  const plain = await ran(options);
  expect(plain.count).toBe(4);
  expect(plain.plan).not.toHaveProperty("measure");
  expect(plain.summary.measure).toBe("accuracy");
  expect(plain.summary.notes).toContainEqual(
    expect.stringMatching(/most frequent class gives 90\.0 %: .*--measure balanced-accuracy/),
  );

  const balanced = await ran({ ...options, measure: "balanced-accuracy" });
  expect(balanced.count).toBe(0);
  expect(balanced.plan.measure).toBe("balanced-accuracy");
  expect(balanced.summary).toMatchObject({ measure: "balanced-accuracy", trials: 4, planned: 4 });
  expect(balanced.summary.remarks.notes.map(({ kind }) => kind)).not.toContain("imbalanced");
  const records = readFileSync(join(options.output, "trials.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as TrialRecord);
  const ends = (arm: string, of: "score" | "balancedAccuracy") =>
    records.filter((trial) => trial.arm === arm).map(({ points }) => points.find(({ step }) => step === 60)?.[of] ?? 0);
  const [before] = plain.summary.settings;
  const [after] = balanced.summary.settings;
  expect([before.chance, after.chance]).toEqual([0.9, 0.5]);
  for (const [place, arm] of ["he", "lecun"].entries()) {
    const [first, second] = ends(arm, "balancedAccuracy");
    expect(after.arms[place].score.mean).toBeCloseTo((first + second) / 2, 12);
    // The rare class is named right less often.
    expect(after.arms[place].score.mean).toBeLessThan(before.arms[place].score.mean - 0.02);
    // Of 90 and 10 samples: both say how many are right, so that one tells the other but for the rare ones among them.
    ends(arm, "score").forEach((accuracy, seed) => {
      const rare = (180 * ends(arm, "balancedAccuracy")[seed] - 100 * accuracy) / 8;
      expect(rare).toBeCloseTo(Math.round(rare), 9);
    });
  }
  expect(readFileSync(balanced.report, "utf8")).toContain("balanced accuracy after 60 steps");
});

test("one output tells two classes apart, judged by balanced accuracy", async () => {
  const options = ready();
  const model = join(options.output, "..", "one.onnx");
  await newModel({ template: "mlp", inputShape: [2], widths: [8], outputs: 1, output: model });
  const { summary } = await compare({ ...options, model, measure: "balanced-accuracy", target: 0.6 });
  const [{ chance, target, arms }] = summary.settings;
  expect([chance, target]).toEqual([0.5, 0.6]);
  for (const { score } of arms) expect(score.mean).toBeGreaterThan(0.5);
});

test("a pilot is not fitted again for another measure", async () => {
  const options = { ...ready(), steps: 5, pilot: 1 };
  // Seconds that are measured again are others.
  const { expected } = await ran(options);
  expect(expected).toBeGreaterThan(0);
  const balanced = await ran({ ...options, measure: "balanced-accuracy" });
  expect(balanced).toMatchObject({ count: 0, expected });
  expect(balanced.summary.measure).toBe("balanced-accuracy");
  const back = await ran(options);
  expect(back).toMatchObject({ count: 0, expected });
  expect(back.summary.measure).toBe("accuracy");
});

test("is refused for numbers, before anything is written", async () => {
  const numbers = { ...ready(), labelColumn: "y", measure: "balanced-accuracy" } as const;
  await expect(compare(numbers)).rejects.toThrow(
    "measure: required labels that are classes, got numbers to predict, which are judged by R². Leave --measure out",
  );
  expect(existsSync(numbers.output)).toBe(false);
});
