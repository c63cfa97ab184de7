/** A run of a graph that tells which provider ran each operator. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serializeGraph } from "../formats/onnx-write.js";
import type { Graph } from "../graph/graph.js";
import { pinnedOpset } from "../graph/opset.js";
import type { Tensor, TensorData } from "../graph/tensor.js";
import type { Device } from "./device.js";
import { deviceError } from "./device-error.js";
import { createSession, runtimeTensor } from "./node.js";
import type { Tensors } from "./session.js";
import { webgpuSettings } from "./webgpu-exceptions.js";

/** Where the nodes of a graph ran, as ONNX Runtime has rewritten it for the device. */
export interface Placement {
  readonly device: Device;
  readonly onDevice: number;
  /** Nodes that the device's provider has no kernel for and the CPU ran, by operator. */
  readonly onCpu: Readonly<Record<string, number>>;
}

/**
 * Runs a graph once and reads from ONNX Runtime's own profile where each node ran: neither its session nor its binding
 * tells.
 *
 * @throws UserError where the device cannot run it
 */
export async function profiledRun(
  graph: Graph,
  device: Device,
  feeds: Tensors,
): Promise<{ placement: Placement; outputs: Tensors }> {
  const folder = await mkdtemp(join(tmpdir(), "headstart-profile-"));
  try {
    const session = await createSession(
      serializeGraph(graph, pinnedOpset),
      { device, ...webgpuSettings(graph, device) },
      { enableProfiling: true, profileFilePrefix: join(folder, "run") },
    );
    const outputs: Record<string, Tensor> = {};
    try {
      const results = await session.run(
        Object.fromEntries(session.inputNames.map((name) => [name, runtimeTensor(feeds[name])])),
      );
      for (const [name, { type, dims, data }] of Object.entries(results))
        outputs[name] = { type: type as Tensor["type"], shape: dims, data: data as TensorData };
      session.endProfiling();
    } catch (error) {
      throw deviceError(error, device);
    } finally {
      await session.release();
    }
    const [file] = await readdir(folder);
    const events = JSON.parse(await readFile(join(folder, file), "utf8")) as readonly ProfileEvent[];
    return { placement: countNodes(device, events), outputs };
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly args?: { readonly op_name?: string; readonly provider?: string };
}

function countNodes(device: Device, events: readonly ProfileEvent[]): Placement {
  const onCpu: Record<string, number> = {};
  let onDevice = 0;
  for (const { cat, name, args } of events) {
    if (cat !== "Node" || !name.endsWith("_kernel_time") || args?.op_name === undefined) continue;
    if (args.provider !== "CPUExecutionProvider") onDevice++;
    else onCpu[args.op_name] = (onCpu[args.op_name] ?? 0) + 1;
  }
  return { device, onDevice, onCpu };
}
