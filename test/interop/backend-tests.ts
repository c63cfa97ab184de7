/** ONNX's own backend tests, as export_onnx_tests.py wrote them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { TensorProtoSchema } from "onnx-buf";
import { inject } from "vitest";
import { readTensor } from "../../src/formats/onnx-tensor.js";
import type { Tensor } from "../../src/graph/tensor.js";

/** How far results may be from the expected ones: |a − b| ≤ absolute + relative · |b|. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** One test: a model and what it makes of some inputs. */
export interface BackendTest {
  /** `kind/test_name` */
  readonly name: string;
  readonly kind: "node" | "simple" | "pytorch-converted" | "pytorch-operator" | "light";
  readonly bytes: Uint8Array;
  readonly tolerance: Tolerance;
  /** Reads the inputs and outputs of each set, by position. Throws where one is no tensor. */
  readonly readData: () => { readonly inputs: readonly Tensor[]; readonly outputs: readonly Tensor[] }[];
}

const folder = (): string => join(inject("zoo"), "onnx");

/** Where a test's model lies. */
export function modelPath(name: string): string {
  return join(folder(), name, "model.onnx");
}

/** All tests, sorted by name. */
export function backendTests(): BackendTest[] {
  const tolerances = JSON.parse(readFileSync(join(folder(), "tolerances.json"), "utf8")) as Record<string, Tolerance>;
  return Object.keys(tolerances)
    .sort()
    .map((name): BackendTest => {
      const path = join(folder(), name);
      return {
        name,
        kind: name.split("/")[0] as BackendTest["kind"],
        bytes: readFileSync(modelPath(name)),
        tolerance: tolerances[name],
        readData: () =>
          readdirSync(path)
            .filter((entry) => entry.startsWith("test_data_set_"))
            .map((set) => ({
              inputs: readTensors(join(path, set), "input"),
              outputs: readTensors(join(path, set), "output"),
            })),
      };
    });
}

function readTensors(folder: string, direction: "input" | "output"): Tensor[] {
  return readdirSync(folder)
    .flatMap((file) => new RegExp(`^${direction}_(\\d+)\\.pb$`).exec(file)?.[1] ?? [])
    .sort((a, b) => Number(a) - Number(b))
    .map((position) => {
      const where = join(folder, `${direction}_${position}.pb`);
      return readTensor(fromBinary(TensorProtoSchema, readFileSync(where)), { where });
    });
}
