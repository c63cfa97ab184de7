/** Graphs that only look: they compute values of a network, without training. */

import type { Value } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import { Emitter } from "../ops/emitter.js";
import { instantiate, parameterInputs } from "../ops/instantiate.js";
import type { Network } from "../ops/network.js";
import { supervisedFeedNames } from "./feed-names.js";

/** Moves the batch, where it is another axis than the first, to the front. */
function samplesFirst(emit: Emitter, value: Value, batch: number): Value {
  if (batch <= 0) return value;
  return emit.transpose(value, [batch, ...value.shape.map((_, axis) => axis).filter((axis) => axis !== batch)]);
}

/**
 * The axis of the batch in each value, where a network computes with another axis first (tokens, say): the one that
 * grows with the batch, as another one may be just as long. −1 where none can be told.
 */
function batchAxes(
  network: Network,
  targets: readonly string[],
  values: readonly Value[],
  batchSize: number,
  normalization: "batch" | "running",
): readonly number[] {
  const candidates = values.map(({ shape }) => shape.flatMap((size, axis) => (size === batchSize ? [axis] : [])));
  // The usual case, which is to cost nothing.
  if (candidates.every(([first = 0]) => first === 0)) return values.map(() => -1);
  // A file for this very batch may not be fitted to another one: the only axis of its size is it then.
  if (network.fixedBatch === batchSize) return candidates.map((axes) => (axes.length === 1 ? axes[0] : -1));
  const emit = new Emitter();
  const other = instantiate({
    emit,
    network,
    input: emit.input(supervisedFeedNames.samples, "float32", [2 * batchSize, ...network.sampleShape]),
    targets,
    parameter: parameterInputs(emit, network),
    normalization,
  });
  return candidates.map((axes, index) => {
    const grows = axes.filter((axis) => other.targets[index].shape[axis] === 2 * batchSize);
    return grows.length === 1 ? grows[0] : -1;
  });
}

/**
 * A graph that computes some of a network's values on a batch, without training: for features, class scores and
 * activation statistics. Its inputs are `samples` and every parameter it needs, by name; its outputs are called
 * `value/` and the value's name, and begin with the batch where the network has it as an axis of its own.
 *
 * @param normalization batch statistics or running ones
 */
export function lookingGraph(
  network: Network,
  targets: readonly string[],
  batchSize: number,
  emit: Emitter = new Emitter(),
  normalization: "batch" | "running" = "running",
): Graph {
  const instance = instantiate({
    emit,
    network,
    input: emit.input(supervisedFeedNames.samples, "float32", [batchSize, ...network.sampleShape]),
    targets,
    parameter: parameterInputs(emit, network),
    normalization,
  });
  const axes = batchAxes(network, targets, instance.targets, batchSize, normalization);
  targets.forEach((target, index) => {
    emit.output(`value/${target}`, samplesFirst(emit, instance.targets[index], axes[index]));
  });
  return emit.build("looking");
}
