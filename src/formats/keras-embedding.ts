/** Keras' Embedding: vectors for the integers of an input, behind which headstart begins. */
import { type UserError, userError } from "../errors.js";
import { attribute } from "../graph/graph.js";
import type { ModelConfig } from "./keras-config.js";
import type { KerasGraph, KerasValue, LayerContext } from "./keras-graph.js";

const cannotLearn = "Integers, as of tokens and categories, cannot be learned from";

/** What looks integers or words up in a way that headstart does not read. */
export function lookUpError(where: string, className: string): UserError {
  return userError({
    where,
    required: "layers that compute with numbers",
    got: `${className}, which looks integers or words up`,
    advice: `${cannotLearn}: make a model of the layers behind it, and give that with vectors as the data.`,
  });
}

/** Rows of a table, by the integers of one of the model's own inputs. The output has the layer's name. */
export function embedding(context: LayerContext, value: KerasValue): KerasValue {
  const { graph, layer, scope } = context;
  const input = graph.inputs.find(({ name }) => name === value.last);
  if (!input) throw lookUpError(context.where, layer.className);
  input.type = "int32";
  const width = context.count("output_dim");
  const table = context.variable("embeddings", 0, [context.count("input_dim"), width]);
  if (context.flag("mask_zero", false)) graph.unmasked.add(scope);
  const output = graph.fresh(scope);
  const inputs = [table, input.name];
  graph.nodes.push({ op: "Gather", domain: "", name: output, inputs, outputs: [output], attributes: rows });
  return { shape: [...value.shape, width], last: output };
}

const rows = { axis: attribute.int(0) };

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
export function requireOnlyEmbeddings({ inputs, nodes, where }: KerasGraph): void {
  for (const { name, type } of inputs) {
    if (type !== "int32") continue;
    const other = nodes.find((node) => node.inputs.includes(name) && (node.op !== "Gather" || node.inputs[1] !== name));
    if (other)
      throw userError({
        where: `${where}: input ${name}`,
        required: "integers that nothing but Embedding layers reads",
        got: `${other.outputs[0]}, which reads them too`,
        advice: `${cannotLearn}: make a model of the layers behind them, and give that with vectors as the data.`,
      });
  }
}
