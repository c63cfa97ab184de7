/** `headstart verify`: whether weights fit a model, and what they change. */

import { UserError } from "../errors.js";
import { fitting, type TensorVerdict, type VerifiedTensor, verify } from "../library/verify.js";
import { defineCommand } from "./command.js";
import { modelOptions, namingOptions } from "./model-options.js";
import { given } from "./options.js";

const meanings: Readonly<Record<TensorVerdict, string>> = {
  changed: "changed",
  same: "same",
  head: "head, keeps its own",
  kept: "stays as it is",
  missing: "MISSING",
  unexpected: "UNEXPECTED",
  shape: "OTHER SHAPE",
  type: "OTHER TYPE",
  "not finite": "NaN OR INFINITY",
  "not a parameter": "CHANGED, NO PARAMETER",
};

export const command = defineCommand({
  name: "verify",
  description:
    "Compares weights with the model that they are for: names, shapes, types, hashes before and after, which tensors " +
    "change and by how much, which are missing or unexpected. Fails where a tensor does not fit.",
  arguments: [
    { name: "weights", description: "a safetensors file, or a model with weights" },
    { name: "model", description: "the model that they are for, or a safetensors file with PyTorch's own tensors" },
  ],
  options: {
    features: modelOptions.features,
    input: modelOptions.input,
    inputShape: modelOptions.inputShape,
    ...namingOptions,
  },
  examples: [
    "headstart verify model-headstart/weights.safetensors model.onnx",
    "headstart verify trained.onnx model.onnx",
    "headstart verify model-headstart/weights.safetensors state.safetensors",
  ],
  async run({ arguments: [weights = "", model = ""], options, console }) {
    const result = await verify({ ...given(options), weights, model });
    console.event({ type: "verify", ...result });
    console.line(`${result.weights.file}: ${result.weights.format}, SHA-256 ${result.weights.sha256}`);
    for (const [key, value] of Object.entries(result.weights.metadata)) console.line(`  ${key}: ${value}`);
    console.line(`${result.model.file}: ${result.model.format}, SHA-256 ${result.model.sha256}`);
    console.line();
    console.table(
      ["tensor", "verdict", "shape", "type", "relative change", "largest change", "before", "after"],
      result.tensors.map((tensor) => [
        tensor.name,
        meanings[tensor.verdict],
        sides(tensor, ({ shape }) => shape.join("x") || "1"),
        sides(tensor, ({ type }) => type),
        tensor.relativeChange?.toPrecision(3) ?? "",
        tensor.largestChange?.toPrecision(3) ?? "",
        tensor.before?.sha256.slice(0, 8) ?? "",
        tensor.after?.sha256.slice(0, 8) ?? "",
      ]),
      ["left", "left", "left", "left", "right", "right", "left", "left"],
    );
    for (const note of result.notes) console.warn(note);
    const count = (verdict: TensorVerdict): number => result.tensors.filter((t) => t.verdict === verdict).length;
    console.line(
      `${count("changed")} changed, ${count("same")} the same, ${count("head")} of the head, ${count("kept")} left as they are, ${result.mismatches} that do not fit`,
    );
    if (result.mismatches === 0) return;
    const first = result.tensors.find(({ verdict }) => !fitting.has(verdict));
    throw new UserError(
      `${weights}: required tensors that fit ${model}, got ${result.mismatches} that do not (${first?.name}: ${first === undefined ? "" : meanings[first.verdict].toLowerCase()}). Load none of them before you know why.`,
    );
  },
});

/** One text where both sides agree, else the model's and the weights'. */
function sides(tensor: VerifiedTensor, show: (facts: NonNullable<VerifiedTensor["before"]>) => string): string {
  const texts = [tensor.before, tensor.after].flatMap((facts) => (facts ? [show(facts)] : []));
  return [...new Set(texts)].join(" → ");
}
