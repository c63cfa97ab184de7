/** What a graph can run on, by the names that ONNX Runtime gives its execution providers. */

export const devices = ["cpu", "webgpu", "cuda", "dml", "coreml"] as const;

export type Device = (typeof devices)[number];

/**
 * Can a session of this device leave outputs in its memory and take them as inputs again? ONNX Runtime's binding for
 * Node.js knows the buffers of WebGPU only; with any other provider what goes in and comes out lies in the main memory.
 */
export function keepsTensors(device: Device): boolean {
  return device === "webgpu";
}
