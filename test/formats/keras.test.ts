import { readFileSync } from "node:fs";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { readKeras, readKerasHdf5 } from "../../src/formats/keras.js";
import type { ModelFile } from "../../src/formats/model-file.js";
import { floatTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { openSession } from "../../src/runtime/node.js";

const fixture = (extension: string, name = "keras-pictures"): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../fixtures/${name}.${extension}`, import.meta.url)));
const record = JSON.parse(strFromU8(fixture("json")));
const [archive, hdf5] = [fixture("keras"), fixture("h5")];
const where = "model";
const formats = [
  ["keras", archive, readKeras],
  ["h5", hdf5, readKerasHdf5],
] as const;

async function outputOf({ graph }: ModelFile, input = record.input): Promise<number[]> {
  const session = await openSession(graph, { threads: 1 });
  try {
    const outputs = await session.run({ [graph.inputs[0].name]: floatTensor(input.flat(9), [2, 6, 5, 2]) });
    return Array.from(outputs[graph.outputs[0].name].data as Float32Array);
  } finally {
    await session.release();
  }
}

function requireClose(got: readonly number[], wanted: readonly number[]): void {
  expect(got).toHaveLength(wanted.length);
  got.forEach((number, index) => {
    expect(number).toBeCloseTo(wanted[index], 5);
  });
}

/** The archive with other contents. */
function changed(entries: Record<string, Uint8Array>): Uint8Array {
  return zipSync({ ...unzipSync(archive), ...entries }, { level: 0 });
}

/** The archive with something changed in its description of the model, as text. */
function withConfig(change: (config: string) => string): Uint8Array {
  return changed({ "config.json": strToU8(change(strFromU8(unzipSync(archive)["config.json"]))) });
}

test.each(formats)("a %s file computes what Keras computes", async (_, bytes, read) => {
  const model = await read(bytes, { where });
  expect(model.producer).toBe("Keras 3.15.1");
  expect(model.graph.inputs).toMatchObject([{ shape: ["batch", 6, 5, 2] }]);
  requireClose(await outputOf(model), record.output.flat());
});

test("reads a model of Keras 2: other names, activations and numbers of calls", async () => {
  const model = await readKerasHdf5(fixture("h5", "keras2-branches"), { where });
  expect(model.producer).toMatch(/^Keras 2\./);
  const { input, output } = JSON.parse(strFromU8(fixture("json", "keras2-branches")));
  requireClose(await outputOf(model, input), output.flat());
  expect([...model.graph.initializers.keys()]).toEqual(
    expect.arrayContaining(["twice/bias", "inner/conv/kernel", "inner/slopes/alpha", "depthwise/depthwise_kernel"]),
  );
});

test.each(formats)(
  "weights of a %s file have Keras' names, and its layout again when stored",
  async (_, bytes, read) => {
    const { graph, asStored } = await read(bytes, { where });
    const shapes = [...graph.initializers].flatMap(([name, tensor]) =>
      /kernel$/.test(name) ? [[name, [tensor.shape, asStored(name, tensor).shape]]] : [],
    );
    expect(Object.fromEntries(shapes)).toEqual({
      "conv/kernel": [
        [3, 2, 3, 3],
        [3, 3, 2, 3],
      ],
      "depthwise/kernel": [
        [6, 1, 2, 2],
        [2, 2, 3, 2],
      ],
      "twice/depthwise_kernel": [
        [6, 1, 2, 2],
        [2, 2, 6, 1],
      ],
      "twice/pointwise_kernel": [
        [6, 6, 1, 1],
        [1, 1, 6, 6],
      ],
      "inner/conv/kernel": [
        [2, 6, 1, 1],
        [1, 1, 6, 2],
      ],
      "transposed/kernel": [
        [2, 3, 3, 3],
        [3, 3, 3, 2],
      ],
      "dense/kernel": [
        [108, 2],
        [108, 2],
      ],
    });
    const kernel = asStored("conv/kernel", graph.initializers.get("conv/kernel") as Tensor);
    expect(Array.from(kernel.data as Float32Array)).toEqual(record.kernel.flat(3));
  },
);

test.each(formats)("writes a %s file back with other weights, and all else as it was", async (_, bytes, read) => {
  const model = await read(bytes, { where });
  const names = ["conv/kernel", "depthwise/kernel", "inner/conv/kernel", "norm/moving_variance"];
  const replacements = new Map(
    names.map((name) => {
      const { data, shape } = model.graph.initializers.get(name) as Tensor;
      return [
        name,
        floatTensor(
          Float32Array.from(data as Float32Array, (value, index) => value * 0.5 + index / 64),
          shape,
        ),
      ];
    }),
  );
  const files = [...(await model.write(replacements))];
  expect(files).toHaveLength(1);
  const again = await read(files[0][1], { where });
  for (const [name, tensor] of model.graph.initializers)
    expect(again.graph.initializers.get(name)).toEqual(replacements.get(name) ?? tensor);
  expect(await outputOf(again)).not.toEqual(await outputOf(model));
  expect((await model.write(replacements)).get(files[0][0])).toEqual(files[0][1]);
  // The original's weights put back in give the original's HDF5 bytes.
  const back = [...(await again.write(originals(model, names)))][0][1];
  const weightsOf = (file: Uint8Array): Uint8Array => (read === readKeras ? unzipSync(file)["model.weights.h5"] : file);
  expect(weightsOf(back)).toEqual(weightsOf(bytes));
});

function originals(model: ModelFile, names: readonly string[]): Map<string, Tensor> {
  return new Map(names.map((name) => [name, model.graph.initializers.get(name) as Tensor]));
}

test("keeps what else is in an archive", async () => {
  const bytes = changed({ "assets/words.txt": strToU8("kept") });
  const model = await readKeras(bytes, { where });
  const written = unzipSync((await model.write(new Map())).get("model.keras") as Uint8Array);
  expect(strFromU8(written["assets/words.txt"])).toBe("kept");
  expect(written["config.json"]).toEqual(unzipSync(archive)["config.json"]);
});

test("takes the sample's shape where the model leaves it open", async () => {
  const open = withConfig((config) =>
    config.replace('"batch_shape": [null, 6, 5, 2]', '"batch_shape": [null, null, null, 2]'),
  );
  await expect(readKeras(open, { where })).rejects.toThrow(/input input_layer.*--input-shape/);
  const model = await readKeras(open, { where, sampleShape: [6, 5, 2] });
  requireClose(await outputOf(model), record.output.flat());
});

test("reads inputs and outputs in dictionaries, in the order of their keys", async () => {
  const structured = withConfig((config) =>
    config
      .replace('"input_layers": ["input_layer", 0, 0]', '"input_layers": {"picture": ["input_layer", 0, 0]}')
      .replace(
        '"output_layers": ["dense", 0, 0]',
        '"output_layers": {"z": ["input_layer", 0, 0], "b": [["dense", 0, 0]], "a": ["flatten", 0, 0]}',
      ),
  );
  const model = await readKeras(structured, { where });
  expect(model.graph.outputs.map(({ shape }) => shape)).toEqual([
    ["batch", 108],
    ["batch", 2],
    ["batch", 6, 5, 2],
  ]);
});

test("takes integers as floating-point numbers, which have the same values", async () => {
  const pictures = (type: string) => (config: string) =>
    config.replace(
      '"batch_shape": [null, 6, 5, 2], "dtype": "float32"',
      `"batch_shape": [null, 6, 5, 2], "dtype": "${type}"`,
    );
  const model = await readKeras(withConfig(pictures("uint8")), { where });
  expect(model.graph.inputs).toMatchObject([{ type: "float32", shape: ["batch", 6, 5, 2] }]);
  requireClose(await outputOf(model), record.output.flat());
  await expect(readKeras(withConfig(pictures("string")), { where })).rejects.toThrow(
    /samples of numbers, got string\. Save the part .* tokens/,
  );
  const looked = withConfig((config) =>
    pictures("int32")(config).replace('"class_name": "Conv2D"', '"class_name": "IntegerLookup"'),
  );
  await expect(readKeras(looked, { where })).rejects.toThrow(
    /conv \(IntegerLookup\): .* looks integers .*\. Make a model of the layers behind it, .* tokens/,
  );
  const counted = withConfig((config) =>
    pictures("uint8")(config).replace('"class_name": "Conv2D"', '"class_name": "Square"'),
  );
  await expect(readKeras(counted, { where })).rejects.toThrow(/input input_layer: .*overflow.*Rescaling/);
});

test("names the layer that it does not read", async () => {
  const cases: [RegExp, (config: string) => string][] = [
    [
      /layer relu \(ConvLSTM2D\): required a layer that headstart knows, .* An export to ONNX .* model\.onnx only, not under Keras' names/,
      (config) => config.replace('"class_name": "ReLU"', '"class_name": "ConvLSTM2D"'),
    ],
    [
      /layer inner\/conv \(Conv2D\): required an activation/,
      (config) => config.replace('"swish"', '"own"').replace('"silu"', '"own"'),
    ],
    [
      /layer relu \(Softmax\): required a number for axis, got null/,
      (config) =>
        config.replace('"class_name": "ReLU", "config": {', '"class_name": "Softmax", "config": {"axis": null, '),
    ],
    [
      /layer twice \(SeparableConv2D\): required a name for padding, got null/,
      (config) => config.replace(/("name": "twice".*?"padding": )"same"/, "$1null"),
    ],
    [
      /layer conv \(Conv2D\): required an activation of .*, or a layer that is one, got .*Own>PReLU/,
      (config) =>
        config.replace(
          /("name": "conv".*?"activation": )"\w+"/,
          '$1{"class_name": "PReLU", "config": {"name": "own"}, "registered_name": "Own>PReLU"}',
        ),
    ],
    [
      /layer relu \(HardShrink\): required a threshold of 0 or more, got -1/,
      (config) =>
        config
          .replace('"class_name": "ReLU", "config": {', '"class_name": "HardShrink", "config": {"threshold": -1, ')
          .replace('"threshold": 0.0', '"t": 0'),
    ],
    [
      /layer relu \(Resizing\): required no antialias/,
      (config) =>
        config.replace('"class_name": "ReLU", "config": {', '"class_name": "Resizing", "config": {"antialias": true, '),
    ],
    [
      /layer relu \(CenterCrop\): required pictures of at least 2 × 9/,
      (config) =>
        config.replace(
          '"class_name": "ReLU", "config": {',
          '"class_name": "CenterCrop", "config": {"height": 2, "width": 9, ',
        ),
    ],
    [
      /layer transposed \(Conv2DTranspose\): required 2 sizes for output_padding, got \[1\]/,
      (config) => config.replace('"output_padding": null', '"output_padding": [1]'),
    ],
    [
      /relu\/alpha: required weights for every layer, got none\. Call the model once/,
      (config) => config.replace('"class_name": "ReLU"', '"class_name": "PReLU"'),
    ],
    [/layer conv \(Conv2D\): required data_format/, (config) => config.replace("channels_last", "channels_middle")],
    [
      /conv\/kernel: required the shape \[3, 3, 2, 4\], got \[3, 3, 2, 3\]/,
      (config) => config.replace('"filters": 3', '"filters": 4'),
    ],
    [
      /layer conv \(Own>Conv2D\)/,
      (config) =>
        config.replace(
          '"registered_name": null, "build_config": {"input_shape": [null, 6, 5, 2]}',
          '"registered_name": "Own>Conv2D"',
        ),
    ],
    [/outputs that follow from the inputs/, (config) => config.replace('["input_layer", 0, 0]}', '["dense", 0, 0]}')],
    [/layers with class_name/, (config) => config.replace(/"layers": \[.*/, '"layers": [1]}}')],
    [/JSON/, (config) => config.slice(1)],
    [
      /required a Sequential or Functional model, got a model of class Own\. The file of a class .* model\.onnx only/,
      (config) => config.replace('"class_name": "Functional"', '"class_name": "Own"'),
    ],
  ];
  for (const [message, change] of cases) {
    const bytes = withConfig(change);
    await expect(readKeras(bytes, { where })).rejects.toThrow(message);
    await expect(readKeras(bytes, { where })).rejects.toThrow(UserError);
  }
});

test("refuses broken files", async () => {
  const weights = unzipSync(archive)["model.weights.h5"];
  const cases: [Uint8Array, RegExp][] = [
    [archive.subarray(0, 1000), /a whole zip archive, got one without its directory/],
    [zipSync({ "config.json": strToU8("{}") }), /without it/],
    [changed({ "model.weights.h5": weights.subarray(0, 5000) }), /sound HDF5 file/],
    [changed({ "model.weights.h5": strToU8("nothing") }), /sound HDF5 file/],
    [zipSync({ ...unzipSync(archive), "config.json": new Uint8Array(2 ** 20) }, { level: 9 }), /at most 200 times/],
  ];
  for (const [bytes, message] of cases) {
    await expect(readKeras(bytes, { where })).rejects.toThrow(message);
    await expect(readKeras(bytes, { where })).rejects.toThrow(UserError);
  }
  await expect(readKerasHdf5(hdf5.subarray(0, 9000), { where })).rejects.toThrow(/sound HDF5 file/);
  await expect(readKerasHdf5(weights, { where })).rejects.toThrow(/without model_config/);
});

test("refuses an archive in which a byte of the weights was changed, packed or not", async () => {
  const entries = unzipSync(archive);
  for (const level of [0, 9] as const) {
    const damaged = zipSync(entries, { level });
    const weights = Buffer.from(damaged).indexOf("model.weights.h5") + "model.weights.h5".length;
    const [length] = new Uint32Array(damaged.slice(weights - 28, weights - 24).buffer);
    damaged[weights + Math.floor(length / 2)] ^= 1;
    const read = readKeras(damaged, { where });
    await expect(read).rejects.toThrow(/model\.weights\.h5: .*(archive is damaged|cannot be unpacked)/);
    await expect(read).rejects.toThrow(UserError);
  }
});

test("survives any damage to the weights' file", async () => {
  const weights = unzipSync(archive)["model.weights.h5"];
  for (let trial = 0; trial < 60; trial++) {
    const damaged = weights.slice();
    for (let place = (trial * 37) % 97; place < damaged.length; place += 1499 + 13 * trial)
      damaged[place] ^= 1 << (trial % 8);
    const read = readKeras(changed({ "model.weights.h5": damaged }), { where });
    await read.catch((error: unknown) => {
      expect(error).toBeInstanceOf(UserError);
    });
  }
});

test("weights of layers that are not trainable are constants, statistics included", async () => {
  const { constants } = await readKeras(archive, { where });
  expect([...(constants ?? [])].filter((name) => /kernel$|bias$|gamma$|moving_mean$/.test(name))).toEqual([]);
  const frozen = withConfig((config) => config.replaceAll('"trainable": true', '"trainable": false'));
  const model = await readKeras(frozen, { where });
  const weights = [...model.graph.initializers.keys()].filter((name) => /kernel$|bias$|gamma$|moving_mean$/.test(name));
  expect(weights.length).toBeGreaterThan(3);
  expect([...(model.constants ?? [])]).toEqual(expect.arrayContaining(weights));
});

/** The archive with a call of a layer changed. */
function withCall(name: string, change: (call: { kwargs: Record<string, unknown> }) => void): Uint8Array {
  return withConfig((text) => {
    const config = JSON.parse(text);
    for (const layer of config.config.layers) {
      if (layer.name === name) change(layer.inbound_nodes[0]);
      if (layer.name === "inner") layer.config.layers.push({ class_name: "Dropout", config: { name: "drop" } });
    }
    return JSON.stringify(config);
  });
}

test("tells of calls as in training, which are read as any, in a model inside too", async () => {
  expect((await readKeras(archive, { where })).notes).toEqual([]);
  for (const [name, called] of [
    ["norm", /calls norm with training=True/],
    ["inner", /calls inner\/drop with training=True/],
  ] as const) {
    const training = withCall(name, ({ kwargs }) => {
      kwargs.training = true;
    });
    const model = await readKeras(training, { where });
    expect(model.notes).toEqual([expect.stringMatching(called)]);
    requireClose(await outputOf(model), record.output.flat());
  }
  const inConvolution = withCall("conv", ({ kwargs }) => {
    kwargs.training = true;
  });
  expect((await readKeras(inConvolution, { where })).notes).toEqual([]);
});

test("a normalisation that is called as in inference keeps its statistics, and learns its scale", async () => {
  const inference = withCall("norm", ({ kwargs }) => {
    kwargs.training = false;
  });
  const { constants = new Set(), notes } = await readKeras(inference, { where });
  expect(notes).toEqual([]);
  const isKept = (name: string): boolean => constants.has(`norm/${name}`);
  expect(["moving_mean", "moving_variance", "gamma", "beta"].map(isKept)).toEqual([true, true, false, false]);
});

test("channels that are the first axis give what they give as the last", async () => {
  const turned = withConfig((config) =>
    config
      .replaceAll('"channels_last"', '"channels_first"')
      .replaceAll('"axis": -1', '"axis": 1')
      .replace('"batch_shape": [null, 6, 5, 2]', '"batch_shape": [null, 2, 6, 5]'),
  );
  const model = await readKeras(turned, { where });
  expect(model.graph.inputs).toMatchObject([{ shape: ["batch", 2, 6, 5] }]);
  // The dense layer behind Flatten, which puts channels last, is the only one that needs them so.
  expect(model.graph.nodes.filter(({ op }) => op === "Transpose")).toHaveLength(1);
  const input = floatTensor(record.input.flat(9), [2, 6, 5, 2]);
  const first = floatTensor(
    Array.from({ length: 120 }, (_, place) => {
      const [sample, channel, position] = [Math.floor(place / 60), Math.floor(place / 30) % 2, place % 30];
      return (input.data as Float32Array)[sample * 60 + position * 2 + channel];
    }),
    [2, 2, 6, 5],
  );
  const session = await openSession(model.graph, { threads: 1 });
  const outputs = await session.run({ [model.graph.inputs[0].name]: first });
  await session.release();
  requireClose(numbersOf(outputs[model.graph.outputs[0].name]), record.output.flat());
});

test("refuses normalisation along an axis between the first and the last", async () => {
  const between = withConfig((config) => config.replace('"axis": -1', '"axis": 2'));
  await expect(readKeras(between, { where })).rejects.toThrow(/layer norm .*first or the last axis.*axis 2/);
});
