/** Finds the copies that an export has made of weights which the network uses twice, once turned round. */
import type { ModelFile } from "../formats/model-file.js";
import { numbersOf } from "../graph/tensor.js";
import type { GraphRestorer } from "./graph-restorer.js";
import type { ReadModelFile } from "./read-model-file.js";
import { isOwnName } from "./restore-pytorch.js";

/**
 * Ties each matrix under a name that the exporter made up to the one parameter that it is the transpose of, as in
 * `F.linear(hidden, self.encoder.weight.t())`: an exporter that folds constants leaves nothing else of it.
 *
 * @param foldedFrom what the file says of where copies come from: another tensor may have been equal
 */
export function restoreTies(restorer: GraphRestorer, model: ModelFile, foldedFrom?: ReadModelFile["foldedFrom"]): void {
  const matrices = [...restorer.initializers.keys()].filter(
    (name) =>
      restorer.parameter(name)?.shape.length === 2 && !restorer.constants.has(name) && !model.constants?.has(name),
  );
  const own = matrices.filter((name) => isOwnName(name, model));
  for (const copy of matrices) {
    const tensor = restorer.parameter(copy);
    if (!tensor || own.includes(copy)) continue;
    const sources = foldedFrom?.get(copy);
    const candidates = sources ? own.filter((name) => sources.includes(name)) : own;
    const originals = candidates.filter((name) => restorer.isCopy(copy, name, "transposed"));
    // Zeros, ones or the identity are equal without being the same.
    if (originals.length === 1 && new Set(numbersOf(tensor)).size > 2) restorer.tie(copy, originals[0], "transposed");
  }
}
