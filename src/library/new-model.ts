/** A fresh network as an ONNX file. */
import { serializeGraph } from "../formats/onnx-write.js";
import type { Graph } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import { type ClassifierOptions, newClassifier, newNetworkOpset } from "../recipe/new-network.js";
import { requireGiven } from "./run-settings.js";
import { writeOutput } from "./write-output.js";

export interface NewModelOptions extends ClassifierOptions {
  /** Path of the file to write. */
  readonly output: string;
  readonly overwrite?: boolean;
}

export interface NewModelResult {
  readonly output: string;
  readonly graph: Graph;
  /** Elements of all weights and biases; running statistics are not among them. */
  readonly parameters: number;
  readonly bytes: number;
}

/**
 * Writes a classifier with freshly drawn weights. The same options give the same bytes.
 *
 * @throws UserError for an option that does not fit, or where the file cannot be written
 */
export async function newModel({ output, overwrite = false, ...classifier }: NewModelOptions): Promise<NewModelResult> {
  requireGiven({ inputShape: classifier.inputShape, output });
  const graph = newClassifier(classifier);
  const bytes = serializeGraph(graph, newNetworkOpset);
  await writeOutput(output, bytes, overwrite);
  let parameters = 0;
  // The network writer names what is trained as PyTorch does.
  for (const [name, { shape }] of graph.initializers) if (/\.(weight|bias)$/.test(name)) parameters += sizeOf(shape);
  return { output, graph, parameters, bytes: bytes.length };
}
