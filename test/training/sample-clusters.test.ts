import { expect, it } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { InterruptedError } from "../../src/errors.js";
import { SampleClusters } from "../../src/training/sample-clusters.js";
import { barDataset } from "../support/toy-data.js";

/** Points about three places far from each other, in turn. */
const places = [
  [0, 0],
  [50, 0],
  [0, 50],
];
const points = Float32Array.from({ length: 120 }, (_, at) => places[Math.floor(at / 2) % 3][at % 2] + Math.sin(at));

/** The groups of all samples, by sample and grouping. */
async function groupsOf(
  clusters: SampleClusters,
  data: ReturnType<typeof memoryDataset>,
  count: number,
  groupings: number,
) {
  const indices = Array.from({ length: data.count }, (_, at) => at);
  const samples = new Float32Array(data.count * data.shape.reduce((product, length) => product * length, 1));
  await data.read(indices, samples);
  const rows = new Float32Array(data.count * groupings * count);
  await clusters.writeOneHot(indices, samples, rows);
  return Array.from({ length: data.count * groupings }, (_, row) => {
    const own = [...rows.subarray(row * count, (row + 1) * count)];
    expect(own.reduce((sum, value) => sum + value, 0)).toBe(1);
    return own.indexOf(1);
  });
}

it("puts like samples into one group, whether asked together or alone, and depends on the seed alone", async () => {
  const data = memoryDataset(points, [2]);
  const clusters = await SampleClusters.find(data, 3, 2, 4);
  const groups = await groupsOf(clusters, data, 3, 2);
  expect(await groupsOf(await SampleClusters.find(data, 3, 2, 4), data, 3, 2)).toEqual(groups);
  const alone = new Float32Array(6);
  const last = new Float32Array(2);
  await data.read([7], last);
  await (await SampleClusters.find(data, 3, 2, 4)).writeOneHot([7], last, alone);
  expect([alone.indexOf(1), alone.lastIndexOf(1) - 3]).toEqual([groups[14], groups[15]]);
  for (let sample = 3; sample < 60; sample++) expect(groups[2 * sample]).toBe(groups[2 * (sample % 3)]);
});

it("compares pictures by their edges", async () => {
  const bars = barDataset(32);
  const groups = await groupsOf(await SampleClusters.find(bars, 2, 1, 0), bars, 2, 1);
  expect(new Set(groups).size).toBe(2);
});

it("makes do with fewer samples than groups", async () => {
  const data = memoryDataset(points.slice(0, 8), [2]);
  const groups = await groupsOf(await SampleClusters.find(data, 200, 1, 0), data, 200, 1);
  expect(new Set(groups).size).toBe(4);
});

it("finds no groups where the signal aborts, before or between two rounds", async () => {
  const aborted = { signal: AbortSignal.abort() };
  await expect(SampleClusters.find(barDataset(64), 4, 1, 0, aborted)).rejects.toThrow(InterruptedError);
  const controller = new AbortController();
  const dataset = barDataset(64);
  const read: typeof dataset.read = async (indices, target) => {
    await dataset.read(indices, target);
    controller.abort();
  };
  const found = SampleClusters.find({ ...dataset, read }, 4, 1, 0, { signal: controller.signal });
  await expect(found).rejects.toThrow("stopped while finding groups");
});
