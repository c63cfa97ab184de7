/** What can be said of a device before it is trained on: what it leaves to the CPU, and whether it computes the same. */
import type { TrainingGraph } from "../recipe/training-graph.js";
import { rewriteForDevice } from "../rewrite/rewrite-for-device.js";
import type { Device } from "../runtime/device.js";
import { openSession } from "../runtime/node.js";
import { type Placement, profiledRun } from "../runtime/profiled-run.js";
import type { Tensors } from "../runtime/session.js";
import { initialState } from "./training-state.js";

export interface DeviceCheck {
  readonly placement: Placement;
  /** Metrics of the step on the device and on the CPU that differ by more than {@link metricTolerance}. */
  readonly differing: readonly { readonly metric: string; readonly onDevice: number; readonly onCpu: number }[];
}

/**
 * Relative difference of losses and norms that rounding explains. In float32 they differ by about 1e-6; products in
 * TensorFloat-32, which CUDA takes by default, by up to about 1e-3.
 */
export const metricTolerance = 2e-3;

/** Samples of the step that a device is checked with: enough to see what is wrong, few for the CPU beside it. */
export const checkedBatch = 8;

/**
 * Makes one step on the device and on the CPU, from the same inputs.
 *
 * @param initial start values by state name, see {@link initialState}
 * @throws UserError where the device cannot make the step
 */
export async function checkDevice(
  training: TrainingGraph,
  device: Device,
  initial: ReadonlyMap<string, Float32Array>,
  stepFeeds: Tensors,
): Promise<DeviceCheck> {
  const feeds = { ...initialState(training.state, initial), ...stepFeeds };
  const graph = rewriteForDevice(training.graph, device);
  const { placement, outputs } = await profiledRun(graph, device, feeds);
  const session = await openSession(training.graph);
  try {
    const expected = await session.run(feeds);
    return { placement, differing: differingMetrics(training.metrics, outputs, expected) };
  } finally {
    await session.release();
  }
}

/** The metrics that rounding does not explain. */
export function differingMetrics(
  names: readonly string[],
  outputs: Tensors,
  expected: Tensors,
): { metric: string; onDevice: number; onCpu: number }[] {
  return names.flatMap((metric) => {
    const onDevice = (outputs[metric].data as Float32Array)[0];
    const onCpu = (expected[metric].data as Float32Array)[0];
    // Shares of samples jump where a score is near a tie.
    return metric.includes("accuracy") || near(onDevice, onCpu) ? [] : [{ metric, onDevice, onCpu }];
  });
}

function near(a: number, b: number): boolean {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return Object.is(a, b);
  return Math.abs(a - b) <= metricTolerance * Math.max(Math.abs(a), Math.abs(b)) + 1e-7;
}

/** A check in words; nothing where all runs on the device and agrees. */
export function deviceNotes({ placement, differing }: DeviceCheck): string[] {
  const { device, onDevice, onCpu } = placement;
  const counts = Object.entries(onCpu).sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1));
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const left = counts.map(([op, count]) => (count === 1 ? op : `${op} (${count})`)).join(", ");
  return [
    ...(total === 0
      ? []
      : [`${device} cannot run ${total} of the ${total + onDevice} operators of a step, the CPU does: ${left}`]),
    ...(differing.length === 0
      ? []
      : [
          `${device} does not compute what the CPU computes, its weights may be wrong: in the first step ` +
            `${differing.map(({ metric, onDevice: here, onCpu: there }) => `${metric} is ${here.toPrecision(4)} instead of ${there.toPrecision(4)}`).join(", ")}. ` +
            "Train with --device cpu, or update the device's driver",
        ]),
  ];
}
