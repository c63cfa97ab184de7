/** Runs what a test emits, through ONNX Runtime. */
import type { Value } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import { type FloatTensor, floatTensor, sizeOf, type Tensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { RandomStream } from "../../src/random/stream.js";
import { openSession } from "../../src/runtime/node.js";

/** Emits a graph on named inputs, runs it once and gives its outputs by name. */
export async function runGraph(
  inputs: Readonly<Record<string, Tensor>>,
  body: (emit: Emitter, inputs: Record<string, Value>) => Record<string, Value>,
): Promise<Record<string, Tensor>> {
  const emit = new Emitter();
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, tensor]) => [name, emit.input(name, tensor.type, tensor.shape)]),
  );
  for (const [name, value] of Object.entries(body(emit, values))) emit.output(name, value);
  return runOnce(emit.build("test"), inputs);
}

/** Runs a graph once on a thread, and gives its outputs by name. */
export async function runOnce(graph: Graph, feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  const session = await openSession(graph, { threads: 1 });
  try {
    return { ...(await session.run(feeds)) };
  } finally {
    await session.release();
  }
}

/** Standard normal numbers (times scale, plus shift) in a shape, seeded by the purpose. */
export function normalTensor(purpose: string, shape: readonly number[], scale = 1, shift = 0): FloatTensor {
  const stream = new RandomStream(0, purpose);
  return floatTensor(
    Float32Array.from({ length: sizeOf(shape) }, () => stream.normal() * scale + shift),
    shape,
  );
}
