/** A checkpoint's file: a training state with what else a run needs to go on, and a hash by which damage shows. */
import { createHash } from "node:crypto";
import { UserError, userError } from "../errors.js";
import { readSafetensors, writeSafetensors } from "../formats/safetensors.js";
import { floatTensor } from "../graph/tensor.js";
import type { MetricSums, TailSums } from "../training/pretrain.js";

/** State after some steps. */
export interface Checkpoint {
  readonly step: number;
  readonly state: Map<string, Float32Array>;
  /** Metrics of the steps since the last line of metrics. */
  readonly sinceLine?: MetricSums;
  /** Those of the run's last steps. */
  readonly tail?: TailSums;
  /** Of self-training, a hash of the weights that it began with. */
  readonly start?: string;
}

/** A checkpoint as a safetensors file. */
export function writeCheckpoint({ step, state, sinceLine, tail, start }: Checkpoint): Uint8Array {
  const metrics = JSON.stringify({ sinceLine, tail, start });
  const tensors = new Map([...state].map(([name, elements]) => [name, floatTensor(elements)]));
  return writeSafetensors(tensors, { step: String(step), metrics, sha256: hashOf(String(step), metrics, state) });
}

/**
 * @param where names the file in messages
 * @throws UserError where it is not as it was written
 */
export function readCheckpoint(bytes: Uint8Array, where: string): Checkpoint {
  const { tensors, metadata } = readAsWritten(bytes, where);
  const { step = "", metrics = "", sha256 } = metadata;
  const state = new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array]));
  const isWhole = [...state.values()].every((elements) => elements instanceof Float32Array);
  if (!isWhole || sha256 !== hashOf(step, metrics, state)) throw damaged(where, "one whose content has changed");
  return { step: Number(step), state, ...(JSON.parse(metrics) as Pick<Checkpoint, "sinceLine" | "tail" | "start">) };
}

function readAsWritten(bytes: Uint8Array, where: string): ReturnType<typeof readSafetensors> {
  try {
    return readSafetensors(bytes, where);
  } catch (error) {
    throw error instanceof UserError ? damaged(where, "a file that is cut off or damaged") : error;
  }
}

function damaged(where: string, got: string): UserError {
  return userError({
    where,
    required: "a checkpoint as a run has written it",
    got,
    advice: "Remove it: the run, or its self-training, then begins at its first step when it is resumed.",
  });
}

/** A hash of tensors by their names. */
export function hashOfTensors(tensors: ReadonlyMap<string, Float32Array>): string {
  return hashOf("", "", tensors);
}

function hashOf(step: string, metrics: string, state: ReadonlyMap<string, Float32Array>): string {
  const hash = createHash("sha256").update(JSON.stringify([step, metrics]));
  for (const name of [...state.keys()].sort()) {
    const { buffer, byteOffset, byteLength, length } = state.get(name) as Float32Array;
    hash.update(JSON.stringify([name, length])).update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest("hex");
}
