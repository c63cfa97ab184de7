/** `init` on every exported network, and its weights back in the framework that the network came from. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { numbersOf, sizeOf, type Tensor } from "../../src/graph/tensor.js";
import { initialize } from "../../src/library/initialize.js";
import { inspect } from "../../src/library/inspect.js";
import { openModel } from "../../src/library/open-model.js";
import { verify } from "../../src/library/verify.js";
import { singlePrecision } from "../../src/ops/instantiate.js";
import { RandomStream } from "../../src/random/stream.js";
import { supervisedFeedNames } from "../../src/recipe/feed-names.js";
import { lookingGraph } from "../../src/recipe/looking-graph.js";
import { logitsName } from "../../src/recipe/network-outputs.js";
import { openSession } from "../../src/runtime/node.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";
import {
  type ExportedNetwork,
  exportedNetworks,
  isKnownFailure,
  readReference,
  refusalOf,
  testExport,
  writeState,
} from "./exported-networks.js";

/** What check_weights.py says of a run. */
interface Loaded {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly shapes: readonly string[];
  /** Relative difference of PyTorch's outputs and ours. */
  readonly difference: number | null;
  /** Relative difference of PyTorch's outputs and those of ONNX Runtime on the written model. */
  readonly runtime?: number;
  readonly error?: string;
}

const tolerance = 1e-4;
const sampleCount = 48;
/** Networks of full size take a minute each: one export of each will do. */
const large = { "torchvision-resnet18": "torchscript-training", "torchvision-shufflenet": "dynamo-plain" };
const all = exportedNetworks();
const refused = all.filter((network) => refusalOf(network) !== undefined);
const networks = all
  .filter((network) => refusalOf(network) === undefined)
  .filter(({ model, variant }) => !(model in large) || large[model as keyof typeof large] === variant.name);
const runs = sharedTemporaryFolder();

describe("init", () => {
  for (const network of networks) testExport("init", network, () => train(network));
});

describe("init refuses", () => {
  it("what it is said to", () => {
    expect(refused.length).toBeGreaterThan(5);
  });
  it.each(refused)("$name", async (network) => {
    const output = join(runs, `${network.name}-refused`);
    const { sampleShape } = (await openModel(network.path)).network;
    writeFileSync(join(runs, "refused.npy"), randomSamples(sampleShape));
    const settings = { model: network.path, data: join(runs, "refused.npy"), output, steps: 1 };
    await expect(initialize(settings)).rejects.toThrow(refusalOf(network));
    expect(existsSync(output)).toBe(false);
  });
});

describe("weights back in PyTorch", () => {
  let loaded: Record<string, Loaded> = {};
  beforeAll(() => {
    const script = join("test", "interop", "check_weights.py");
    const ran = spawnSync(inject("python"), [script, inject("zoo"), runs], { encoding: "utf8", maxBuffer: 2 ** 28 });
    if (ran.status !== 0) throw new Error(`check_weights.py failed: ${ran.stderr?.slice(-4000)}`);
    loaded = JSON.parse(ran.stdout) as Record<string, Loaded>;
  });
  const torch = networks.filter(
    (network) => /^(dynamo|torchscript)$/.test(network.variant.exporter) && !isKnownFailure("init", network),
  );
  for (const network of torch)
    testExport("weights", network, async () => {
      const found = loaded[network.name];
      expect(found, "init wrote no weights").toBeDefined();
      expect(problemsOf(network, found)).toEqual([]);
    });
});

/**
 * The exports whose weights cannot be found without the framework's own tensors: normalisation folded and recurrent layers'
 * matrices stacked by the TorchScript exporter, which leave no trace, and what the dynamo exporter has computed of a token or of positions.
 */
function needsState({ name, variant, state }: ExportedNetwork): boolean {
  // The latter has vectors of positions, which the exporter has looked up beforehand.
  if (/^vit.*\.dynamo-18-one$|^reading\.dynamo$/.test(name)) return true;
  const hasFolds =
    Object.keys(state).some((key) => key.endsWith("running_mean")) && !/^(table|grouped|shared|repeated)\./.test(name);
  // A linear layer without bias, in a network that calls a module twice: scopes are no paths there.
  if (name === "shared.torchscript-fresh") return true;
  const hasStacks = Object.keys(state).some((key) => /weight_ih_l\d/.test(key));
  return variant.exporter === "torchscript" && variant.mode === "inference" && (hasFolds || hasStacks);
}

