/** Vectors of embeddings that are drawn. */
import type { RandomStream } from "../random/stream.js";
import { drawNormal, drawUniform } from "./distributions.js";
import type { Initializer } from "./initializers.js";

/**
 * Draws the vectors of an embedding, [tokens, width]: from N(0, 1) with PyTorch's defaults (torch.nn.Embedding), constants as
 * they are, and else from U(±0.05), as Keras and TensorFlow.js do by default; what initializers say of layers' fans does not
 * speak of embeddings.
 */
export function drawEmbedding(initializer: Initializer, shape: readonly number[], stream: RandomStream): Float32Array {
  const { name } = initializer;
  if (name === "pytorch-default") return drawNormal(shape, 1, stream);
  if (/^(zeros|ones|constant:.*)$/.test(name)) return initializer.draw(shape, { kind: "matrix", inputAxis: 0 }, stream);
  return drawUniform(shape, 0.05, stream);
}
