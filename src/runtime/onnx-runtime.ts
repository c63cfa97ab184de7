/** ONNX Runtime, the only way to it: see {@link import("./without-telemetry.js")}. */
import "./without-telemetry.js";

export { InferenceSession, listSupportedBackends, Tensor as RuntimeTensor } from "onnxruntime-node";
