/** What every device offers: run a graph on tensors. */
import type { DataType, Tensor } from "../graph/tensor.js";
import type { Device } from "./device.js";

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A tensor in a device's memory: only sessions of that device can read it. */
export interface DeviceTensor {
  readonly location: Device;
  readonly type: DataType;
  readonly shape: readonly number[];
  /** Frees the memory. The tensor cannot be fed any more. */
  dispose(): void;
}

/** What a graph's inputs can be fed with, by name. */
export type Feeds = Readonly<Record<string, Tensor | DeviceTensor>>;

/** A graph made ready to run on a device. */
export interface Session {
  /**
   * Runs the graph once.
   *
   * @param feeds every graph input by name
   * @param targets preallocated tensors that receive these outputs in place; they must not be fed in the same run
   * @returns every graph output by name that is not kept; those of `targets` are the very tensors given
   */
  run(feeds: Feeds, targets?: Tensors): Promise<Tensors>;
  /** The same, and gives the outputs that {@link SessionOptions.keep} names. The caller disposes of them. */
  runKeeping(
    feeds: Feeds,
    targets?: Tensors,
  ): Promise<{ outputs: Tensors; kept: Readonly<Record<string, DeviceTensor>> }>;
  /** Frees the native memory. */
  release(): Promise<void>;
}

/** How to run. */
export interface SessionOptions {
  /** Threads for one operator; default: as many as the machine offers. */
  readonly threads?: number;
  /** Default: cpu. */
  readonly device?: Device;
  /** Outputs that stay in the device's memory, see {@link keepsTensors}. */
  readonly keep?: readonly string[];
  /** Whether it runs in turn with other sessions, many times a second. */
  readonly inTurn?: boolean;
  /** Whether every run gives a target for every output: on a CPU, they are then written once only. */
  readonly intoTargets?: boolean;
  /** Whether the memory of a run is kept for the next one; default: yes, which is quicker. */
  readonly arena?: boolean;
  /** Names of nodes that the CPU computes, where the device is webgpu. */
  readonly onCpu?: readonly string[];
  /** The layout that convolutions are computed in, where the device is webgpu. Default: NCHW. */
  readonly layout?: "NHWC" | "NCHW";
}

/** The options of a session among others, those left out that are not given. */
export function sessionOptions({ threads, device }: SessionOptions): SessionOptions {
  return { ...(threads === undefined ? {} : { threads }), ...(device === undefined ? {} : { device }) };
}
