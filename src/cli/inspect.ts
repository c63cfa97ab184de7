/** `headstart inspect`: what headstart sees in a model. */

import { UserError } from "../errors.js";
import type { HeadStep } from "../library/chain-steps.js";
import { inspect } from "../library/inspect.js";
import { restorationLine } from "../library/restore-model.js";
import { defineCommand } from "./command.js";
import { modelOptions, namingOptions, recipeOption } from "./model-options.js";
import { given } from "./options.js";

export const command = defineCommand({
  name: "inspect",
  description:
    "Shows a model's feature extractor, its mirror and the discriminator with shapes and parameters, where the head begins, and what is not supported.",
  arguments: [{ name: "model", description: "an ONNX, Keras (.keras, .h5) or TensorFlow.js (model.json) file" }],
  options: { recipe: recipeOption, ...modelOptions, ...namingOptions },
  examples: ["headstart inspect model.onnx", "headstart inspect model.onnx --features /layer3/Relu_output_0"],
  async run({ arguments: [model = ""], options, console }) {
    const result = await inspect({ ...given(options), model });
    console.event({ type: "inspect", ...result });
    const shape = (sizes: readonly number[]): string => sizes.join("x") || "1";
    const stepTable = (steps: readonly HeadStep[]): void =>
      console.table(
        ["operator", "value", "shape", "parameters"],
        steps.map((step) => [
          step.op,
          step.name ?? "",
          step.shape ? shape(step.shape) : "",
          step.parameters.map((p) => `${p.name} ${shape(p.shape)}`).join(", "),
        ]),
        ["left", "left", "left", "left"],
      );
    const thousands = (count: number): string => count.toLocaleString("en");
    console.line(`${result.model}: opset ${result.opset}${result.producer ? `, written by ${result.producer}` : ""}`);
    console.line(`input ${result.input.name}: ${shape(result.input.shape)} a sample`);
    console.line();
    console.line("F, the feature extractor");
    stepTable(result.extractor);
    if (result.features)
      console.line(
        `features: ${result.features.name} (${shape(result.features.shape)}); the head begins with ${result.head.join(", ") || "nothing"}`,
      );
    if (result.featuresNote !== undefined) console.line(`note: ${result.featuresNote}`);
    if (result.headSteps.length > 0) {
      console.line();
      console.line("the head, and all else that init leaves as it is");
      stepTable(result.headSteps);
    }
    if (result.mirror.length > 0) {
      console.line();
      console.line("F^T, the mirror (of recipes that have one)");
      console.table(
        ["operator", "mirrors", "shape"],
        result.mirror.map((step) => [step.op, step.name ?? "", shape(step.shape)]),
        ["left", "left", "left"],
      );
    }
    if (result.discriminator) {
      console.line();
      console.line(`D, the discriminator (${result.discriminator.kind}; of recipes that have one)`);
      console.table(
        ["operator", "shape"],
        result.discriminator.layers.map(({ op, shape: sizes }) => [op, shape(sizes)]),
        ["left", "left"],
      );
    }
    console.line();
    const { features, mirror, discriminator, whole } = result.parameterCounts;
    console.line(
      `parameters: F ${thousands(features)} of the network's ${thousands(whole)}, mirror ${thousands(mirror)}, D ${thousands(discriminator)}` +
        `${result.cost === undefined ? "" : `; F makes ${thousands(result.cost)} multiply-adds a sample`}`,
    );
    const restored = restorationLine(result.restoration);
    if (restored !== undefined) console.line(restored);
    for (const warning of result.warnings) console.warn(warning);
    if (result.unsupported.length === 0) return;
    console.line();
    console.table(
      ["in the way", "operator", "why"],
      result.unsupported.map(({ node, op, reason }) => [node, op, reason]),
      ["left", "left", "left"],
    );
    throw new UserError(
      `${model}: required operators that the recipe ${options.recipe} can train, got ${result.unsupported.length} in the way. Choose an earlier feature tensor with --features.`,
    );
  },
});
