/** Whether ONNX Runtime lays the values of a graph out together in memory. */
import type { Device } from "../runtime/device.js";

/**
 * From so many bytes of a graph's values on, a CPU's are not laid out together, which would take their memory twice. It saves
 * about a microsecond an operator: of graphs with so many values, a share that nobody would notice.
 */
const manyBytes = 2 ** 28;

/** @param peakBytes the most that the graph's values take at a time */
export function plansMemory(peakBytes: number, device: Device): boolean {
  return device !== "cpu" || peakBytes < manyBytes;
}
