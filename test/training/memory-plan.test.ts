import { expect, test, vi } from "vitest";
import type { SessionOptions } from "../../src/runtime/session.js";
import { openEvaluator } from "../../src/training/evaluate.js";
import { Trainer } from "../../src/training/trainer.js";
import { squaresFeeds, squaresGraph, squaresStart } from "../support/squares-graph.js";
import { TestNetwork } from "../support/write-network.js";

const opened: SessionOptions[] = [];

vi.mock("../../src/runtime/node.js", async (original) => {
  const real = await original<typeof import("../../src/runtime/node.js")>();
  return {
    ...real,
    openSession: (...[graph, options = {}]: Parameters<typeof real.openSession>) => {
      opened.push(options);
      return real.openSession(graph, options);
    },
  };
});

test("values of a large step are not laid out together, and it gives the same", async () => {
  const losses: number[][] = [];
  const planned: unknown[] = [];
  for (const peakBytes of [1000, 2 ** 28]) {
    const trainer = await Trainer.open({ ...squaresGraph(), peakBytes }, squaresStart, { threads: 1 });
    planned.push(new Set(opened.splice(0).map(({ plansMemory }) => plansMemory)));
    losses.push([]);
    for (let step = 0; step < 3; step++) losses.at(-1)?.push((await trainer.step(squaresFeeds([0, 0]))).metrics.loss);
    await trainer.release();
  }
  expect(planned).toEqual([new Set([true]), new Set([false])]);
  expect(losses[1]).toEqual(losses[0]);
});

test("neither are those of a large network that is only looked at", async () => {
  for (const [units, isPlanned] of [
    [8, true],
    [2 ** 19, false],
  ] as const) {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [2, units])])]);
    const scores = net.node("Gemm", [hidden, net.weight("w2", [units, 2])]);
    const network = net.build([2], scores);
    const evaluator = await openEvaluator(network, scores, { batchSize: 128, threads: 1 });
    await evaluator.release();
    expect(opened.splice(0).map(({ plansMemory }) => plansMemory)).toEqual([isPlanned]);
  }
});
