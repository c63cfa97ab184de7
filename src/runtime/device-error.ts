/** Says what a device refused as what the user can put right. */
import { userError } from "../errors.js";
import type { Device } from "./device.js";

/** Texts of ONNX Runtime, Dawn, Vulkan, CUDA and DirectML that stand for memory that is not there. */
const noMemory =
  /out of memory|OUT_OF_DEVICE_MEMORY|E_OUTOFMEMORY|max buffer size|too many storage buffers|allocation size|invalid due to a previous error|failed to allocate|cudaMalloc|bad[ _]alloc|exceeds the supported maximum/i;
const lost =
  /device (was |is )?lost|DEVICE_LOST|DXGI_ERROR_DEVICE|device removed|cudaErrorUnknown|unspecified launch failure/i;

/**
 * A UserError for what a device refused: memory, and on another than the CPU a lost device, or a graph that its provider
 * cannot run. What else fails on the CPU is a bug and is given back as it came.
 */
export function deviceError(error: unknown, device: Device): unknown {
  if (!(error instanceof Error)) return error;
  const isCpu = device === "cpu";
  const where = `device ${device}`;
  const got = firstLine(error.message);
  if (noMemory.test(error.message))
    return userError({
      where,
      required: "memory for a step",
      got,
      advice: `Take a smaller batch (--batch-size) or a smaller network${isCpu ? "" : ", or train with --device cpu"}.`,
    });
  if (isCpu) return error;
  if (lost.test(error.message))
    return userError({
      where,
      required: "a device that stays there",
      got,
      advice: "Repeat the command with --resume, where the run has a checkpoint, or train with --device cpu.",
    });
  return userError({
    where,
    required: "a graph that its execution provider can run",
    got,
    advice: "Train with --device cpu.",
  });
}

/** The first line of a message, without the path of ONNX Runtime's source file and without a full stop. */
export function firstLine(message: string): string {
  return (
    message
      .split("\n")[0]
      .replace(/^\/\S+\.(?:cc|h):\d+ .*? was false\. /, "")
      .trim()
      .replace(/\.$/, "") || "an error without a message"
  );
}
