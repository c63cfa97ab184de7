import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { expect, test } from "vitest";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { openModel } from "../../src/library/open-model.js";
import { readModelFile } from "../../src/library/read-model-file.js";
import { openSession } from "../../src/runtime/node.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";
import { fixture } from "./keras-fixtures.js";

const folder = sharedTemporaryFolder();
const record = JSON.parse(readFileSync(fixture("keras-masking.json"), "utf8"));
const sample: number[] = record.input.flat(9);

async function outputOf(path: string): Promise<number[]> {
  const { network } = await openModel(path);
  const session = await openSession(network.graph, { threads: 1 });
  try {
    const outputs = await session.run({ [network.graph.inputs[0].name]: floatTensor(sample, [2, 6, 3]) });
    return numbersOf(outputs[network.graph.outputs[0].name]);
  } finally {
    await session.release();
  }
}

/** What a layer gives, as calls name it. */
const outputOfLayer = (name: string) => ({ class_name: "__keras_tensor__", config: { keras_history: [name, 0, 0] } });
const steps = outputOfLayer("steps");

interface Layer {
  class_name: string;
  name: string;
  config: Record<string, unknown>;
  inbound_nodes: { args: unknown[]; kwargs: Record<string, unknown> }[];
}

/** The path of the archive with its layers changed. */
function withLayers(name: string, change: (layerOf: (name: string) => Layer, layers: Layer[]) => void): string {
  const entries = unzipSync(new Uint8Array(readFileSync(fixture("keras-masking.keras"))));
  const config = JSON.parse(strFromU8(entries["config.json"]));
  const { layers }: { layers: Layer[] } = config.config;
  change((wanted) => layers.find((layer) => layer.name === wanted) as Layer, layers);
  const path = join(folder, `${name}.keras`);
  writeFileSync(path, zipSync({ ...entries, "config.json": strToU8(JSON.stringify(config)) }, { level: 0 }));
  return path;
}

test.each(["keras-masking.keras", "keras2-masking.h5"])("%s computes what Keras computes", async (file) => {
  const wanted = JSON.parse(readFileSync(fixture(file.replace(/\..*/, ".json")), "utf8"));
  expect(wanted.input.flat(9)).toEqual(sample);
  const got = await outputOf(fixture(file));
  expect(got).toHaveLength(6);
  got.forEach((number, index) => {
    expect(number).toBeCloseTo(wanted.output.flat(9)[index], 5);
  });
  const { model } = await readModelFile(fixture(file));
  expect(model.notes).toEqual([expect.stringMatching(/^masking \(Masking\).*--normalise none/)]);
});

test("other numbers are masked where the layer says so", async () => {
  const path = withLayers("other", (layerOf) => {
    layerOf("masking").config.mask_value = 0.25;
  });
  const [one] = await outputOf(path);
  expect(Math.abs(one - record.output[0][0])).toBeGreaterThan(1e-3);
});

test.each<[string, RegExp, Parameters<typeof withLayers>[1]]>([
  [
    "softmax",
    /layer first \(Softmax\): required no mask \(of Masking, .*mask_zero\) in front of it, got one\./,
    (layerOf) => {
      layerOf("first").class_name = "Softmax";
      layerOf("first").config.axis = -1;
    },
  ],
  [
    "some",
    /layer sum \(Add\): required no mask .* in front of it, got one in front of some of the inputs/,
    (layerOf) => {
      // A second Masking, behind the first.
      layerOf("first").class_name = "Masking";
      layerOf("sum").inbound_nodes[0].args = [["masking", "drop"].map(outputOfLayer)];
    },
  ],
  [
    "positions",
    /layer sum \(Concatenate\): required no mask .* in front of it, got one/,
    (layerOf) => {
      layerOf("sum").class_name = "Concatenate";
      layerOf("sum").config.axis = 1;
    },
  ],
  [
    "own",
    /layer both \(Bidirectional\): required a mask that Masking or mask_zero in front of it makes, got another one/,
    (layerOf) => {
      layerOf("both").inbound_nodes[0].args = [steps];
    },
  ],
  [
    "backwards",
    /layer rnn \(SimpleRNN\): required no go_backwards with return_sequences behind a mask/,
    (layerOf) => {
      layerOf("rnn").config.go_backwards = true;
    },
  ],
  [
    "film",
    /layer masking \(Masking\): required an input of 2 axes/,
    (layerOf) => {
      layerOf("steps").config.batch_shape = [null, 6, 3, 1];
    },
  ],
])("refuses what masks would do beyond that: %s", async (name, message, change) => {
  await expect(readModelFile(withLayers(name, change))).rejects.toThrow(message);
});
