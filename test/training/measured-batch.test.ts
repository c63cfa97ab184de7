import { expect, test } from "vitest";
import { logitsName } from "../../src/recipe/network-outputs.js";
import { measuredBatch } from "../../src/training/measured-batch.js";
import { MapNetwork } from "../support/map-network.js";

/** A convolution on pictures of this side. */
function network(side: number) {
  const net = new MapNetwork();
  return net.build([1, side, side], net.convolution("x", "w", 1, 16));
}

test("networks of large maps are measured on fewer samples at a time", () => {
  const batchOf = (side: number) => measuredBatch(network(side), logitsName(network(side), "map-cross-entropy"));
  const small = batchOf(8);
  expect(small.batchSize).toBe(250);
  const large = batchOf(512);
  expect(large.batchSize).toBeGreaterThan(1);
  expect(large.batchSize).toBeLessThan(40);
  expect(large.peakBytes).toBeLessThanOrEqual(512 * 2 ** 20);
  // As many as fit: some more would not.
  expect((large.peakBytes / large.batchSize) * (large.batchSize + 2)).toBeGreaterThan(512 * 2 ** 20);
  expect(batchOf(4096).batchSize).toBe(1);
});
