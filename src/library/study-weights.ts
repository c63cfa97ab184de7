/** Weights that a study's arms start from, and files that must stay as they were. */
import { readFile } from "node:fs/promises";
import { fileError, type UserError, userError } from "../errors.js";
import { readSafetensors } from "../formats/safetensors.js";
import { singlePrecision } from "../ops/instantiate.js";
import type { Weights } from "../recipe/initial-values.js";
import { sha256 } from "./sha256.js";

/**
 * Tensors of a safetensors file in float32.
 *
 * @param hash what the file's SHA-256 must be
 * @throws UserError where there is none, it is broken, or another than it was
 */
export async function readStudyWeights(file: string, hash?: string): Promise<Weights> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw fileError(error, file, "a safetensors file");
  }
  if (hash !== undefined && sha256(bytes) !== hash) throw hasChanged(file);
  const { tensors } = readSafetensors(bytes, file);
  return new Map([...tensors].map(([name, tensor]) => [name, singlePrecision(tensor).data as Float32Array]));
}

/** Trials of two files would be taken for those of one. */
export function hasChanged(file: string): UserError {
  return userError({
    where: file,
    required: "the file as it was when the study began",
    got: "another content",
    advice: "Leave it as it is while the study runs; the same command now makes the trials of the new one.",
  });
}
