import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type CompareEvent, compare } from "../../src/library/compare.js";
import type { TrialRecord } from "../../src/study/records.js";
import { idxFile } from "../data/array-files.js";
import { barPictures, folderWith, modelFile } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

/** A network with channels last, as Keras has them, that does this to its pictures before its first convolution. */
function withFront(front: (net: TestNetwork) => string): Uint8Array {
  const net = new TestNetwork();
  const pictures = net.node("Transpose", [front(net)], { perm: [0, 3, 1, 2] });
  const hidden = net.node("Relu", [
    net.node("Conv", [pictures, net.weight("w", [6, 1, 3, 3]), net.filled("b", [6], 0)]),
  ]);
  const classes = net.node("Gemm", [net.node("Flatten", [hidden]), net.weight("h", [216, 2])]);
  return modelFile(net.graph([8, 8, 1], [classes]));
}

function parts(count: number, seed: number): { pictures: Uint8Array; labels: Uint8Array } {
  const { pixels, labels } = barPictures(count, 8, seed);
  return { pictures: idxFile(8, [count, 8, 8], pixels), labels: idxFile(8, [count], labels) };
}

test("a study gives a network that scales pictures itself what it scales, and standardised ones to all beside it", async () => {
  const [train, held] = [parts(80, 0), parts(60, 1)];
  const path = folderWith({
    "own.onnx": withFront((net) => net.node("Div", ["x", net.number(255)])),
    "plain.onnx": withFront(() => "x"),
    "train-images.idx3-ubyte": train.pictures,
    "train-labels.idx1-ubyte": train.labels,
    "test-images.idx3-ubyte": held.pictures,
    "test-labels.idx1-ubyte": held.labels,
  });
  const losses = async (name: string, normalise?: "standard" | "unit") => {
    const notes: string[] = [];
    const output = path(`${name}-${normalise}-study`);
    await compare({
      model: path(`${name}.onnx`),
      data: path("train-images.idx3-ubyte"),
      test: path("test-images.idx3-ubyte"),
      output,
      arms: ["he", "autoencoder"],
      steps: 5,
      seeds: 1,
      pretrainingEpochs: 1,
      workers: 1,
      duplicates: "drop",
      ...(normalise === undefined ? {} : { normalise }),
      onEvent: (event: CompareEvent) => event.type === "note" && notes.push(event.message),
    });
    const lines = readFileSync(join(output, "trials.jsonl"), "utf8").trim().split("\n");
    const trials = lines.map((line) => JSON.parse(line) as TrialRecord);
    const [random] = trials.filter(({ arm }) => arm === "he");
    return { notes: notes.join("\n"), ofRandom: random.points[0].testLoss ?? Number.NaN };
  };
  const [own, scaled] = [await losses("own"), await losses("plain", "unit")];
  expect(own.notes).toContain("the network scales its samples itself");
  expect(scaled.notes).not.toContain("scales its samples");
  // The same weights on the same values from 0 to 1.
  expect(own.ofRandom).toBeCloseTo(scaled.ofRandom, 4);
  const asked = await losses("own", "standard");
  expect(asked.notes).toContain("after the normalisation that was asked for");
  expect(Math.abs(asked.ofRandom - own.ofRandom)).toBeGreaterThan(1e-3);
});
