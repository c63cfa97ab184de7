import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { NormalisationChoice } from "../../src/data/dataset.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { type InitializeEvent, initialize } from "../../src/library/initialize.js";
import { openModel } from "../../src/library/open-model.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { type ActivationStatistics, activationStatistics } from "../../src/training/probe.js";
import { barFile, folderWith, modelFile } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

/** A network that does this to its pictures before its first convolution. */
function withFront(front: (net: TestNetwork) => string): Uint8Array {
  const net = new TestNetwork();
  const hidden = net.node("Relu", [net.node("Conv", [front(net), net.weight("w", [6, 1, 3, 3])])]);
  const classes = net.node("Gemm", [net.node("Flatten", [hidden]), net.weight("h", [216, 2])]);
  return modelFile(net.graph([1, 8, 8], [classes]));
}

async function run(front: (net: TestNetwork) => string, normalise?: NormalisationChoice) {
  const path = folderWith({ "model.onnx": withFront(front), "bars.idx": barFile(60) });
  const notes: string[] = [];
  const result = await initialize({
    model: path("model.onnx"),
    data: path("bars.idx"),
    output: path("run"),
    steps: 4,
    batchSize: 16,
    threads: 1,
    ...(normalise === undefined ? {} : { normalise }),
    onEvent: (event: InitializeEvent) => event.type === "note" && notes.push(event.message),
  });
  const { normalisation } = JSON.parse(readFileSync(path("run/transform.json"), "utf8"));
  /** The first layer's pre-activations in the written model, on pictures read like that. */
  const spread = async (reading: NormalisationChoice) => {
    const { network } = await openModel(path("run/model.onnx"));
    const dataset = await openDataset(path("bars.idx"), { shape: [1, 8, 8], layout: "NCHW", normalise: reading });
    const weights = initialWeights(network, "file", 0);
    const [layer] = await activationStatistics(featureExtractor(network), weights, dataset, 0, { threads: 1 });
    return layer;
  };
  return { result, notes: notes.join("\n"), normalisation, spread };
}

/** What the written network makes of the pictures is what the run has measured, whose deviations are near one. */
function alike({ mean, standardDeviation, ...others }: ActivationStatistics) {
  expect(Math.abs(Math.log(standardDeviation))).toBeLessThan(0.7);
  return { ...others, mean: expect.closeTo(mean, 4), standardDeviation: expect.closeTo(standardDeviation, 4) };
}

test("weights fit the pictures as they are stored, where the network divides them by 255 itself", async () => {
  const { result, notes, normalisation, spread } = await run((net) => net.node("Div", ["x", net.number(255)]));
  expect(notes).toContain(
    "the network scales its samples itself, to about 0.00392 x + 0.00, so it is given samples as",
  );
  expect(normalisation).toMatchObject({ name: "none", scale: [1], offset: [0] });
  expect(result.run.data.taken).toBe("none");
  expect(await spread("none")).toEqual(alike(result.after.activations[0]));
});

test("and pictures from 0 to 1, where it takes a half away and divides by a quarter", async () => {
  const { result, normalisation, spread } = await run((net) =>
    net.node("Div", [net.node("Sub", ["x", net.number(0.5)]), net.number(0.25)]),
  );
  expect(normalisation).toMatchObject({ name: "unit", scale: [expect.closeTo(1 / 255, 8)] });
  expect(await spread("unit")).toEqual(alike(result.after.activations[0]));
});

test("what is asked for is done, and what follows from it said", async () => {
  const { result, notes, normalisation, spread } = await run(
    (net) => net.node("Div", ["x", net.number(255)]),
    "standard",
  );
  expect(notes).toContain("after the normalisation that was asked for");
  expect(normalisation.name).toBe("standard");
  expect(result.run.data).not.toHaveProperty("taken");
  expect(await spread("standard")).toEqual(alike(result.after.activations[0]));
});
