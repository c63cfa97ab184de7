/** Whether a training step fits into the memory of this machine. */

import { totalmem } from "node:os";
import { counted } from "../counted.js";
import { userError } from "../errors.js";
import type { TrainingGraph } from "../recipe/training-graph.js";
import type { Device } from "../runtime/device.js";

/** What this process may take at most: the machine's memory, or less in a container. */
function memoryHere(): number {
  const allowed = process.constrainedMemory();
  return allowed > 0 ? Math.min(totalmem(), allowed) : totalmem();
}

/**
 * Requires of a training step on the CPU that what it computes, at least, fits into memory: beyond that the system would end
 * the process without a word. Other devices say themselves what they have no room for.
 *
 * @param available in bytes; default: what this machine has
 * @param advice what to do
 * @throws UserError
 */
export function requireMemory(
  { peakBytes, batchSize }: Pick<TrainingGraph, "peakBytes" | "batchSize">,
  device: Device = "cpu",
  available = memoryHere(),
  advice = "Take a smaller batch (--batch-size) or a smaller network.",
): void {
  if (device !== "cpu" || peakBytes <= available) return;
  throw userError({
    where: `a training step of ${counted(batchSize, "sample")}`,
    required: `values that fit into ${inGigabytes(available)} of memory`,
    got: `about ${inGigabytes(peakBytes)} of them`,
    advice,
  });
}

function inGigabytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 30)} GiB`;
}
