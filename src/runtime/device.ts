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

/**
 * How graphs are written for a device. Starting an operator on WebGPU takes longer than copying parameters side by side;
 * on CUDA it is the other way round, since they come from the main memory at every step.
 */
export function graphStyle(device: Device = "cpu"): { readonly joinsParameters: boolean } {
  return { joinsParameters: device === "webgpu" };
}
