/** The data of a study: what it is opened with, and what of it is used. */
import type { Dataset, OpenOptions } from "../data/dataset.js";
import { withinLimit } from "../data/evenly-spaced.js";
import { isLabelFile } from "../data/open-dataset.js";
import { subset } from "../data/subset.js";
import type { StudyData } from "../study/run-trial.js";
import type { OpenedDatasets } from "./opened-datasets.js";

/** What a bench needs to open the study's material; plain data, so that it can be sent to a worker thread. */
export interface BenchSettings {
  readonly folder: string;
  readonly train: string;
  readonly test: string;
  readonly unlabelled?: string;
  /** How all data is read. */
  readonly reading: Omit<OpenOptions, "signal" | "onProgress" | "fitted">;
  /** Where the test data's labels are; those of `reading` are the training data's. */
  readonly testLabels?: OpenOptions["labels"];
  readonly testLimit?: number;
  readonly unlabelledLimit?: number;
  /** Samples of the training and unlabelled data that are left out because the test data has them too. */
  readonly dropped: { readonly train: readonly number[]; readonly unlabelled: readonly number[] };
  readonly input?: string;
  readonly inputShape?: readonly number[];
}

/**
 * Opens a study's data, all normalised by the training data.
 *
 * @param opened the training data where the caller has it already, whole
 */
export async function openStudyData(
  settings: BenchSettings,
  datasets: OpenedDatasets,
  opened?: Dataset,
): Promise<StudyData> {
  const { reading } = settings;
  const train = opened ?? (await datasets.open(settings.train, reading));
  const { limit: _, labels, ...others } = reading;
  const testReading = { ...others, labels: settings.testLabels, limit: settings.testLimit, fitted: train.record };
  const test = await datasets.open(settings.test, testReading);
  // Its labels, where it has some, are of no use; a column or array of them is no part of its samples.
  const unlabelledReading: OpenOptions = {
    ...others,
    task: "none",
    labels: isLabelFile(labels) ? undefined : labels,
    limit: settings.unlabelledLimit,
    fitted: train.record,
  };
  const unlabelled =
    settings.unlabelled === undefined ? undefined : await datasets.open(settings.unlabelled, unlabelledReading);
  return withoutDropped(settings, { train, test, unlabelled: unlabelled ?? train });
}

/**
 * What a study uses of its data sets: not the samples that its settings drop, and where there are no unlabelled data of
 * their own, as many of the training data as are asked for.
 */
export function withoutDropped(
  { unlabelled: ownUnlabelled, unlabelledLimit, dropped }: BenchSettings,
  { train, test, unlabelled }: StudyData,
): StudyData {
  const kept = without(train, dropped.train);
  return {
    train: kept,
    test,
    unlabelled: ownUnlabelled === undefined ? atMost(kept, unlabelledLimit) : without(unlabelled, dropped.unlabelled),
  };
}

function without(dataset: Dataset, dropped: readonly number[]): Dataset {
  if (dropped.length === 0) return dataset;
  const out = new Set(dropped);
  return subset(
    dataset,
    Uint32Array.from({ length: dataset.count }, (_, index) => index).filter((index) => !out.has(index)),
  );
}

function atMost(dataset: Dataset, limit: number | undefined): Dataset {
  const taken = withinLimit(dataset.count, limit);
  return taken === undefined ? dataset : subset(dataset, taken);
}
