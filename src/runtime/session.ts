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
}

/** What a graph's inputs can be fed with, by name. */
export type Feeds = Readonly<Record<string, Tensor | DeviceTensor>>;

/** Where some of a graph's outputs go, by name: an output written to a device's memory is not given back. */
export type Targets = Readonly<Record<string, Tensor | DeviceTensor>>;

/** A graph made ready to run on a device. */
export interface Session {
  /**
   * Runs the graph once.
   *
   * @param feeds every graph input by name
   * @param targets preallocated tensors that receive these outputs in place; they must not be fed in the same run
   * @returns every graph output by name that does not go to a device's memory; those of `targets` are the very tensors
   *   given
   */
  run(feeds: Feeds, targets?: Targets): Promise<Tensors>;
  /** Frees the native memory. */
  release(): Promise<void>;
}

/** How to run. */
export interface SessionOptions {
  /** Threads for one operator; default: as many as the machine offers. */
  readonly threads?: number;
  /** ONNX Runtime's own passes over the graph; default: true. */
  readonly optimizes?: boolean;
  /** Default: cpu. */
  readonly device?: Device;
  /**
   * Whether the device may record its orders in the first run and repeat them in all others. All feeds and targets must
   * lie in its memory, at the same places in every run. Where it cannot, every run gives the orders anew.
   */
  readonly records?: boolean;
  /** Whether it runs in turn with other sessions, many times a second. */
  readonly inTurn?: boolean;
  /** Whether every run gives a target for every output: on a CPU, they are then written once only. */
  readonly intoTargets?: boolean;
  /** Whether the memory of a run is kept for the next one; default: yes, which is quicker. */
  readonly arena?: boolean;
  /**
   * Whether a CPU lays out all values of a run in one piece of memory from the second run on; default: yes, which is quicker.
   * What the first run has taken stays, so that it costs as much memory again.
   */
  readonly plansMemory?: boolean;
  /** Names of nodes that the CPU computes, where the device is webgpu. */
  readonly onCpu?: readonly string[];
  /** The layout that convolutions are computed in, where the device is webgpu. Default: NCHW. */
  readonly layout?: "NHWC" | "NCHW";
}

/** The options of a session among others, those left out that are not given. */
export function sessionOptions({ threads, device }: SessionOptions): SessionOptions {
  return { ...(threads === undefined ? {} : { threads }), ...(device === undefined ? {} : { device }) };
}
