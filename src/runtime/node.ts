/** ONNX Runtime in Node. */
import { availableParallelism } from "node:os";
import { InferenceSession, Tensor as RuntimeTensor } from "onnxruntime-node";
import { serializeGraph } from "../formats/onnx-write.js";
import type { Graph } from "../graph/graph.js";
import { pinnedOpset } from "../graph/opset.js";
import type { DataType, Tensor, TensorData } from "../graph/tensor.js";
import type { Session, SessionOptions, Tensors } from "./session.js";

/** Loads a graph of the pinned opset into ONNX Runtime. */
export async function openSession(graph: Graph, options: SessionOptions = {}): Promise<Session> {
  return openSerialized(serializeGraph(graph, pinnedOpset), options);
}

/** Loads a serialized model. Only ever called with bytes that headstart wrote itself. */
export async function openSerialized(bytes: Uint8Array, options: SessionOptions = {}): Promise<Session> {
  const session = await InferenceSession.create(bytes, {
    executionProviders: ["cpu"],
    intraOpNumThreads: options.threads ?? availableParallelism(),
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
  });
  const wrappers = new WeakMap<object, RuntimeTensor>();
  const wrap = (tensor: Tensor): RuntimeTensor => {
    const known = wrappers.get(tensor.data);
    if (
      known &&
      known.dims.length === tensor.shape.length &&
      known.dims.every((size, axis) => size === tensor.shape[axis])
    )
      return known;
    const made = new RuntimeTensor(tensor.type as "float32", tensor.data as Float32Array, tensor.shape);
    wrappers.set(tensor.data, made);
    return made;
  };
  return {
    async run(feeds: Tensors, targets: Tensors = {}) {
      const runtimeFeeds: Record<string, RuntimeTensor> = {};
      for (const name of session.inputNames) {
        const tensor = feeds[name];
        if (!tensor) throw new Error(`session: the input ${name} was not fed`);
        runtimeFeeds[name] = wrap(tensor);
      }
      const fetches: Record<string, RuntimeTensor | null> = {};
      for (const name of session.outputNames) fetches[name] = targets[name] ? wrap(targets[name]) : null;
      const results = await session.run(runtimeFeeds, fetches);
      const outputs: Record<string, Tensor> = {};
      for (const name of session.outputNames) {
        const result = results[name];
        outputs[name] = targets[name] ?? {
          type: result.type as DataType,
          shape: result.dims,
          data: result.data as TensorData,
        };
      }
      return outputs;
    },
    release: () => session.release(),
  };
}
