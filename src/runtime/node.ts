/** ONNX Runtime in Node. */
import { availableParallelism } from "node:os";
import { serializeGraph } from "../formats/onnx-write.js";
import type { Graph } from "../graph/graph.js";
import { pinnedOpset } from "../graph/opset.js";
import type { DataType, Tensor, TensorData } from "../graph/tensor.js";
import { deviceError } from "./device-error.js";
import { InferenceSession, RuntimeTensor } from "./onnx-runtime.js";
import { RuntimeDeviceTensor } from "./runtime-device-tensor.js";
import type { DeviceTensor, Session, SessionOptions } from "./session.js";
import { sequenceMessage, sequenceOutput } from "./uncopied-outputs.js";
import { webgpuSettings } from "./webgpu-exceptions.js";

/** Loads a graph of the pinned opset into ONNX Runtime. @throws UserError where the device has no room for it */
export async function openSession(graph: Graph, options: SessionOptions = {}): Promise<Session> {
  const isOnCpu = (options.device ?? "cpu") === "cpu";
  const message = options.intoTargets && isOnCpu ? await sequenceMessage() : undefined;
  const sequence = message === undefined ? undefined : sequenceOutput;
  const bytes = serializeGraph(graph, pinnedOpset, { sequence });
  const plain = isOnCpu && graph.nodes.length > mostOptimized ? { optimizes: false } : {};
  return openBytes(bytes, { ...options, ...plain, ...webgpuSettings(graph, options.device) }, message);
}

/**
 * ONNX Runtime's own passes over a graph take longer than in proportion to it: 6 of 8 s for the 12,500 nodes of an LSTM's
 * GAN step over 100 positions, and 6 of 7 s for a ResNet of 50 convolutions, whose steps were as quick without them. Small
 * graphs gain 5 to 15 %.
 */
const mostOptimized = 4000;

/** Loads a serialized model. Only ever called with bytes that headstart wrote itself. */
export async function openSerialized(bytes: Uint8Array, options: SessionOptions = {}): Promise<Session> {
  return openBytes(bytes, options);
}

/** @param over what the binding's error says after a run, where the first output is a sequence */
async function openBytes(bytes: Uint8Array, options: SessionOptions, over?: string): Promise<Session> {
  const device = options.device ?? "cpu";
  const session = await createSession(bytes, options);
  const outputNames = session.outputNames.filter((name) => over === undefined || name !== sequenceOutput);
  const wrappers = new WeakMap<object, RuntimeTensor>();
  const wrap = (tensor: Tensor | DeviceTensor): RuntimeTensor => {
    if (tensor instanceof RuntimeDeviceTensor) return tensor.value;
    const { data } = tensor as Tensor;
    const known = wrappers.get(data);
    if (
      known &&
      known.dims.length === tensor.shape.length &&
      known.dims.every((size, axis) => size === tensor.shape[axis])
    )
      return known;
    const made = runtimeTensor(tensor as Tensor);
    wrappers.set(data, made);
    return made;
  };
  const run: Session["run"] = async (feeds, targets = {}) => {
    const runtimeFeeds: Record<string, RuntimeTensor> = {};
    for (const name of session.inputNames) {
      const tensor = feeds[name];
      if (!tensor) throw new Error(`session: the input ${name} was not fed`);
      runtimeFeeds[name] = wrap(tensor);
    }
    const fetches: Record<string, RuntimeTensor | null> = over === undefined ? {} : { [sequenceOutput]: null };
    for (const name of outputNames) {
      if (over !== undefined && !targets[name]) throw new Error(`session: the output ${name} has no target`);
      fetches[name] = targets[name] ? wrap(targets[name]) : null;
    }
    const results = await session.run(runtimeFeeds, fetches).catch((error: unknown): InferenceSession.ReturnType => {
      if (over !== undefined && error instanceof Error && error.message === over) return {};
      throw deviceError(error, device);
    });
    const outputs: Record<string, Tensor> = {};
    for (const name of outputNames) {
      const target = targets[name];
      const result = results[name];
      if (target instanceof RuntimeDeviceTensor) {
        forget(result);
        continue;
      }
      outputs[name] = (target as Tensor | undefined) ?? {
        type: result.type as DataType,
        shape: result.dims,
        data: result.data as TensorData,
      };
    }
    return outputs;
  };
  return { run, release: () => session.release() };
}

/** ONNX Runtime's own session with headstart's settings. */
export async function createSession(
  bytes: Uint8Array,
  {
    threads,
    device = "cpu",
    onCpu = [],
    layout: preferredLayout = "NCHW",
    records = false,
    inTurn = false,
    arena = true,
    plansMemory = true,
    optimizes = true,
  }: SessionOptions,
  more: InferenceSession.SessionOptions = {},
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      // Operators that another provider has no kernel for go to the CPU's.
      executionProviders: [
        device === "webgpu"
          ? { name: device, preferredLayout, ...(onCpu.length > 0 ? { forceCpuNodeNames: onCpu } : {}) }
          : device,
      ],
      intraOpNumThreads: threads ?? availableParallelism(),
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: optimizes ? "all" : "disabled",
      // What fails on the CPU is thrown, and need not be printed, too; other providers say more than they throw.
      logSeverityLevel: device === "cpu" ? 4 : 3,
      enableCpuMemArena: arena,
      enableMemPattern: plansMemory,
      // Threads wait for the next operator by spinning, and go on a while after a run. Where another session's threads
      // run next, they would take the processor from them.
      ...(inTurn ? { extra: { session: { force_spinning_stop: "1" } } } : {}),
      // A recording has whole numbers of 64 bits on the device; so that a check sees the same, everything has.
      ...(device === "webgpu"
        ? { extra: { ep: { webgpuexecutionprovider: { enableInt64: "1", enableGraphCapture: records ? "1" : "0" } } } }
        : {}),
      ...more,
    });
  } catch (error) {
    throw deviceError(error, device);
  }
}

/** Frees what the binding gives beside a target in a device's memory: another handle of it, which nobody else does. */
export function forget(result: RuntimeTensor): void {
  result.dispose();
}

/** A tensor as ONNX Runtime takes it; the elements are not copied. */
export function runtimeTensor({ type, data, shape }: Tensor): RuntimeTensor {
  return new RuntimeTensor(type as "float32", data as Float32Array, shape);
}
