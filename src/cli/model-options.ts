/** Options of all commands that take a model apart. */
import { byDefault, choice, existingPath, flag, nameOrPath, text, wholes } from "./options.js";

export const modelOptions = {
  features: text(
    "TENSOR",
    "where F ends: the name of a tensor (default: what the last layer before the first output reads, or where the encoder ends; see docs/features.md)",
  ),
  input: text("NAME", "the sample input, where the model has several, or a tensor inside it where F begins"),
  inputShape: wholes("SHAPE", "shape of one sample, where the model leaves it open, such as 3x32x32", { min: 1 }),
  freeze: text("TENSOR", "leave the weights that this tensor is computed from as they are in the model"),
  layout: choice("ORDER", ["NCHW", "NHWC"], "where pictures have their channels (default: found out)"),
  discriminator: nameOrPath(
    "KIND",
    "D, of recipes that have one: auto (default), mlp, cnn, cnn1d, or an ONNX file with one output per sample",
  ),
};

export const recipeOption = byDefault(
  nameOrPath(
    "NAME",
    "how F learns: default (what was measured to help most on such data), rotation, visual-words, topics, contrast, clusters, " +
      "autoencoder, adversarial, paper (as published), principal-components or opened (both without training), or a JSON file; " +
      "docs/recipes.md says what each is",
  ),
  "default",
);

/** Options of the commands for which the framework's own names of weights matter. */
export const namingOptions = {
  stateDict: existingPath(
    "FILE",
    "PyTorch's own tensors, of safetensors.torch.save_model, to find what an export has renamed",
  ),
  keepNames: flag("take the model's tensor names as they are, even where its framework has others"),
};
