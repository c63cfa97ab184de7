/** The networks that setup.ts had exported, as the tests see them. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, it } from "vitest";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.js";
import type { Tensor } from "../../src/graph/tensor.js";

/** Reasons by suite and export. */
const knownFailures = JSON.parse(readFileSync(new URL("known-failures.json", import.meta.url), "utf8")) as Record<
  "gradients" | "init" | "weights" | "refused" | "uncompared",
  Readonly<Record<string, string>>
>;

/** One network in one export. */
export interface ExportedNetwork {
  /** `model.variant` */
  readonly name: string;
  readonly model: string;
  readonly path: string;
  readonly variant: {
    readonly name: string;
    readonly exporter: string;
    readonly mode: "training" | "inference";
    readonly batch: "dynamic" | "one";
    readonly fresh: boolean;
    /** dynamo only */
    readonly optimize?: boolean;
  };
  /** Keys of the framework's state that belong to the head. */
  readonly head: readonly string[];
  /** Shapes by the framework's key. */
  readonly state: Readonly<Record<string, readonly number[]>>;
  /** File of the framework's own numbers. */
  readonly reference: string;
  /** Why the framework could not export it. */
  readonly failed?: string;
}

/** All exports, sorted by name. */
export function exportedNetworks(): ExportedNetwork[] {
  const folder = inject("zoo");
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => {
      const record = JSON.parse(readFileSync(join(folder, file), "utf8")) as ExportedNetwork;
      const name = file.slice(0, -".json".length);
      return { ...record, name, path: join(folder, `${name}.onnx`), reference: join(folder, record.reference) };
    });
}

/** The framework's own numbers for a network: see `reference` in export_models.py. */
export function readReference(network: ExportedNetwork): Map<string, Tensor> {
  return readSafetensors(readFileSync(network.reference), network.reference).tensors;
}

/** Writes the framework's own tensors, as `--state-dict` takes them. */
export function writeState(network: ExportedNetwork, path: string): void {
  const own = [...readReference(network)].filter(([key]) => key.startsWith("weights/"));
  writeFileSync(path, writeSafetensors(new Map(own.map(([key, value]) => [key.slice("weights/".length), value]))));
}

/** Part of the message with which init refuses this export; undefined where it must not. */
export function refusalOf(network: ExportedNetwork): string | undefined {
  return knownFailures.refused[network.name];
}

/** Does known-failures.json list this export under this suite? */
export function isKnownFailure(suite: keyof typeof knownFailures, network: ExportedNetwork): boolean {
  return network.name in knownFailures[suite];
}

/**
 * Why the gradients of an export cannot be compared on every machine: rounding decides them. Undefined for the others.
 */
export function uncomparedBecause(network: ExportedNetwork): string | undefined {
  return knownFailures.uncompared[network.name];
}

/**
 * A test of one export. One that known-failures.json lists under this suite must fail, so that the list stays true.
 */
export function testExport(
  suite: keyof typeof knownFailures,
  network: ExportedNetwork,
  body: () => Promise<void>,
): void {
  const reason = knownFailures[suite][network.name];
  it(reason === undefined ? network.name : `${network.name} (known failure: ${reason})`, async () => {
    let failure: unknown;
    try {
      if (network.failed) throw new Error(`the framework could not export it: ${network.failed}`);
      await body();
    } catch (error) {
      failure = error;
    }
    if (reason === undefined) {
      if (failure) throw failure;
    } else {
      expect(failure, "it passes now: remove it from known-failures.json").toBeDefined();
    }
  });
}
