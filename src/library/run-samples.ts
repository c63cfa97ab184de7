/** The samples of a run: opened as its options say, in the shape that its model takes. */
import { basename } from "node:path";
import type { Dataset, OpenOptions } from "../data/dataset.js";
import { isLabelFile } from "../data/open-dataset.js";
import { userError } from "../errors.js";
import type { Network } from "../ops/network.js";
import type { InitializeEvent, InitializeOptions } from "./initialize-types.js";
import type { OpenedDatasets } from "./opened-datasets.js";
import { readingFor } from "./reading-for.js";
import { requireTokens } from "./require-tokens.js";

/** Opens the data in the shape that the model's input has. */
export async function openData(
  options: InitializeOptions,
  network: Network,
  datasets: OpenedDatasets,
  emit: (event: InitializeEvent) => void,
): Promise<Dataset> {
  const { data, labels, labelled, signal } = options;
  if (isDataset(data)) {
    if (labelled === undefined || isDataset(labelled)) requireNoReading(options);
    return ofTokens(requireShape(data, network.sampleShape), network, signal);
  }
  const reading = readingOf(options, network, emit);
  // Beside labelled samples the data is only used without labels; a column or array of them is no part of its samples.
  const dataset = await datasets.open(
    data,
    labelled === undefined ? reading : { ...reading, task: "none", labels: isLabelFile(labels) ? undefined : labels },
  );
  if (dataset.count < 2)
    throw userError({
      where: dataset.where,
      required: "at least two samples",
      got: `${dataset.count}`,
      advice: "Give more data.",
    });
  return ofTokens(dataset, network, signal);
}

/** The samples, which must be tokens where the network takes such. */
async function ofTokens(dataset: Dataset, { vocabulary }: Network, signal: AbortSignal | undefined): Promise<Dataset> {
  await requireTokens(dataset, vocabulary, signal);
  return dataset;
}

/** How the options say that data is read. */
function readingOf(options: InitializeOptions, network: Network, emit: (event: InitializeEvent) => void): OpenOptions {
  const { layout, resize, convert, normalise, labels, header, onBad, limit } = options;
  const { classNames, columns, categories, fitted, memory, cache, cacheLimit, dataWorkers: workers } = options;
  const storage = { memory, cache, cacheLimit, workers };
  const tables = { classNames, columns, categories, header };
  const given = { layout, resize, convert, normalise, labels, onBad, limit, fitted, ...tables, ...storage };
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return {
    shape: network.sampleShape,
    ...readingFor(network),
    ...present,
    onProgress: (done, total, what = "reading") => emit({ type: "data", what, done, total }),
  };
}

/** The labelled samples for the head, treated as the data is: the data itself where no others are named. */
export async function openLabelled(
  options: InitializeOptions,
  network: Network,
  dataset: Dataset,
  datasets: OpenedDatasets,
  emit: (event: InitializeEvent) => void,
): Promise<Dataset> {
  const { labelled, signal } = options;
  if (labelled === undefined) return dataset;
  if (isDataset(labelled)) return ofTokens(requireShape(labelled, dataset.shape), network, signal);
  const { limit: _, ...reading } = readingOf(options, network, emit);
  // The data was opened without its labels, and so without the names of classes that a transform may have.
  const opened = await datasets.open(labelled, { ...reading, fitted: { ...options.fitted, ...dataset.record } });
  return ofTokens(opened, network, signal);
}

/** Whether samples are given open, which who has opened them closes. */
export function isDataset(data: NonNullable<InitializeOptions["data" | "labelled"]>): data is Dataset {
  return typeof data === "object" && "read" in data;
}

/** @throws UserError where samples that the caller opened would have to be read anew, in another way */
function requireNoReading(options: InitializeOptions): void {
  const { resize, convert, normalise, labels, header, onBad, limit, columns, categories, fitted } = options;
  const reading = { resize, convert, normalise, labels, header, onBad, limit, columns, categories, fitted };
  for (const [where, value] of Object.entries(reading))
    if (value !== undefined)
      throw userError({
        where,
        required: "data by its path or address, which this option says how to read",
        got: "samples that are open already",
        advice: "Give it to openDataset, streamDataset or memoryDataset.",
      });
}

/** Samples that the caller opened must have the model's shape. */
function requireShape(dataset: Dataset, shape: readonly number[]): Dataset {
  if (dataset.shape.join() === shape.join()) return dataset;
  throw userError({
    where: dataset.where,
    required: `samples of the shape [${shape.join(", ")}], as the model takes`,
    got: `[${dataset.shape.join(", ")}]`,
    advice: "Open the data with this shape.",
  });
}

/** What the record calls the data. */
export function nameOfData(data: InitializeOptions["data"]): string {
  if (isDataset(data)) return data.where;
  const paths = typeof data === "string" ? [data] : data;
  return paths.length === 1 ? basename(paths[0]) : `${basename(paths[0])} and ${paths.length - 1} more`;
}
