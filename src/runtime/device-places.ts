/** Tensors that stay at one place in a device's memory, to be written and read from outside. */

import { serializeGraph } from "../formats/onnx-write.js";
import type { Graph } from "../graph/graph.js";
import { pinnedOpset } from "../graph/opset.js";
import type { DataType, Tensor, TensorData } from "../graph/tensor.js";
import type { Device } from "./device.js";
import { deviceError } from "./device-error.js";
import { createSession, forget, runtimeTensor } from "./node.js";
import type { InferenceSession, RuntimeTensor } from "./onnx-runtime.js";
import { RuntimeDeviceTensor } from "./runtime-device-tensor.js";
import type { DeviceTensor, Tensors } from "./session.js";

export interface DevicePlaces {
  /** By name; valid until they are released. */
  readonly tensors: Readonly<Record<string, DeviceTensor>>;
  /** Overwrites all of them. */
  write(values: Tensors): Promise<void>;
  /** Copies of some of them in the main memory; waits for the device. */
  read(names: readonly string[]): Promise<Tensors>;
  release(): Promise<void>;
}

/**
 * Puts tensors into a device's memory. ONNX Runtime's binding cannot copy there and back by itself; what a session is
 * fed, gives, and is given as a target, is copied. A tensor lives no longer than the session that made it.
 *
 * @throws UserError where the device has no room for them
 */
export async function openPlaces(values: Tensors, device: Device): Promise<DevicePlaces> {
  const names = Object.keys(values);
  // A session of nothing is refused.
  if (names.length === 0)
    return { tensors: {}, write: async () => {}, read: async () => ({}), release: async () => {} };
  const open = (some: readonly string[], more: InferenceSession.SessionOptions = {}) =>
    createSession(serializeGraph(copies(values, some), pinnedOpset), { device }, more);
  const made = await open(names, { preferredOutputLocation: "gpu-buffer" });
  const given = await run(made, device, fed(values, names), names.map(copyName)).catch(async (error: unknown) => {
    await made.release();
    throw error;
  });
  const tensors = Object.fromEntries(
    names.map((name) => [name, new RuntimeDeviceTensor(device, given[copyName(name)])]),
  );
  const fetches = Object.fromEntries(names.map((name) => [copyName(name), tensors[name].value]));
  let writer: InferenceSession | undefined;
  const readers = new Map<string, InferenceSession>();
  return {
    tensors,
    write: async (next) => {
      writer ??= await open(names);
      Object.values(await run(writer, device, fed(next, names), fetches)).forEach(forget);
    },
    read: async (some) => {
      if (some.length === 0) return {};
      const key = JSON.stringify(some);
      const reader = readers.get(key) ?? (await open(some));
      readers.set(key, reader);
      const results = await run(
        reader,
        device,
        Object.fromEntries(some.map((name) => [name, tensors[name].value])),
        some.map(copyName),
      );
      return Object.fromEntries(
        some.map((name): [string, Tensor] => {
          const { type, dims, data } = results[copyName(name)];
          return [name, { type: type as DataType, shape: dims, data: data as TensorData }];
        }),
      );
    },
    release: async () => {
      for (const session of [...readers.values(), ...(writer ? [writer] : [])]) await session.release();
      for (const { value } of Object.values(tensors)) value.dispose();
      await made.release();
    },
  };
}

function copyName(name: string): string {
  return `${name}/copy`;
}

/** Hands tensors through under other names. */
function copies(values: Tensors, names: readonly string[]): Graph {
  const described = names.map((name) => ({ name, type: values[name].type, shape: values[name].shape }));
  return {
    name: "copies",
    inputs: described,
    outputs: described.map(({ name, ...value }) => ({ name: copyName(name), ...value })),
    initializers: new Map(),
    nodes: names.map((name) => ({
      op: "Identity",
      domain: "",
      name: copyName(name),
      inputs: [name],
      outputs: [copyName(name)],
      attributes: {},
    })),
  };
}

function fed(values: Tensors, names: readonly string[]): Record<string, RuntimeTensor> {
  return Object.fromEntries(names.map((name) => [name, runtimeTensor(values[name])]));
}

async function run(
  session: InferenceSession,
  device: Device,
  feeds: InferenceSession.FeedsType,
  outputs: InferenceSession.FetchesType,
): Promise<InferenceSession.ReturnType> {
  return session.run(feeds, outputs).catch((error: unknown) => {
    throw deviceError(error, device);
  });
}
