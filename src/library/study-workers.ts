/** How many trials run side by side. */
import { stat } from "node:fs/promises";
import { counted } from "../counted.js";
import { type Dataset, sizeOf } from "../data/dataset.js";
import { defaultMemory } from "../data/sample-array.js";
import type { StudyData } from "../study/run-trial.js";
import { inGigabytes, usualPeaks } from "./run-notes.js";

/** A worker thread with ONNX Runtime and its code. */
const threadBytes = 200e6;
/**
 * Copies of all parameters that a worker holds: values, gradients, two slots of the optimiser, each read and written, in
 * the supervisor and the gradient probe, and the start weights.
 */
const parameterCopies = 20;
/** The share of the free memory that a study may take. */
const share = 0.8;

/**
 * About how many bytes a worker takes, which opens the data for itself.
 *
 * @param peakBytes of its largest step
 */
export async function workerBytes(
  { train, test, unlabelled }: StudyData,
  networkFiles: readonly string[],
  peakBytes: number,
): Promise<number> {
  const samples = ({ count, shape, maps }: Dataset): number =>
    Math.min(defaultMemory(), 4 * count * sizeOf(shape)) + (maps?.values.byteLength ?? 0);
  // Without samples of its own, pretraining looks at those of training.
  const data = samples(train) + samples(test) + (unlabelled === train ? 0 : samples(unlabelled));
  const sizes = await Promise.all(networkFiles.map(async (file) => (await stat(file)).size));
  return threadBytes + data + parameterCopies * Math.max(0, ...sizes) + usualPeaks * peakBytes;
}

/** As many workers as are wanted and fit into the memory that is free; at least one. */
export function workersThatFit(wanted: number, bytesEach: number, free = process.availableMemory()): number {
  return Math.max(1, Math.min(wanted, Math.floor((share * free) / bytesEach)));
}

/** Warns of trials side by side that take more memory than is free. */
export function workersNote(workers: number, bytesEach: number, free = process.availableMemory()): string | undefined {
  const taken = workers * bytesEach;
  // One trial at a time is done here, where the data is already, see memoryNote.
  if (workers === 1 || taken <= free) return undefined;
  return `${counted(workers, "trial")} side by side take about ${inGigabytes(taken)} of memory, and ${inGigabytes(free)} are free, so they may be slow, or the system may end them: fewer --workers take less`;
}
