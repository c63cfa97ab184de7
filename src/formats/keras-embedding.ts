/** Keras' Embedding: vectors for the tokens of an input. */
import { type UserError, userError } from "../errors.js";
import { attribute } from "../graph/graph.js";
import { dataTypes, intTensor } from "../graph/tensor.js";
import type { ModelConfig } from "./keras-config.js";
import type { KerasGraph, KerasValue, LayerContext } from "./keras-graph.js";

/** What looks integers or words up in a way that headstart does not read. */
export function lookUpError(where: string, className: string): UserError {
  return userError({
    where,
    required: "layers that compute with numbers, and Embedding of an input's integers",
    got: `${className}, which looks integers or words up`,
    advice:
      "Make a model of the layers behind it, and give that with what this layer gives as the data: tokens, where Embedding is the next.",
  });
}

/** Rows of a table, by the integers of one of the model's own inputs. The output has the layer's name. */
export function embedding(context: LayerContext, value: KerasValue): KerasValue {
  const { graph, layer, scope } = context;
  const input = graph.inputs.find(({ name }) => name === value.last);
  if (!input) throw computedIntegersError(context.where);
  if ((layer.settings.lora_rank ?? null) !== null)
    throw context.refuse("no lora_rank", String(layer.settings.lora_rank));
  input.type = "int32";
  const width = context.count("output_dim");
  const table = context.variable("embeddings", 0, [context.count("input_dim"), width]);
  const output = graph.fresh(scope);
  const inputs = [table, input.name];
  graph.nodes.push({ op: "Gather", domain: "", name: output, inputs, outputs: [output], attributes: rows });
  const vectors = { shape: [...value.shape, width], last: output };
  if (!context.flag("mask_zero", false)) return vectors;
  if (!graph.knowsTokens) {
    graph.unmasked.add(scope);
    return vectors;
  }
  context.requireRank(value, 1);
  return { ...vectors, mask: tokenMask(context, input.name) };
}

const rows = { axis: attribute.int(0) };

/** [batch, length, 1]: 0 where an input has the integer 0, 1 elsewhere. One for all layers that read the input. */
function tokenMask(context: LayerContext, input: string): string {
  const { tokenMasks } = context.graph;
  const known = tokenMasks.get(input);
  if (known !== undefined) return known.mask;
  const numbers = context.node("Cast", [input], { to: attribute.int(dataTypes.indexOf("float32") + 1) });
  const signs = context.node("Sign", [context.node("Abs", [numbers])]);
  const mask = context.node("Unsqueeze", [signs, context.constant(intTensor([-1]), "last")]);
  tokenMasks.set(input, { numbers, mask });
  return mask;
}

function computedIntegersError(where: string): UserError {
  return userError({
    where,
    required: "Embedding of the integers of one of the model's inputs, as they are",
    got: "integers that a layer in front of it gives",
    advice: "Make a model that begins with Embedding, and give that with these integers as the data.",
  });
}

/** The Embedding layers that read an input of a model, also in models inside it: their names, and their vectors' width. */
export function embeddingsOf(
  { layers }: ModelConfig,
  input: string,
  around: readonly string[] = [],
): { readonly name: string; readonly width: unknown }[] {
  return layers.flatMap(({ name, className, settings, calls, model }) => {
    const path = [...around, name];
    return calls.flatMap(({ inputs }) => {
      const place = inputs.findIndex(({ layer }) => layer === input);
      if (place < 0) return [];
      const inner = model?.inputs[place];
      if (model && inner) return embeddingsOf(model, inner.layer, path);
      return className === "Embedding" ? [{ name: path.join("/"), width: settings.output_dim }] : [];
    });
  });
}

/** @throws UserError where something else than an Embedding reads integers that one reads */
export function requireOnlyEmbeddings({ inputs, nodes, where, tokenMasks }: KerasGraph): void {
  for (const { name, type } of inputs) {
    if (type !== "int32") continue;
    const other = nodes.find(
      (node) =>
        node.inputs.includes(name) &&
        (node.op !== "Gather" || node.inputs[1] !== name) &&
        node.outputs[0] !== tokenMasks.get(name)?.numbers,
    );
    if (other)
      throw userError({
        where: `${where}: input ${name}`,
        required: "integers that nothing but Embedding layers reads",
        got: `${other.outputs[0]}, which reads them too`,
        advice: "Make a model of the layers behind them, and give that with what they give as the data.",
      });
  }
}
