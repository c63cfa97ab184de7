/** Keras' own files: read, run, trained and loaded back by Keras itself. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { floatTensor, numbersOf, sizeOf, type Tensor } from "../../src/graph/tensor.js";
import { initialize } from "../../src/library/initialize.js";
import { loadingLines } from "../../src/library/loading-lines.js";
import { openModel } from "../../src/library/open-model.js";
import { readModelFile } from "../../src/library/read-model-file.js";
import { verify } from "../../src/library/verify.js";
import { RandomStream } from "../../src/random/stream.js";
import { openSession } from "../../src/runtime/node.js";
import { npyFile } from "../data/array-files.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

/** As keras_models.py has them. */
const names = [
  "mlp",
  "lenet",
  "resnet",
  "mobile",
  "decoder",
  "series",
  "normalised",
  "arithmetic",
  "grouped",
  "volume",
  "recurrent",
  "gated",
  "directions",
  "merged",
  "attending",
  "looking",
  "swelling",
  "watching",
  "structured",
  "activated",
  "functions",
  "operations",
  "counted",
  "spread",
  "resized",
  "surveying",
  "leading",
  "padded",
  "reading",
  "phrases",
];
/** How many tokens those take that take tokens. */
const vocabularies: Readonly<Record<string, number>> = { reading: 11, phrases: 11 };
/** Keras cannot load its HDF5 files of these as whole models. */
const notWhole = [
  "arithmetic",
  "attending",
  "looking",
  "functions",
  "operations",
  "counted",
  "spread",
  "padded",
  "phrases",
];
const files = names.flatMap((name) => ["keras", "h5"].map((extension) => ({ name, extension })));
/** Those that take a short run. */
const documentedModels = ["mlp", "resnet", "recurrent", "directions", "attending", "reading", "phrases"];
const script = resolve("test", "interop", "keras_models.py");
const folder = sharedTemporaryFolder();

interface KerasRecord {
  readonly input: unknown[];
  readonly outputs: readonly unknown[][];
  readonly weights: Readonly<Record<string, unknown[]>>;
}

interface Request {
  readonly make: string;
  readonly lines: readonly string[];
  readonly folder: string;
  readonly input: unknown;
}

