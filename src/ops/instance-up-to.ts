/** A network by itself, up to some of its values. */
import type { Emitter } from "./emitter.js";
import { type Instance, instantiate, parameterInputs } from "./instantiate.js";
import type { Network } from "./network.js";

/**
 * Emits a network up to some values, on two samples, with its parameters as inputs.
 *
 * @throws UserError as {@link instantiate} does
 */
export function instanceUpTo(emit: Emitter, network: Network, targets: readonly string[]): Instance {
  return instantiate({
    emit,
    network,
    // Not "samples": a weight may have that name.
    input: emit.input("headstart/samples", "float32", [2, ...network.sampleShape]),
    targets,
    parameter: parameterInputs(emit, network),
    normalization: "batch",
  });
}
