/** Weights that a study's arms start from, and files that must stay as they were. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileError, UserError, userError } from "../errors.js";
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

/**
 * Tensors of a file that a pretraining of the study has written.
 *
 * @param record the file of its record, which is written after its weights
 * @throws UserError where the weights are gone, damaged or others
 */
export async function readPretrained(file: string, hash: string | undefined, record: string): Promise<Weights> {
  try {
    return await readStudyWeights(file, hash);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw userError({
      where: file,
      required: "weights as a pretraining of the study has written them",
      got: existsSync(file) ? "a file that has changed" : "nothing there",
      advice: `Remove ${record}: the same command then pretrains again.`,
    });
  }
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