function problemsOf(network: ExportedNetwork, found: Loaded): string[] {
  if (found.error) return [found.error];
  const missing = found.missing.filter(
    (key) => !network.head.includes(key) && !/(num_batches_tracked|relative_position_index|fixed_positions)$/.test(key),
  );
  const far = (difference: number | null | undefined): boolean => difference != null && !(difference < tolerance);
  return [
    ...missing.map((key) => `missing: ${key}`),
    ...found.unexpected.map((key) => `unexpected: ${key}`),
    ...found.shapes.map((key) => `another shape: ${key}`),
    ...(far(found.difference) ? [`outputs differ by ${found.difference}`] : []),
    ...(far(found.runtime) ? [`outputs of the written model differ by ${found.runtime}`] : []),
  ];
}

/** Three steps of `init` on random samples, then the outputs of the written model. */
async function train(network: ExportedNetwork): Promise<void> {
  const seen = await inspect({ model: network.path });
  expect(seen.unsupported).toEqual([]);
  expect(seen.features?.shape.length).toBeGreaterThan(0);

  const output = join(runs, network.name);
  mkdirSync(output);
  const data = join(runs, "samples.npy");
  const { vocabulary } = (await openModel(network.path)).network;
  writeFileSync(data, randomSamples(seen.input.shape, vocabulary));
  const reference = readReference(network);
  const settings = { model: network.path, data, output, steps: 3, batchSize: 8, threads: 2 };
  const isTorch = /^(dynamo|torchscript)$/.test(network.variant.exporter);
  if (isTorch) expect(seen.warnings.length > 0, seen.warnings.join("; ")).toBe(needsState(network));
  const stateDict = join(runs, `${network.name}.state.safetensors`);
  if (isTorch && needsState(network)) {
    await expect(initialize(settings)).rejects.toThrow(/would not take.*optimize=False.*--state-dict.*--keep-names/);
    expect(readdirSync(output)).toEqual([]);
    writeState(network, stateDict);
    expect((await inspect({ model: network.path, stateDict })).warnings).toEqual([]);
  }
  const naming = isTorch && needsState(network) ? { stateDict } : {};
  const result = await initialize({ ...settings, ...naming });
  for (const weights of [result.weightsFile, result.modelFile]) {
    const verified = await verify({ weights, model: network.path, ...naming });
    expect(verified.tensors.filter(({ verdict }) => !["changed", "same", "head", "kept"].includes(verdict))).toEqual(
      [],
    );
    expect(verified.tensors.some(({ verdict }) => verdict === "changed")).toBe(true);
  }
  expect([...result.weights.values()].every((weights) => weights.every(Number.isFinite))).toBe(true);
  expect(Object.keys(result.finalMetrics).length).toBeGreaterThan(0);

  const written = await openModel(result.modelFile);
  if (written.network.graph.outputs.length > 1) return;
  const target = logitsName(written.network);
  const graph = lookingGraph(written.network, [target], reference.get("samples")!.shape[0]);
  const feeds: Record<string, Tensor> = { [supervisedFeedNames.samples]: reference.get("samples")! };
  for (const { name } of graph.inputs)
    if (!(name in feeds)) feeds[name] = singlePrecision(written.network.tensors.get(name)!);
  const session = await openSession(graph, { threads: 2 });
  try {
    const logits = numbersOf((await session.run(feeds))[`value/${target}`]);
    writeFileSync(join(output, "logits.json"), JSON.stringify(logits));
  } finally {
    await session.release();
  }
}

/** Normal numbers, or tokens, as an NPY file, version 1.0. */
function randomSamples(shape: readonly number[], vocabulary?: number): Uint8Array {
  const stream = new RandomStream(0, `samples ${shape.join("x")}`);
  const numbers = Float32Array.from({ length: sampleCount * sizeOf(shape) }, () =>
    vocabulary === undefined ? stream.normal() : Math.floor(stream.uniform() * vocabulary),
  );
  const described = `{'descr': '<f4', 'fortran_order': False, 'shape': (${[sampleCount, ...shape].join(", ")}), }`;
  const header = `${described.padEnd(128 - 10 - 1)}\n`;
  return Buffer.concat([
    Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length, 0]),
    Buffer.from(header),
    Buffer.from(numbers.buffer),
  ]);
}
