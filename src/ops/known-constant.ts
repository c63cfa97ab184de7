/** What a value is, where it does not hang on the samples' values. */
import { UserError } from "../errors.js";
import type { Graph } from "../graph/graph.js";
import type { Tensor } from "../graph/tensor.js";
import { Emitter } from "./emitter.js";
import { instantiate, parameterInputs } from "./instantiate.js";
import { analyzeNetwork, type Network, type NetworkOptions, storedTensors } from "./network.js";

/**
 * A value's elements, as far as they follow from the sample's shape and constants, and are the same for all batches.
 *
 * @param graph of the pinned operator set
 * @returns undefined where they are not known
 */
export function knownConstant(graph: Graph, name: string, options: NetworkOptions): Tensor | undefined {
  const stored = storedTensors(graph).get(name);
  if (stored) return stored;
  return unlessRefused(() => constantOf(analyzeNetwork(graph, options), name));
}

/**
 * The same of a network's value; none of its parameters is constant.
 *
 * @returns undefined where the elements are not known
 */
export function constantOf(network: Network, name: string): Tensor | undefined {
  if (network.parameters.has(name)) return undefined;
  const stored = network.tensors.get(name);
  if (stored) return stored;
  // Training's batches have two samples or more; what is another for other batches is not known here.
  const [first, second] = [2, 3].map((batchSize) => unlessRefused(() => constantFor(network, name, batchSize)));
  const agree =
    first?.data.length === second?.data.length && first?.data.every((each, at) => each === second?.data[at]);
  return agree ? first : undefined;
}

/** What stands in the way of a value is reported where the network itself is taken apart. */
function unlessRefused<Result>(compute: () => Result): Result | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

function constantFor(network: Network, name: string, batchSize: number): Tensor | undefined {
  const emit = new Emitter();
  const { targets } = instantiate({
    emit,
    network,
    // Not "samples": a weight may have that name.
    input: emit.input("headstart/samples", "float32", [batchSize, ...network.sampleShape]),
    targets: [name],
    parameter: parameterInputs(emit, network),
    normalization: "running",
  });
  return targets[0].constant;
}
