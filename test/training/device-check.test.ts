import { describe, expect, it } from "vitest";
import { floatTensor } from "../../src/graph/tensor.js";
import { checkDevice, deviceNotes, differingMetrics } from "../../src/training/device-check.js";
import { squaresFeeds, squaresGraph, squaresStart } from "../support/squares-graph.js";

describe("checkDevice", () => {
  it("makes the step twice, and counts its operators by provider", async () => {
    const { placement, differing } = await checkDevice(squaresGraph(), "cpu", squaresStart, squaresFeeds([0, 0]));
    expect(differing).toEqual([]);
    expect(placement).toMatchObject({ device: "cpu", onDevice: 0 });
    expect(placement.onCpu).toMatchObject({ ReduceSum: expect.any(Number), Sqrt: expect.any(Number) });
  });
});

describe("differingMetrics", () => {
  const scalars = (values: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, floatTensor([value], [])]));
  const names = ["loss", "task/accuracy"];
  const differing = (here: number, there: number) =>
    differingMetrics(
      names,
      scalars({ loss: here, "task/accuracy": 0.5 }),
      scalars({ loss: there, "task/accuracy": 0.625 }),
    );

  it.each([
    [1, 1.001],
    [0, 1e-8],
    [Number.NaN, Number.NaN],
    [-3, -3.001],
  ])("lets rounding pass: %d and %d", (here, there) => {
    expect(differing(here, there)).toEqual([]);
  });

  it.each([
    [0.515625, 0.5],
    [1, -1],
    [Number.NaN, 1],
    [1, Number.POSITIVE_INFINITY],
  ])("names %d in place of %d", (here, there) => {
    expect(differing(here, there)).toEqual([{ metric: "loss", onDevice: here, onCpu: there }]);
  });
});

describe("deviceNotes", () => {
  it("says nothing where all is on the device and agrees", () => {
    expect(deviceNotes({ placement: { device: "webgpu", onDevice: 9, onCpu: {} }, differing: [] })).toEqual([]);
  });

  it("names operators, the most frequent first, and metrics", () => {
    const placement = { device: "webgpu", onDevice: 90, onCpu: { Equal: 1, LogSoftmax: 2, Abs: 1 } } as const;
    expect(deviceNotes({ placement, differing: [{ metric: "loss", onDevice: 0.64201, onCpu: 0.63509 }] })).toEqual([
      "webgpu cannot run 4 of the 94 operators of a step, the CPU does: LogSoftmax (2), Abs, Equal",
      "webgpu does not compute what the CPU computes, its weights may be wrong: in the first step loss is 0.6420 instead of 0.6351. Train with --device cpu, or update the device's driver",
    ]);
  });
});
