/** Refuses a device that is not there before anything is done for it. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type UserError, userError } from "../errors.js";
import { serializeGraph } from "../formats/onnx-write.js";
import { pinnedOpset } from "../graph/opset.js";
import { type Device, devices } from "./device.js";
import { firstLine } from "./device-error.js";
import { InferenceSession, listSupportedBackends } from "./onnx-runtime.js";
import { librariesFolder } from "./require-library.js";

/** What a device needs, where it is not there. */
const needs: Readonly<Record<Device, string>> = {
  cpu: "",
  webgpu:
    "WebGPU needs a GPU with its driver (on Linux Vulkan's, with libvulkan.so.1) and is not built for Linux on ARM",
  cuda: "CUDA needs Linux on x64, an NVIDIA GPU, CUDA 12 or 13, cuDNN 9, and ONNX Runtime's CUDA libraries, which npm does not carry",
  dml: "DirectML is part of ONNX Runtime on Windows only",
  coreml: "Core ML is part of ONNX Runtime on macOS only",
};

/** @param name as the user wrote it; undefined stands for cpu @throws UserError where the device cannot be used here */
export async function requireDevice(name: string | undefined): Promise<Device> {
  const device = devices.find((known) => known === (name ?? "cpu"));
  const built = availableDevices();
  const refused = (got: string, need: string): UserError =>
    userError({
      where: "device",
      required: `one that can be used here (ONNX Runtime for ${process.platform} ${process.arch} is built for ${built.join(", ")})`,
      got,
      advice: `${need === "" ? "" : `${need}; `}docs/devices.md says how to get it. Without --device the CPU is used`,
    });
  if (!device) throw refused(`"${name}"`, "");
  if (device === "cpu") return device;
  if (!built.includes(device)) throw refused(device, needs[device]);
  if (device === "cuda" && !hasCudaLibraries())
    throw refused("cuda without libonnxruntime_providers_cuda.so", needs.cuda);
  const problem = await tryOut(device);
  if (problem !== undefined) throw refused(`${device}: ${problem}`, needs[device]);
  return device;
}

/** The devices that the installed ONNX Runtime is built for, whether the machine has them or not. */
function availableDevices(): Device[] {
  const names = new Set(listSupportedBackends().map(({ name }) => name));
  return devices.filter((device) => names.has(device));
}

/** onnxruntime-node's own install script puts them beside its binding. */
function hasCudaLibraries(): boolean {
  const bin = librariesFolder();
  return readdirSync(bin).some((version) =>
    existsSync(join(bin, version, process.platform, process.arch, "libonnxruntime_providers_cuda.so")),
  );
}

/** Loads a graph of one node. @returns why that failed */
async function tryOut(device: Device): Promise<string | undefined> {
  const value = { type: "float32", shape: [1] } as const;
  const bytes = serializeGraph(
    {
      name: "probe",
      inputs: [{ name: "x", ...value }],
      outputs: [{ name: "y", ...value }],
      initializers: new Map(),
      nodes: [{ op: "Neg", domain: "", name: "", inputs: ["x"], outputs: ["y"], attributes: {} }],
    },
    pinnedOpset,
  );
  try {
    const session = await InferenceSession.create(bytes, { executionProviders: [device], logSeverityLevel: 4 });
    await session.release();
    return undefined;
  } catch (error) {
    return firstLine(error instanceof Error ? error.message : String(error));
  }
}
