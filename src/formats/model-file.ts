/** What every format of models gives: a graph, and a way back into the format. */
import type { Graph } from "../graph/graph.js";
import type { Tensor } from "../graph/tensor.js";

export const modelFormats = ["onnx", "keras", "keras-hdf5", "tensorflow.js"] as const;

/** A format that models are read from and written back to. */
export type ModelFormat = (typeof modelFormats)[number];

/** A model as read from its file or files. */
export interface ModelFile {
  readonly format: ModelFormat;
  readonly graph: Graph;
  /** Version of ONNX's operator set that the graph is written in. */
  readonly opset: number;
  /** What wrote the file, with its version; may be empty. */
  readonly producer: string;
  /** First outputs of the nodes into which, as the file notes, its exporter has folded a normalisation. */
  readonly folded?: readonly string[];
  /**
   * A tensor of the graph as the file lays it out: Keras keeps the kernels of convolutions as [...kernel, inputs,
   * outputs], where the graph has them as [outputs, inputs, ...kernel].
   */
  readonly asStored: (name: string, tensor: Tensor) => Tensor;
  /**
   * The model with other elements in these tensors, and everything else as it came.
   *
   * @param replacements by name, in the graph's layout
   * @returns contents by file name, the model's own first
   */
  readonly write: (replacements: ReadonlyMap<string, Tensor>) => Promise<ReadonlyMap<string, Uint8Array>>;
}
