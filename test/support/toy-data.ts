/** Small learnable data and networks for tests of training. */
import { join } from "node:path";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import type { Graph } from "../../src/graph/graph.js";
import { pinnedOpset } from "../../src/graph/opset.js";
import { analyzeNetwork, type Network } from "../../src/ops/network.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { RandomStream } from "../../src/random/stream.js";
import { type ClassifierOptions, newClassifier, newNetworkOpset } from "../../src/recipe/new-network.js";
import { idxFile, npyFile } from "../data/array-files.js";
import { temporaryFolder } from "./temporary-folder.js";

/** Grey pictures of a bright bar, lying or standing by class, at a random place. Values from 0 to 255, labels 0 and 1. */
export function barPictures(count: number, side = 8, seed = 0): { pixels: Uint8Array; labels: Uint8Array } {
  const stream = new RandomStream(seed, "bars");
  const pixels = new Uint8Array(count * side * side);
  const labels = new Uint8Array(count);
  for (let sample = 0; sample < count; sample++) {
    labels[sample] = stream.below(2);
    const place = stream.below(side);
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++)
        pixels[(sample * side + y) * side + x] =
          ((labels[sample] === 0 ? y : x) === place ? 200 : 20) + stream.below(20);
  }
  return { pixels, labels };
}

/** The same as a data set of [1, side, side] with labels, normalised to mean 0 and deviation 1. */
export function barDataset(count: number, side = 8, seed = 0) {
  const { pixels, labels } = barPictures(count, side, seed);
  return memoryDataset(Float32Array.from(pixels), [1, side, side], labels, { normalise: "standard" });
}

/** The same as an IDX file of [count, side, side]. */
export function barFile(count: number, side = 8): Uint8Array {
  return idxFile(8, [count, side, side], barPictures(count, side).pixels);
}

/** Vectors on a curved surface of two dimensions: what an autoencoder can learn. */
export function curvedVectors(count: number, size: number, seed = 0): Float32Array {
  const stream = new RandomStream(seed, "curve");
  const data = new Float32Array(count * size);
  for (let sample = 0; sample < count; sample++) {
    const [a, b] = [stream.normal(), stream.normal()];
    for (let column = 0; column < size; column++)
      data[sample * size + column] = Math.sin(a + column / 2) + 0.5 * b * Math.cos(column);
  }
  return data;
}

/** An NPY file of float32 samples. */
export function vectorFile(count: number, shape: readonly number[]): Uint8Array {
  const size = shape.reduce((a, b) => a * b, 1);
  return npyFile("<f4", [count, ...shape], curvedVectors(count, size));
}

/** A data set in memory for networks with this sample shape, normalised to mean 0 and deviation 1. */
export function toyDataset(shape: readonly number[], count = 64) {
  const size = shape.reduce((a, b) => a * b, 1);
  const labels = Uint8Array.from({ length: count }, (_, index) => index % 2);
  return memoryDataset(curvedVectors(count, size), shape, labels, { normalise: "standard" });
}

/**
 * Texts of eight tokens of 0 to 15, 0 being padding at the end: those of class 0 have tokens of 1 to 7, those of class 1 of 8 to
 * 14, and all now and then 15.
 */
export function toyTexts(count: number, seed = 0): { tokens: Float32Array; labels: Uint8Array } {
  const stream = new RandomStream(seed, "texts");
  const length = 8;
  const tokens = new Float32Array(count * length);
  const labels = Uint8Array.from({ length: count }, () => stream.below(2));
  labels.forEach((label, text) => {
    const words = 3 + stream.below(length - 2);
    for (let place = 0; place < words; place++)
      tokens[text * length + place] = stream.below(6) === 0 ? 15 : 1 + label * 7 + stream.below(7);
  });
  return { tokens, labels };
}

/** The same as a data set. */
export function textDataset(count = 64, seed = 0) {
  const { tokens, labels } = toyTexts(count, seed);
  return memoryDataset(tokens, [8], labels);
}

/** A fresh classifier as a network. */
export function toyNetwork(options: ClassifierOptions): Network {
  return analyzeNetwork(upgradeGraph(newClassifier({ classes: 2, ...options }), newNetworkOpset), {
    where: "model.onnx",
  });
}

/** A graph of the pinned operator set as the bytes of a model file. */
export function modelFile(graph: Graph): Uint8Array {
  return serializeGraph(graph, pinnedOpset);
}

/** A fresh classifier as the bytes of a model file. */
export function toyModel(options: ClassifierOptions): Uint8Array {
  return serializeGraph(newClassifier({ classes: 2, ...options }), newNetworkOpset);
}

/** A folder with these files, removed when the test is over; gives a function from names to paths. */
export function folderWith(files: Readonly<Record<string, string | Uint8Array>>): (name: string) => string {
  const folder = temporaryFolder(files);
  return (name) => join(folder, name);
}
