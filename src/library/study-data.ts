/** The data of a study: what it is opened with, and what of it is used. */
import type { Dataset, OpenOptions } from "../data/dataset.js";
import { withinLimit } from "../data/evenly-spaced.js";
import { coarserMaps } from "../data/label-maps.js";
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
  /** Positions that the network's output has scores at, where it is a map: larger maps of classes are brought to these. */
  readonly positions?: readonly number[];
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
  const { reading, positions } = settings;
  const train = atPositions(opened ?? (await datasets.open(settings.train, reading)), positions);
  const { limit: _, labels, ...others } = reading;
  const testReading = { ...others, labels: settings.testLabels, limit: settings.testLimit, fitted: train.record };
  const test = atPositions(await datasets.open(settings.test, testReading), positions);
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

/** A data set with maps of classes for a network that gives scores at fewer positions; any other one as it is. */
function atPositions(dataset: Dataset, positions: readonly number[] = []): Dataset {
  const { maps, record } = dataset;
  if (maps?.shape.length !== 2 || positions.length !== 2 || String(maps.shape) === String(positions)) return dataset;
  if (positions.some((length, axis) => length > maps.shape[axis])) return dataset;
  const note = `the maps of ${maps.shape.join("x")} are brought to the ${positions.join("x")} positions of the network's output, each of which takes the class nearest to its middle; networks are trained and judged there`;
  const { notes = [] } = record as { readonly notes?: readonly string[] };
  return { ...dataset, maps: coarserMaps(maps, positions), record: { ...record, notes: [...notes, note] } };
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
