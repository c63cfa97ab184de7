/** ONNX Runtime, the only way to it: see what is imported before it, in this order. */
import "./without-telemetry.js";
import "./require-library.js";

export { InferenceSession, listSupportedBackends, Tensor as RuntimeTensor } from "onnxruntime-node";
