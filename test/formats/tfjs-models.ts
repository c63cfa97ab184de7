/** What the tests of TensorFlow.js' files share: models as the files that it writes, and their way back. */
import * as tf from "@tensorflow/tfjs-core";
import { type LayersModel, loadLayersModel } from "@tensorflow/tfjs-layers";
import { expect } from "vitest";
import { UserError } from "../../src/errors.js";
import type { ModelFile } from "../../src/formats/model-file.js";
import { readTfjs } from "../../src/formats/tfjs.js";
import { RandomStream } from "../../src/random/stream.js";

/** The model's name in messages. */
export const where = "model.json";

const stream = new RandomStream(0, "tfjs models");

/** Saves a model as the files that TensorFlow.js would write, its weights in two parts. */
export async function save(model: LayersModel): Promise<Map<string, Uint8Array>> {
  const saved = new Map<string, Uint8Array>();
  await model.save({
    async save(artifacts) {
      const { modelTopology, weightSpecs: weights, format, generatedBy } = artifacts;
      const data = new Uint8Array(artifacts.weightData as ArrayBuffer);
      const paths = ["group1-shard1of2.bin", "group1-shard2of2.bin"];
      const content = { format, generatedBy, convertedBy: null, modelTopology, weightsManifest: [{ paths, weights }] };
      saved.set("model.json", new TextEncoder().encode(JSON.stringify(content)));
      saved.set(paths[0], data.subarray(0, 501));
      saved.set(paths[1], data.subarray(501));
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    },
  });
  return saved;
}

/** Loads such files into TensorFlow.js. */
export async function load(saved: ReadonlyMap<string, Uint8Array>): Promise<LayersModel> {
  const { modelTopology, weightsManifest } = JSON.parse(new TextDecoder().decode(saved.get("model.json")));
  const parts = weightsManifest[0].paths.map((path: string) => saved.get(path) as Uint8Array);
  const weightData = new Uint8Array(Buffer.concat(parts)).buffer;
  return loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs: weightsManifest[0].weights, weightData }));
}

/** What headstart reads of such files. */
export function read(from: ReadonlyMap<string, Uint8Array>): ModelFile {
  return readTfjs(from.get("model.json") as Uint8Array, {
    where,
    external: (name) => {
      const bytes = from.get(name);
      if (!bytes) throw new UserError(`${name}: nothing there`);
      return bytes;
    },
  });
}

/** Requires the same numbers, to four places. */
export function requireClose(got: readonly number[], wanted: readonly number[]): void {
  expect(got).toHaveLength(wanted.length);
  got.forEach((number, index) => {
    expect(number).toBeCloseTo(wanted[index], 4);
  });
}

/** The same model with weights that are neither zero nor one. */
export function randomised(model: LayersModel): LayersModel {
  model.setWeights(
    model.weights.map((weight) => {
      const size = weight.shape.reduce<number>((product, length) => product * (length ?? 1), 1);
      const draw = (): number => (weight.name.includes("variance") ? stream.uniform() + 0.5 : stream.normal() / 3);
      return tf.tensor(Float32Array.from({ length: size }, draw), weight.shape as number[]);
    }),
  );
  return model;
}
