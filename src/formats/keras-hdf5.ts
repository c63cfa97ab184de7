/** HDF5 files of Keras, read and rewritten in memory by the HDF5 library in WebAssembly. */
import type { Dataset, Entity, File, Group } from "h5wasm";
import { UserError, userError } from "../errors.js";
import { sizeOf } from "../graph/tensor.js";
import { type LayerPlace, matchName, nameOf, type VariableSpec, type VariableStore } from "./keras-variables.js";

/** Compressed data may take this many times its bytes; Keras does not compress. */
const mostExpansion = 200;

/** The first bytes of every HDF5 file. */
const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

let files = 0;

/** Whether bytes begin as every HDF5 file does. */
export function isHdf5(bytes: Uint8Array): boolean {
  return signature.every((byte, index) => bytes[index] === byte);
}

/** Loads the library, which takes a while, only where there is an HDF5 file to read. */
async function library() {
  const { default: h5wasm } = await import("h5wasm");
  const module = await h5wasm.ready;
  // Errors are thrown, not printed.
  module.activate_throwing_error_handler();
  return { h5wasm, module };
}

/**
 * Runs `body` on an HDF5 file that lives in the library's own memory: nothing outside can be reached from it.
 *
 * @returns what `body` gives, and the file's bytes once it is closed, which clears the mark of a file that is in use
 */
async function withFile<Result>(
  bytes: Uint8Array,
  mode: "r" | "a",
  where: string,
  body: (file: File) => Result,
): Promise<{ result: Result; bytes: Uint8Array }> {
  const { h5wasm, module } = await library();
  const path = `/${files++}.h5`;
  module.FS.writeFile(path, bytes);
  let file: File | undefined;
  try {
    file = new h5wasm.File(path, mode);
    const result = body(file);
    file.close();
    file = undefined;
    return { result, bytes: mode === "r" ? bytes : (module.FS.readFile(path) as Uint8Array) };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw userError({
      where,
      required: "a sound HDF5 file",
      got: "one that cannot be read",
      advice: "Check that it is whole; save the model again.",
    });
  } finally {
    try {
      file?.close();
    } catch {
      // What could not be read may not close either.
    }
    module.FS.unlink(path);
  }
}

/** What a Keras HDF5 file holds. */
export interface Hdf5Weights {
  readonly store: VariableStore;
  /** Attributes of the whole file that are texts, such as model_config. */
  readonly attributes: Readonly<Record<string, string>>;
}

/**
 * Reads all floating-point weights of an HDF5 file.
 *
 * @param layout "groups": model.weights.h5 of a .keras file, a group a layer; "names": a whole model in one HDF5 file,
 *   which lists the names of each layer's weights
 */
export async function readHdf5(bytes: Uint8Array, layout: "groups" | "names", where: string): Promise<Hdf5Weights> {
  const { result } = await withFile(bytes, "r", where, (file) => {
    const attributes: Record<string, string> = {};
    for (const [name, attribute] of Object.entries(file.attrs)) {
      const { value } = attribute;
      if (typeof value === "string") attributes[name] = value;
    }
    const datasets = new Map<string, Stored>();
    const layers = new Map<string, readonly string[]>();
    const root = layout === "names" && file.get("model_weights") ? "model_weights" : "";
    for (const path of file.paths()) {
      const entity = file.get(path);
      if (isDataset(entity)) datasets.set(path, readStored(entity, bytes.length, `${where}: ${path}`));
    }
    if (layout === "names") {
      const group = (root === "" ? file : file.get(root)) as Group;
      for (const layer of listAttribute(group, "layer_names")) {
        const inner = group.get(layer);
        if (isGroup(inner)) layers.set(layer, listAttribute(inner, "weight_names"));
      }
    }
    return { attributes, store: storeOf(datasets, layout, root, layers, where) };
  });
  return result;
}

/** The same file with other elements in these datasets. */
export async function rewriteHdf5(
  bytes: Uint8Array,
  replacements: ReadonlyMap<string, Float32Array>,
  where: string,
): Promise<Uint8Array> {
  const written = await withFile(bytes, "a", where, (file) => {
    for (const [path, data] of replacements) {
      const dataset = file.get(path);
      if (!isDataset(dataset)) throw new Error(`${path} is no dataset`);
      // A scalar has no slices, and no weight that is trained is one.
      dataset.write_slice(
        (dataset.shape ?? []).map(() => []),
        data,
      );
    }
  });
  return written.bytes;
}