function python(...words: string[]): string {
  const command = inject("python");
  const ran = spawnSync(command.includes("/") ? resolve(command) : command, [script, ...words], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (ran.status !== 0) throw new Error(`keras_models.py: ${ran.error?.message ?? ran.stderr.slice(-3000)}`);
  return ran.stdout;
}

/** What Keras computes after each request, in one process. */
function kerasOutputs(requests: readonly Request[]): number[][][] {
  const path = join(folder, "requests.json");
  writeFileSync(path, JSON.stringify(requests));
  const lines = python("--run", path).split("\n");
  return lines
    .filter((line) => line.startsWith("OUTPUTS "))
    .map((line) => (JSON.parse(line.slice(8)) as unknown[][]).map((output) => output.flat(9) as number[]));
}

function recordOf(name: string): KerasRecord {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as KerasRecord;
}

function shapeOf(nested: unknown): number[] {
  return Array.isArray(nested) ? [nested.length, ...shapeOf(nested[0])] : [];
}

/** What ONNX Runtime computes with our graph of a file. */
async function ourOutputs(path: string, input: unknown[]): Promise<number[][]> {
  const { model } = await readModelFile(path);
  const isPlain = model.graph.nodes.every(({ domain }) => domain === "");
  const graph = isPlain ? model.graph : (await openModel(path)).network.graph;
  const session = await openSession(graph, { threads: 1 });
  try {
    const [{ name, type }] = graph.inputs;
    const [numbers, shape] = [input.flat(9) as number[], shapeOf(input)];
    const sample: Tensor =
      type === "int32" ? { type, shape, data: Int32Array.from(numbers) } : floatTensor(numbers, shape);
    const outputs = await session.run({ [name]: sample });
    return graph.outputs.map(({ name }) => numbersOf(outputs[name]));
  } finally {
    await session.release();
  }
}

function requireClose(got: readonly (readonly number[])[], wanted: readonly (readonly number[])[]): void {
  expect(got.map((output) => output.length)).toEqual(wanted.map((output) => output.length));
  got.forEach((output, index) => {
    const scale = Math.hypot(...wanted[index]) || 1;
    expect(Math.hypot(...output.map((number, place) => number - wanted[index][place])) / scale).toBeLessThan(1e-4);
  });
}

beforeAll(() => {
  python(folder);
}, 300_000);

describe("read", () => {
  test.each(files)("$name as $extension", async ({ name, extension }) => {
    const { input, outputs, weights } = recordOf(name);
    const path = join(folder, `${name}.${extension}`);
    requireClose(
      await ourOutputs(path, input),
      outputs.map((output) => output.flat(9) as number[]),
    );
    const { model } = await readModelFile(path);
    for (const [variable, values] of Object.entries(weights)) {
      // A Sequential model puts its own name before those of its layers.
      const known = [variable, variable.slice(variable.indexOf("/") + 1)].find((found) =>
        model.graph.initializers.has(found),
      );
      if (known === undefined) continue;
      const tensor = model.graph.initializers.get(known);
      if (!tensor) throw new Error("unreachable");
      const stored = model.asStored(known, tensor);
      if (stored.shape.join() === shapeOf(values).join()) expect(numbersOf(stored)).toEqual([values].flat(9));
    }
  });
});

test.each([
  ["filming", "ConvLSTM2D", "memory"],
  ["masked", "MultiHeadAttention", "look.*attention_mask"],
  ["doubled", "wide/kernel", "float64.*dtype policy float32"],
  ["looking_up", "Embedding", "words.*one of the model's inputs"],
  ["halved", "narrow/kernel", "bfloat16.*dtype policy float32"],
])("refuses %s and names the layer", async (name, kind, layer) => {
  const path = join(folder, `${name}.keras`);
  await expect(readModelFile(path)).rejects.toThrow(new RegExp(`(?=.*${kind})(?=.*${layer})`));
});

test("Keras loads what was written, whatever the layout of a weight", async () => {
  const requests: Request[] = [];
  const ours: number[][][] = [];
  for (const { name, extension } of files) {
    const { input } = recordOf(name);
    const path = join(folder, `${name}.${extension}`);
    const { model } = await readModelFile(path);
    const stream = new RandomStream(0, `keras ${name}`);
    const variables = [...model.graph.initializers].filter(
      ([variable, tensor]) =>
        tensor.type === "float32" &&
        tensor.shape.length > 0 &&
        /(kernel|embeddings|bias|gamma|beta|alpha|moving_\w+|(attention|rms)\w*\/scale)$/.test(variable),
    );
    const replacements = new Map(
      variables.map(([variable, tensor]) => [
        variable,
        floatTensor(
          Float32Array.from({ length: sizeOf(tensor.shape) }, () => Math.abs(stream.normal()) * 0.3 + 0.1),
          tensor.shape,
        ),
      ]),
    );
    const written = join(folder, `${name}-${extension}-written`);
    mkdirSync(written);
    const [[file, bytes]] = await model.write(replacements);
    writeFileSync(join(written, file), bytes);
    expect(await verify({ weights: join(written, file), model: path })).toMatchObject({ mismatches: 0 });
    const outputs = await ourOutputs(join(written, file), input);
    const { format, producer, loadingLimits: limits = {} } = model;
    expect(limits.notWhole !== undefined).toBe(extension === "h5" && notWhole.includes(name));
    const loading = loadingLines(written, { model: file, format, producer, limits });
    expect(loading).toHaveLength(limits.notWhole === undefined ? 2 : 1);
    for (const { lines } of loading) {
      requests.push({ make: name, lines, folder: written, input });
      ours.push(outputs);
    }
  }
  const theirs = kerasOutputs(requests);
  expect(theirs).toHaveLength(requests.length);
  theirs.forEach((outputs, index) => {
    requireClose(ours[index], outputs);
  });
}, 300_000);

test("the printed lines and those of docs/python.md load a run's weights", async () => {
  const requests: Request[] = [];
  const ours: number[][][] = [];
  const documentedFiles = files.filter(
    ({ name, extension }) => documentedModels.includes(name) && (extension === "keras" || !notWhole.includes(name)),
  );
  for (const { name, extension } of documentedFiles) {
    const { input } = recordOf(name);
    const shape = [32, ...shapeOf(input).slice(1)];
    const stream = new RandomStream(0, "keras data");
    const vocabulary = vocabularies[name];
    const data = join(folder, `${name}.npy`);
    writeFileSync(
      data,
      npyFile(
        "<f4",
        shape,
        Float32Array.from({ length: sizeOf(shape) }, () =>
          vocabulary === undefined ? stream.normal() : Math.floor(stream.uniform() * vocabulary),
        ),
      ),
    );
    const model = join(folder, `${name}.${extension}`);
    const output = join(folder, `${name}-${extension}-run`);
    const result = await initialize({ model, data, output, steps: 2, batchSize: 8, threads: 2 });
    const checked = await verify({ weights: result.weightsFile, model });
    expect(checked).toMatchObject({ mismatches: 0, notes: [] });
    expect(checked.tensors.filter(({ verdict }) => verdict === "changed").length).toBeGreaterThan(3);
    const outputs = await ourOutputs(result.modelFile, input);
    for (const { lines } of result.loading) {
      requests.push({ make: name, lines, folder, input });
      ours.push(outputs);
    }
    // The head stays as it is in a model that takes F's weights alone, so load the user's file first.
    const [start] = documented("## Keras 3").filter((lines) => lines.some((line) => line.includes("safetensors")));
    requests.push({
      make: name,
      lines: ["import keras", `model = keras.saving.load_model(${JSON.stringify(model)})`, ...start],
      folder: output,
      input,
    });
    ours.push(outputs);
    if (extension === "h5") continue;
    for (const lines of documented("## Keras 3").filter((block) =>
      block.some((line) => line.includes("model.keras")),
    )) {
      requests.push({ make: name, lines, folder: output, input });
      ours.push(outputs);
    }
  }
  const theirs = kerasOutputs(requests);
  expect(theirs).toHaveLength(requests.length);
  const archives = documentedFiles.filter(({ extension }) => extension === "keras");
  expect(requests).toHaveLength(documentedFiles.length * 3 + archives.length * 2);
  theirs.forEach((outputs, index) => {
    requireClose(ours[index], outputs);
  });
}, 300_000);

/** The blocks of Python under a heading of docs/python.md. */
function documented(heading: string): string[][] {
  const text = readFileSync(join("docs", "python.md"), "utf8");
  const section = text.slice(text.indexOf(heading)).split("\n## ")[0];
  return [...section.matchAll(/```python\n(.*?)```/gs)].map(([, block]) => block.trim().split("\n"));
}
