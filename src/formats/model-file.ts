/** What every format of models gives: a graph, and a way back into the format. */
import type { Graph } from "../graph/graph.js";
import type { Tensor } from "../graph/tensor.js";
import type { PytorchOrigin, PytorchSignature } from "./pytorch-origin.js";

/** The formats of models: ONNX, .keras archives of Keras 3, Keras' HDF5 files, and TensorFlow.js' layers models. */
export const modelFormats = ["onnx", "keras", "keras-hdf5", "tensorflow.js"] as const;

/** A format that models are read from and written back to. */
export type ModelFormat = (typeof modelFormats)[number];

/** What a framework cannot load of a file that it saves itself, by the name of a layer that is to blame. */
export interface LoadingLimits {
  /** The file gives no whole model, only weights for a model that is there already. */
  readonly notWhole?: string;
  /** A model that is there already takes the weights only after it was called once. */
  readonly afterCall?: string;
}

/** A model as read from its file or files. */
export interface ModelFile {
  readonly format: ModelFormat;
  readonly graph: Graph;
  /** Version of ONNX's operator set that the graph is written in. */
  readonly opset: number;
  /** What wrote the file, with its version; may be empty. */
  readonly producer: string;
  readonly loadingLimits?: LoadingLimits;
  /** What PyTorch's exporter has noted of nodes, by their first output. */
  readonly origins?: ReadonlyMap<string, PytorchOrigin>;
  /** Initializers that the framework does not train: PyTorch's buffers and plain tensors, weights of frozen Keras layers. */
  readonly constants?: ReadonlySet<string>;
  /** What PyTorch's exporter has noted of the network's tensors. */
  readonly signature?: PytorchSignature;
  /**
   * Of a file of jax2onnx: the weights that have their names in JAX's tree, see jax-export.ts; none where the export has left
   * the names out. Missing in other files.
   */
  readonly jaxWeights?: ReadonlySet<string>;
  /** What of the model is read otherwise than it says, a sentence each. */
  readonly notes?: readonly string[];
  /**
   * A tensor of the graph as the file lays it out: Keras keeps the kernels of convolutions as [...kernel, inputs,
   * outputs], where the graph has them as [outputs, inputs, ...kernel]. In Keras' formats, what the file does not store, as
   * a reshaping's sizes, is given back itself.
   */
  readonly asStored: (name: string, tensor: Tensor) => Tensor;
  /**
   * The model with other elements in these tensors, and everything else as it came.
   *
   * @param replacements by name, in the graph's layout
   * @returns contents by file name, the model's own first
   */
  readonly write: (replacements: ReadonlyMap<string, Tensor>) => Promise<ReadonlyMap<string, Uint8Array>>;
  /** The same with changes to the graph's structure, where the format can have them. */
  readonly writeEdited?: (
    replacements: ReadonlyMap<string, Tensor>,
    edits: GraphEdits,
  ) => Promise<ReadonlyMap<string, Uint8Array>>;
}

/** Changes to a graph's structure. Nodes go by their first output. */
export interface GraphEdits {
  readonly added: ReadonlyMap<string, Tensor>;
  readonly dropped: ReadonlySet<string>;
  /** All inputs of a node, in place of those it has. */
  readonly inputs: ReadonlyMap<string, readonly string[]>;
}
