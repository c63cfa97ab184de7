/** `headstart new`: a fresh network. */
import { newModel } from "../library/new-model.js";
import { shellWord } from "../library/shell-word.js";
import { classifierTemplates } from "../recipe/network-templates.js";
import { classifierActivations, classifierNormalizations } from "../recipe/new-network.js";
import { asCalled } from "./as-called.js";
import { defineCommand } from "./command.js";
import { byDefault, choice, flag, given, newPath, required, text, whole, wholes } from "./options.js";

export const command = defineCommand({
  name: "new",
  description:
    "Writes a fresh ONNX network, a classifier or one that predicts numbers, for whoever has no model file yet. The same " +
    "options give the same file.",
  arguments: [{ name: "template", description: `the kind of network: ${classifierTemplates.join(", ")}` }],
  options: {
    inputShape: required(
      wholes("SHAPE", "shape of one sample, such as 1,28,28 (channels, height, width) or 13", { min: 1 }),
    ),
    classes: whole("COUNT", "number of classes (default: 10)", { min: 2 }),
    outputs: whole("COUNT", "predict so many numbers, in place of classes", { min: 1 }),
    widths: wholes(
      "LIST",
      "units or channels of each layer (of each stage of a resnet; of a mobilenet's first layer and its stages; of text's embedding and convolutions), such as 32,64",
      { min: 1 },
    ),
    depth: whole("COUNT", "number of hidden layers of equal width (of blocks in each stage of a resnet or mobilenet)", {
      min: 1,
    }),
    expansion: whole("FACTOR", "how many times a block of mobilenetv2 widens its input (default: 6)", { min: 1 }),
    vocabulary: whole("COUNT", "tokens, from 0 on, that text has vectors for (default: 10000)", { min: 2 }),
    activation: choice("NAME", classifierActivations, "the nonlinearity (default: relu, in mobilenetv2 relu6)"),
    normalization: choice(
      "NAME",
      classifierNormalizations,
      "normalisation before it (default: none, in a resnet and a mobilenet batch)",
    ),
    kernel: whole("SIZE", "size of the convolutions, odd in a resnet, a mobilenet and text", { min: 1 }),
    initializer: byDefault(
      text("NAME", "how weights are drawn, such as he, xavier or pytorch-default"),
      "pytorch-default",
    ),
    seed: byDefault(whole("NUMBER", "seed of the weights", { min: 0 }), 0),
    output: newPath("FILE", "the file to write (default: TEMPLATE.onnx)"),
    overwrite: flag("replace the file if it is there"),
  },
  examples: [
    "headstart new cnn --input-shape 1,28,28 --output fashion-cnn.onnx",
    "headstart new mlp --input-shape 13 --widths 64,64 --activation tanh --classes 3",
    "headstart new mlp --input-shape 10 --outputs 1",
    "headstart new text --input-shape 64 --vocabulary 5000 --classes 16",
  ],
  async run({ arguments: [template = ""], options, console }) {
    const { output = `${template}.onnx`, ...settings } = options;
    const result = await newModel({ ...given(settings), template, output });
    console.event({ type: "done", output, parameters: result.parameters, bytes: result.bytes });
    console.line(
      `${output}: ${template} of ${result.parameters.toLocaleString("en")} parameters, ${result.graph.nodes.length} nodes`,
    );
    const [channels, height, width] = options.inputShape;
    if (width !== undefined && width <= 4 && channels > 4)
      console.line(
        `note: a sample is ${channels} channels of ${height}x${width}, since channels come first; where that is not meant, pass --input-shape ${width},${channels},${height}`,
      );
    console.line(`Next: ${asCalled()} init ${shellWord(output)} --data PATH`);
  },
});
