/** Outputs, losses and gradients of whole networks agree with the frameworks that exported them. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import type { Value } from "../../src/graph/builder.js";
import { numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { openModel } from "../../src/library/open-model.js";
import { Emitter } from "../../src/ops/emitter.js";
import { instantiate, singlePrecision } from "../../src/ops/instantiate.js";
import type { Network } from "../../src/ops/network.js";
import { crossEntropy } from "../../src/recipe/cross-entropy.js";
import { logitsName } from "../../src/recipe/network-outputs.js";
import { openSession } from "../../src/runtime/node.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";
import {
  type ExportedNetwork,
  exportedNetworks,
  readReference,
  refusalOf,
  testExport,
  uncomparedBecause,
  writeState,
} from "./exported-networks.js";
import { type Match, type Matching, matchParameters, permuted, relativeError } from "./match-parameters.js";

const tolerance = 1e-4;
/** Gradients this much smaller than the largest are rounding: a bias before batch normalisation has none. */
const negligible = 1e-6;

const networks = exportedNetworks();
const states = sharedTemporaryFolder();

describe("gradients", () => {
  it("has networks to look at", () => {
    expect(networks.length).toBeGreaterThan(100);
  });
  // skl2onnx writes labels beside the scores; what is compared here is the scores' own export.
  for (const network of networks.filter((n) => n.variant.exporter !== "skl2onnx" && refusalOf(n) === undefined)) {
    const reason = uncomparedBecause(network);
    if (reason === undefined) testExport("gradients", network, () => compare(network));
    else it.skip(`${network.name} (not compared: ${reason})`, () => compare(network));
  }
});

async function compare(exported: ExportedNetwork): Promise<void> {
  const reference = readReference(exported);
  // As the file has them: exporters fold, merge and rename, and PyTorch's own numbers are there both ways. What they have
  // stacked has other shapes, and is PyTorch's again.
  const isStacked = [...reference.keys()].some((key) => /^weights\/.*weight_ih_l\d/.test(key));
  const stateDict = join(states, `${exported.name}.safetensors`);
  if (isStacked) writeState(exported, stateDict);
  const { network } = await openModel(exported.path, isStacked ? { stateDict } : { keepNames: true });
  const parameters = new Map<string, Tensor>();
  for (const { name, role } of network.parameters.values())
    if (role !== "statistic") parameters.set(name, singlePrecision(network.tensors.get(name)!));
  const { prefix, matching } = bestMatching(parameters, reference);
  expect(matching.strange, "parameters of the network that the framework does not have").toEqual([]);
  // Exporters leave out biases that are all zero.
  const missing = matching.missing.filter((key) => numbersOf(reference.get(`${prefix}weights/${key}`)!).some(Boolean));
  expect(missing, "the framework's parameters that the network does not have").toEqual([]);

  const logits = await run(network, reference, "running");
  expect(relativeError(logits.logits, numbersOf(reference.get(`${prefix}logits`)!)), "logits").toBeLessThan(tolerance);
  const trained = await run(network, reference, "batch");
  expect(relativeError(trained.loss, numbersOf(reference.get(`${prefix}loss`)!)), "loss").toBeLessThan(tolerance);

  // Zeros that were merged may stand for biases that were left out, too, so that nothing says whose sum they are.
  const isComparable = ({ parameters: names, keys }: Match): boolean =>
    keys.length <= names.length || numbersOf(parameters.get(names[0])!).some(Boolean);
  const compared = matching.matches.filter(isComparable).map((match) => {
    const sum = (parts: number[][]): number[] =>
      parts[0].map((_, index) => parts.reduce((total, part) => total + part[index], 0));
    return {
      names: match.parameters.join(", "),
      found: sum(match.parameters.map((name) => trained.gradients.get(name)!)),
      expected: sum(
        match.keys.map(({ key, permutation }) => permuted(reference.get(`${prefix}gradients/${key}`)!, permutation)),
      ),
    };
  });
  const norm = (numbers: readonly number[]): number =>
    Math.sqrt(numbers.reduce((total, number) => total + number * number, 0));
  const largest = Math.max(...compared.map(({ expected }) => norm(expected)));
  const wrong = compared.flatMap(({ names, found, expected }) => {
    const error =
      norm(expected) < negligible * largest
        ? (norm(found) / (10 * negligible * largest)) * tolerance
        : relativeError(found, expected);
    return error < tolerance ? [] : [`${names}: ${error.toExponential(2)}`];
  });
  expect(wrong, "gradients that differ").toEqual([]);
}

