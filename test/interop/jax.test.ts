/** JAX's networks: exported, initialised, and loaded back by the lines that docs/python.md gives. */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { type InitializeResult, initialize } from "../../src/library/initialize.js";
import { inspect } from "../../src/library/inspect.js";
import { readModelFile } from "../../src/library/read-model-file.js";
import { verify } from "../../src/library/verify.js";
import { openSession } from "../../src/runtime/node.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

/** As jax_models.py has them, with the number of tensors in F and in the head. */
const networks = [
  { name: "nnx-pictures", features: 9, head: 2 },
  { name: "nnx-series", features: 12, head: 2 },
  { name: "nnx-scan", features: 3, head: 2 },
  { name: "linen-residual", features: 17, head: 2 },
  { name: "linen-attention", features: 19, head: 2 },
  { name: "equinox-pictures", features: 8, head: 2 },
  { name: "equinox-series", features: 4, head: 2 },
];
const folder = sharedTemporaryFolder();
const results = new Map<string, InitializeResult>();

interface LoadedNetwork {
  readonly name: string;
  readonly input: unknown[];
  /** What JAX computes of the input with its own weights, and with those that headstart wrote. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly changed: number;
  readonly same: number;
  readonly losses: readonly number[];
}

function python(...words: string[]): string {
  const command = inject("python");
  const script = join("test", "interop", "jax_models.py");
  const ran = spawnSync(
    command.includes("/") ? resolve(command) : command,
    [script, join("docs", "python.md"), folder, ...words],
    { encoding: "utf8", maxBuffer: 2 ** 28 },
  );
  if (ran.status !== 0) throw new Error(`jax_models.py: ${ran.error?.message ?? ran.stderr.slice(-3000)}`);
  return ran.stdout;
}

/** What ONNX Runtime computes with a model that headstart wrote. */
async function outputOf(path: string, input: unknown[]): Promise<number[]> {
  const { graph } = (await readModelFile(path)).model;
  const session = await openSession(graph, { threads: 1 });
  try {
    const shape: number[] = [];
    for (let part: unknown = input; Array.isArray(part); part = part[0]) shape.push(part.length);
    const outputs = await session.run({ x: floatTensor(input.flat(9) as number[], shape) });
    return numbersOf(outputs[graph.outputs[0].name]);
  } finally {
    await session.release();
  }
}

function distance(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return Math.hypot(...a.map((number, place) => number - b[place])) / Math.hypot(...b);
}

beforeAll(() => {
  python();
});

test.each(networks)("$name gets weights under its own names", async ({ name, features }) => {
  const model = join(folder, `${name}.onnx`);
  expect((await inspect({ model })).warnings).toEqual([]);
  const data = join(folder, `${name}.npy`);
  const settings = { steps: 2, batchSize: 8, threads: 2 };
  const result = await initialize({ model, data, output: join(folder, `${name}-run`), ...settings });
  results.set(name, result);
  expect(result.loading[0].framework).toMatch(/^JAX/);
  const { mismatches, tensors } = await verify({ weights: result.weightsFile, model });
  expect(mismatches).toBe(0);
  expect(tensors.filter(({ verdict }) => verdict === "changed")).toHaveLength(features);
});

describe("loaded", () => {
  const loaded = new Map<string, LoadedNetwork>();

  beforeAll(() => {
    for (const line of python("--load").split("\n")) {
      if (!line.startsWith("LOADED ")) continue;
      const network = JSON.parse(line.slice("LOADED ".length)) as LoadedNetwork;
      loaded.set(network.name, network);
    }
  });

  test.each(networks)("$name computes in JAX what headstart wrote, and trains from there", async (expected) => {
    const { name, features, head } = expected;
    const [network, result] = [loaded.get(name)!, results.get(name)!];
    expect(network).toMatchObject({ changed: features, same: head });
    expect(distance(network.after, await outputOf(result.modelFile, network.input))).toBeLessThan(1e-4);
    expect(distance(network.after, network.before)).toBeGreaterThan(0.05);
    expect(network.losses.at(-1)).toBeLessThan(network.losses[0]);
  });
});

test("an export that has lost the names is refused", async () => {
  const options = { model: join(folder, "plain.onnx"), data: join(folder, "nnx-pictures.npy") };
  await expect(initialize({ ...options, output: join(folder, "plain") })).rejects.toThrow(
    /names that they have in JAX/,
  );
});
