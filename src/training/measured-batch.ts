/** How many samples a network is measured on in one run: many, but no more than fit into memory beside a step's values. */
import { Emitter } from "../ops/emitter.js";
import type { Network } from "../ops/network.js";
import { lookingGraph } from "../recipe/looking-graph.js";

const mostSamples = 250;
/** A run's values take no more than about this, where there is more than one sample. */
const mostBytes = 512 * 2 ** 20;

/** A run of a network, and about how much its values take. */
export interface MeasuredBatch {
  readonly batchSize: number;
  readonly peakBytes: number;
}

/** @param target the value that is computed */
export function measuredBatch(network: Network, target: string): MeasuredBatch {
  // From few samples: a graph for many may have values that no graph can have.
  const [few, more] = [bytesOf(network, target, 2), bytesOf(network, target, 4)];
  const ofSample = Math.max(1, (more - few) / 2);
  const fitting = Math.floor((mostBytes - few) / ofSample) + 2;
  const batchSize = Math.min(mostSamples, Math.max(1, fitting));
  return { batchSize, peakBytes: few + (batchSize - 2) * ofSample };
}

function bytesOf(network: Network, target: string, batchSize: number): number {
  const emit = new Emitter();
  lookingGraph(network, [target], batchSize, emit);
  return emit.peakBytes;
}
