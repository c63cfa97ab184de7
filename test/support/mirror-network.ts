/** Emits F and its mirror on a batch, for tests. */
import type { Value } from "../../src/graph/builder.js";
import { floatTensor, sizeOf } from "../../src/graph/tensor.js";
import { type MirrorOptions, type MirrorResult, mirror } from "../../src/mirror/mirror.js";
import type { Emitter } from "../../src/ops/emitter.js";
import { type Instance, instantiate } from "../../src/ops/instantiate.js";
import type { Network } from "../../src/ops/network.js";
import type { ParameterSpec } from "../../src/ops/parameter.js";
import { normalTensor } from "./run-graph.js";

export interface Mirrored {
  readonly instance: Instance;
  readonly result: MirrorResult;
  readonly specs: ParameterSpec[];
}

/** F from x to the feature with the weights of its file, and the mirror from a code. */
export function mirrored(
  emit: Emitter,
  network: Network,
  feature: string,
  x: Value,
  options: Partial<MirrorOptions> = {},
): Mirrored {
  const instance = instantiate({
    emit,
    network,
    input: x,
    targets: [feature],
    parameter: (name) => emit.constant(network.tensors.get(name)!),
    normalization: "batch",
  });
  const specs: ParameterSpec[] = [];
  const result = emit.scope("mirror", () =>
    mirror({
      emit,
      instance,
      code: instance.targets[0],
      feature,
      normalization: "batch",
      tied: false,
      parameter: (spec) => {
        specs.push(spec);
        return emit.constant(startValue(spec));
      },
      lastActivation: "none",
      ...options,
    }),
  );
  return { instance, result, specs };
}

/** Biases and shifts 0, scales 1, weights random. */
export function startValue(spec: ParameterSpec) {
  if (spec.role === "weight") return normalTensor(spec.name, spec.shape, 1 / Math.sqrt(spec.fanIn ?? 1));
  return floatTensor(new Float32Array(sizeOf(spec.shape)).fill(spec.role === "scale" ? 1 : 0), spec.shape);
}
