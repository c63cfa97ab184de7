/** A model with the tensors that its framework has, where an export has renamed, merged or folded them. */
import type { ModelFile } from "../formats/model-file.js";
import { GraphRestorer, isNothing, type Restoration } from "./graph-restorer.js";
import type { ReadModelFile } from "./read-model-file.js";
import { restoreByValues, type StateDict } from "./restore-by-values.js";
import { findConstants, restoreByOrigins, restoreByScopes } from "./restore-pytorch.js";
import { restoreRecurrentLayers } from "./restore-recurrent.js";
import { restoreTies } from "./restore-ties.js";
import { requireUnwrapped } from "./wrapper-prefix.js";

/** A model and what was restored in it. */
interface RestoredModel {
  readonly model: ModelFile;
  readonly restoration: Restoration;
  /** Tensors that are no parameters in the framework. */
  readonly constants: ReadonlySet<string>;
}

/**
 * Restores what is certain. The model is written back as its file has it: what was folded is folded again, which computes
 * the same; what was merged has tensors of its own from then on.
 *
 * @param state the framework's own tensors, where the user has given them
 * @param foldedFrom see {@link ReadModelFile}
 * @throws UserError where the state is of another network, or of this one in a wrapper
 */
export function restoreModel(
  model: ModelFile,
  state?: StateDict,
  foldedFrom?: ReadModelFile["foldedFrom"],
): RestoredModel {
  if (state) requireUnwrapped(model.graph.initializers.keys(), state);
  const restorer = new GraphRestorer(model);
  if (model.writeEdited && (isFromPytorch(model) || state)) {
    restoreRecurrentLayers(restorer, model, state);
    restoreByOrigins(restorer, model, { state, foldedFrom });
    // Files of the dynamo exporter tell their origins: what else they have, such as copies that stay equal, is no sign.
    if (!model.origins || model.origins.size === 0) restoreByScopes(restorer);
    if (state) restoreByValues(restorer, state);
    if (isFromPytorch(model)) {
      findConstants(restorer);
      restoreTies(restorer, model, foldedFrom);
    }
  }
  const constants = new Set([...restorer.constants, ...(model.constants ?? [])]);
  const restoration = restorer.restoration();
  const isAsItWas = isNothing(restoration) && restorer.nodes === model.graph.nodes;
  return { model: isAsItWas ? model : restorer.finish(), restoration, constants };
}

/** Did PyTorch write this file, or a program that has left PyTorch's names in it? */
export function isFromPytorch({ format, producer, graph, origins }: ModelFile): boolean {
  if (format !== "onnx") return false;
  const hasItsNames = [...graph.initializers.keys()].some((name) => name.startsWith("onnx::"));
  return /^pytorch/i.test(producer) || (origins?.size ?? 0) > 0 || hasItsNames;
}

/** One line for people; undefined where nothing was restored. */
export function restorationLine(restoration: Restoration | undefined): string | undefined {
  if (!restoration || isNothing(restoration)) return undefined;
  const { renamed, separated, zeros, unfolded, unstacked, tied } = restoration;
  const [copy] = Object.entries(tied);
  const [example] = Object.entries(renamed);
  const parts = [
    ...(example ? [`${Object.keys(renamed).length} renamed (${example[1]} is ${example[0]})`] : []),
    ...(separated.length > 0 ? [`${separated.length} merged with others (${listed(separated)})`] : []),
    ...(zeros.length > 0 ? [`${zeros.length} left out, being zero (${listed(zeros)})`] : []),
    ...(Object.keys(unfolded).length > 0
      ? [`${Object.keys(unfolded).length} with a batch normalisation folded in (${listed(Object.keys(unfolded))})`]
      : []),
    ...(Object.keys(unstacked).length > 0
      ? [`${Object.keys(unstacked).length} of recurrent layers, stacked (${listed(Object.keys(unstacked))})`]
      : []),
    ...(copy ? [`${Object.keys(tied).length} copied, though tied (${copy[0]} is made of ${copy[1]})`] : []),
  ];
  return `The export had changed weights, which are as PyTorch has them again: ${parts.join("; ")}.`;
}

/** The first of many names. */
export function listed(names: readonly string[]): string {
  return `${names.slice(0, 3).join(", ")}${names.length > 3 ? ", ..." : ""}`;
}
