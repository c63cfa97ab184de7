/** Samples that a study trains on and its test data has too. */
import { counted } from "../counted.js";
import { userError } from "../errors.js";
import { duplicatesOf } from "../study/duplicates.js";
import type { StudyData } from "../study/run-trial.js";
import type { CompareOptions } from "./compare-types.js";
import { type BenchSettings, withoutDropped } from "./study-data.js";

/** Refuses, or leaves out, what the test data has too. */
export async function withoutDuplicates(
  options: CompareOptions,
  settings: BenchSettings,
  everything: StudyData,
): Promise<{ settings: BenchSettings; data: StudyData }> {
  const { train, test, unlabelled } = everything;
  const inTrain = await duplicatesOf(train, test, options.signal);
  const inUnlabelled =
    options.unlabelled === undefined ? inTrain : await duplicatesOf(unlabelled, test, options.signal);
  if (inTrain.length === 0 && inUnlabelled.length === 0) return { settings, data: everything };
  if (options.duplicates !== "drop") {
    const worse =
      inTrain.length > 0
        ? { count: inTrain.length, where: options.data }
        : { count: inUnlabelled.length, where: options.unlabelled ?? options.data };
    throw userError({
      where: worse.where,
      required: `no sample that ${options.test} has too`,
      got: `${worse.count}`,
      advice:
        "Test data must not enter training or pretraining. Remove them, or pass --duplicates drop to train without them.",
    });
  }
  const dropping = {
    ...settings,
    dropped: { train: inTrain, unlabelled: options.unlabelled === undefined ? [] : inUnlabelled },
  };
  const data = withoutDropped(dropping, everything);
  for (const { count, where } of [data.train, data.unlabelled])
    if (count < 2)
      throw userError({
        where,
        required: `at least two samples that ${options.test} does not have`,
        got: String(count),
        advice: "Give other data to test on.",
      });
  return { settings: dropping, data };
}

/** What was left out, in words. */
export function duplicateNotes({ dropped, train, unlabelled }: BenchSettings): string[] {
  const note = (count: number, where: string): string[] =>
    count === 0
      ? []
      : [
          `${counted(count, "sample")} of ${where} ${count === 1 ? "is left out: the test data has it too" : "are left out: the test data has them too"}`,
        ];
  return [...note(dropped.train.length, train), ...note(dropped.unlabelled.length, unlabelled ?? "")];
}
