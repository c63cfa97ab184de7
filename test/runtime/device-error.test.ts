import { describe, expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import { deviceError, firstLine } from "../../src/runtime/device-error.js";

const messageOf = (text: string): string => {
  const error = deviceError(new Error(text), "webgpu");
  expect(error).toBeInstanceOf(UserError);
  return (error as Error).message;
};

describe("deviceError", () => {
  it.each([
    "WebGPU validation failed. Buffer size (2516582400) exceeds the max buffer size limit (1073741824).\n - While calling",
    "WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.",
    "CUDA failure 2: out of memory ; GPU=0",
    "vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY",
    "Failed to allocate memory for requested buffer of size 8589934592",
  ])("takes %j for memory that is not there", (text) => {
    expect(messageOf(text)).toMatch(/^device webgpu: required memory for a step, got .*\. Take a smaller batch/);
  });

  it.each([
    "WebGPU device was lost: 2",
    "887A0005: DXGI_ERROR_DEVICE_REMOVED",
    "vkQueueSubmit failed with VK_ERROR_DEVICE_LOST",
  ])("takes %j for a lost device", (text) => {
    expect(messageOf(text)).toMatch(/^device webgpu: required a device that stays there, got .*--resume/);
  });

  it("passes on the first line of anything else", () => {
    expect(messageOf("no kernel.\nat a place")).toBe(
      "device webgpu: required a graph that its execution provider can run, got no kernel. Train with --device cpu.",
    );
  });

  it("takes memory that the CPU has not for such, and leaves its other errors alone", () => {
    const tooLarge =
      "Tile output tensor would require more than 4294967296 bytes, which exceeds the supported maximum of 4";
    for (const text of ["std::bad_alloc", "bad allocation", "Failed to allocate memory for requested buffer", tooLarge])
      expect((deviceError(new Error(text), "cpu") as Error).message).toBe(
        `device cpu: required memory for a step, got ${text}. Take a smaller batch (--batch-size) or a smaller network.`,
      );
    const error = new Error("no kernel");
    expect(deviceError(error, "cpu")).toBe(error);
    expect(deviceError("text", "webgpu")).toBe("text");
  });
});

describe("firstLine", () => {
  it("drops the place in ONNX Runtime's source", () => {
    const place = "/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 f(int)::<lambda()>";
    expect(firstLine(`${place} adapter == 0 was false. Failed to get an adapter: none\n\n`)).toBe(
      "Failed to get an adapter: none",
    );
    expect(firstLine("")).toBe("an error without a message");
  });
});
