/** Reads a framework's own tensors. */
import { readFile } from "node:fs/promises";
import { fileError, userError } from "../errors.js";
import { isZip } from "../formats/keras.js";
import { readSafetensors } from "../formats/safetensors.js";
import type { Tensor } from "../graph/tensor.js";
import type { StateDict } from "./restore-by-values.js";
import { sha256 } from "./sha256.js";

/** @throws UserError where the file is missing, or no safetensors file */
export async function readStateDict(path: string): Promise<StateDict> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw fileError(error, path, "a file with the model's state_dict");
  }
  if (isZip(bytes) || bytes[0] === 0x80)
    throw userError({
      where: path,
      required: "a safetensors file with the model's state_dict",
      got: "a file of torch.save, which can hold code",
      advice: 'Save it in Python: from safetensors.torch import save_model; save_model(model, "state.safetensors").',
    });
  const file = readSafetensors(bytes, path);
  return {
    where: path,
    hash: sha256(bytes),
    tensors: file.tensors,
    aliases: aliasesIn(file),
  };
}

/**
 * The other names of tensors that a network has under several: save_model of safetensors writes such a tensor once, and
 * notes its other names.
 *
 * @returns by other name, the name that the file has
 */
export function aliasesIn({
  tensors,
  metadata,
}: {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}): ReadonlyMap<string, string> {
  return new Map(Object.entries(metadata).filter(([name, kept]) => tensors.has(kept) && !tensors.has(name)));
}