/** Types of HDF5's elements that Keras gives weights. */
const typeNames: Readonly<Record<string, string>> = { "<d": "float64", "<e": "float16" };

interface Stored {
  readonly shape: readonly number[];
  readonly type: string;
  /** undefined where the elements are no float32 numbers. */
  readonly data: Float32Array | undefined;
}

function isDataset(entity: Entity | null): entity is Dataset {
  return String(entity && "type" in entity && entity.type) === "Dataset";
}

function isGroup(entity: Entity | null): entity is Group {
  return String(entity && "type" in entity && entity.type) === "Group";
}

/** An attribute with a list of texts, which Keras splits into name0, name1, ... where it is long. */
function listAttribute(group: Group, name: string): string[] {
  const { attrs } = group;
  const texts = (key: string): string[] => {
    const value = attrs[key]?.value;
    return Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === "string") : [];
  };
  if (attrs[name]) return texts(name);
  const all: string[] = [];
  for (let part = 0; attrs[`${name}${part}`]; part++) all.push(...texts(`${name}${part}`));
  return all;
}

/** Everything is read before the file closes; elements of other types than float32 stay unread. */
function readStored(dataset: Dataset, fileSize: number, where: string): Stored {
  const { size, chunks, vlen } = dataset.metadata;
  const shape = dataset.metadata.shape ?? [];
  const type = String(dataset.dtype);
  if (vlen || type !== "<f" || size !== 4) return { shape, type, data: undefined };
  const needed = sizeOf(shape) * size;
  if (needed > fileSize * (chunks ? mostExpansion : 1))
    throw userError({
      where,
      required: "a dataset within the file",
      got: `${needed} bytes in a file of ${fileSize}`,
      advice: "The file is damaged; save the model again.",
    });
  const { value } = dataset;
  // A dataset without axes is a number by itself.
  const elements = typeof value === "number" ? Float32Array.of(value) : value;
  return { shape, type, data: elements instanceof Float32Array ? elements : undefined };
}

function storeOf(
  datasets: ReadonlyMap<string, Stored>,
  layout: "groups" | "names",
  root: string,
  layers: ReadonlyMap<string, readonly string[]>,
  where: string,
): VariableStore {
  const pathOf = (place: LayerPlace, variable: VariableSpec): string | undefined => {
    if (layout === "groups") return `${place.group}/vars/${variable.index}`;
    const names = layers.get(place.names[0]);
    if (!names) return undefined;
    const byPlace = place.names.length === 1 ? (place.part?.first ?? 0) + variable.index : undefined;
    const index = matchName(names, place, variable.name) ?? byPlace;
    const name = index === undefined ? undefined : names[index];
    return name === undefined ? undefined : `${root === "" ? "" : `${root}/`}${place.names[0]}/${name}`;
  };
  return {
    read(place, variable) {
      const key = pathOf(place, variable);
      const stored = key === undefined ? undefined : datasets.get(key);
      const name = `${nameOf(place)}/${variable.name}`;
      const fail = (required: string, got: string, advice = "Save the model again with Keras 3."): UserError =>
        userError({ where: `${where}: ${name}`, required, got, advice });
      if (key === undefined || !stored)
        throw fail(
          "weights for every layer",
          "none",
          layout === "names"
            ? "Save the model as a .keras file, in which layers of one name are not confused."
            : "Call the model once, so that it has all of them, and save it again.",
        );
      if (stored.shape.join() !== variable.shape.join())
        throw fail(`the shape [${variable.shape.join(", ")}]`, `[${stored.shape.join(", ")}]`);
      if (!stored.data)
        throw fail(
          "float32 elements",
          typeNames[stored.type] ?? "elements of another type, such as bfloat16",
          "Build the model under the dtype policy float32, or mixed_float16, whose weights are float32 too, load the weights into it, and save it.",
        );
      return { key, data: stored.data };
    },
  };
}