/** The framework's parameters as they are, or with batch normalisation folded: whichever the network has. */
function bestMatching(
  parameters: ReadonlyMap<string, Tensor>,
  reference: ReadonlyMap<string, Tensor>,
): { prefix: string; matching: Matching } {
  const found = ["", "folded/"].flatMap((prefix) => {
    const slopes = `${prefix}gradients/`;
    const keys = [...reference.keys()].filter((key) => key.startsWith(slopes)).map((key) => key.slice(slopes.length));
    if (keys.length === 0) return [];
    const weights = new Map(keys.map((key) => [key, reference.get(`${prefix}weights/${key}`)!]));
    return [{ prefix, matching: matchParameters(parameters, weights) }];
  });
  const faults = ({ matching }: { matching: Matching }): number => matching.strange.length + matching.missing.length;
  return found.sort((a, b) => faults(a) - faults(b))[0];
}

/** Logits, mean cross-entropy and its gradients for the reference's batch. */
async function run(
  network: Network,
  reference: ReadonlyMap<string, Tensor>,
  normalization: "batch" | "running",
): Promise<{ logits: number[]; loss: number[]; gradients: Map<string, number[]> }> {
  const emit = new Emitter();
  const samples = reference.get("samples")!;
  const oneHot = reference.get("targets")!;
  const values = new Map<string, Value>();
  const instance = instantiate({
    emit,
    network,
    input: emit.input("samples", "float32", samples.shape),
    targets: [logitsName(network)],
    parameter: (name) => {
      const known = values.get(name);
      if (known) return known;
      const value = emit.input(name, "float32", network.parameters.get(name)!.shape);
      values.set(name, value);
      return value;
    },
    normalization,
  });
  const logits = instance.targets[0];
  const { loss } = crossEntropy(emit, logits, emit.input("targets", "float32", oneHot.shape));
  emit.output("result/logits", logits);
  emit.output("result/loss", loss);
  const trained = [...values].filter(([name]) => network.parameters.get(name)!.role !== "statistic");
  const slopes =
    normalization === "batch"
      ? gradients(
          emit,
          [{ value: loss }],
          trained.map(([, value]) => value),
        )
      : [];
  slopes.forEach((slope, index) => {
    if (slope) emit.output(`gradient/${trained[index][0]}`, slope);
  });
  const session = await openSession(emit.build("test"), { threads: 2 });
  try {
    const feeds: Record<string, Tensor> = { samples, targets: oneHot };
    for (const name of values.keys()) {
      // PyTorch's export in training mode runs the model, which moves its statistics.
      const statistic =
        network.parameters.get(name)!.role === "statistic" ? reference.get(`weights/${name}`) : undefined;
      feeds[name] = statistic ?? singlePrecision(network.tensors.get(name)!);
    }
    const found = await session.run(feeds);
    return {
      logits: numbersOf(found["result/logits"]),
      loss: numbersOf(found["result/loss"]),
      gradients: new Map(
        [...network.parameters.values()].map(({ name, shape }) => {
          const slope = found[`gradient/${name}`];
          return [name, slope ? numbersOf(slope) : new Array(shape.reduce((a, b) => a * b, 1)).fill(0)];
        }),
      ),
    };
  } finally {
    await session.release();
  }
}
