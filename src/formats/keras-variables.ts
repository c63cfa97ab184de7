/** Weights as Keras and TensorFlow.js store them, and their way into ONNX's layout and back. */
import { type FloatTensor, floatTensor } from "../graph/tensor.js";
import { inverseOf, transposed } from "./transposed.js";

/** A layer's place in its model. */
export interface LayerPlace {
  /** Names of the models that hold the layer, without the outermost, then the layer's own. */
  readonly names: readonly string[];
  /**
   * The group in which Keras 3 stores the weights: class names in snake case, numbered, such as layers/conv2d_1, and
   * behind them the attributes that lead to a part of the layer, such as forward_layer/cell.
   */
  readonly group: string;
  /** Set where a part of the layer holds the weights: the layer in a wrapper, a recurrent layer's cell. */
  readonly part?: {
    /** Names behind the layer's own, such as forward_lstm and lstm_cell. */
    readonly names: readonly string[];
    /** How many of the layer's weights come before the part's. */
    readonly first: number;
  };
}

/** A layer's name in its model, and that of its part. */
export function nameOf({ names, part }: LayerPlace): string {
  return [...names, ...(part?.names ?? [])].join("/");
}

/** One of a layer's weights. */
export interface VariableSpec {
  /** Keras' name of it, such as kernel. */
  readonly name: string;
  /** Its place among the weights of the layer, or of its part. */
  readonly index: number;
  /** As Keras has it. */
  readonly shape: readonly number[];
}

/** Where the elements of weights lie. */
export interface VariableStore {
  /**
   * Finds a weight's elements.
   *
   * @returns them with a key under which they are written back
   * @throws UserError where there are none, or where they are no float32 elements of this shape
   */
  read(place: LayerPlace, variable: VariableSpec): { readonly key: string; readonly data: Float32Array };
}

/** How a weight stands in the graph: its axes permuted, then in another shape of the same elements. */
export interface Conversion {
  readonly key: string;
  /** Shape in the file. */
  readonly stored: readonly number[];
  readonly permutation: readonly number[] | undefined;
  /** Shape in the graph. */
  readonly shape: readonly number[];
}

/** From the file's layout to the graph's. */
export function toGraph(data: Float32Array, { stored, permutation, shape }: Conversion): FloatTensor {
  return floatTensor(permutation ? transposed(data, stored, permutation) : data, shape);
}

/** From the graph's layout to the file's. */
export function toStored(data: Float32Array, { stored, permutation }: Conversion): FloatTensor {
  if (!permutation) return floatTensor(data, stored);
  const shape = permutation.map((axis) => stored[axis]);
  return floatTensor(transposed(data, shape, inverseOf(permutation)), stored);
}

/** Cells by the names that Keras gives them, which some of its versions number. */
const cellName = /^(lstm|gru|simple_rnn)_cell(_\d+)?$/;

/**
 * Finds a weight by the names in a file, which may begin with the names of models around the layer or lack them, and may
 * end in ":0". Those of cells are there or not, and so are those of layers in a wrapper.
 *
 * @returns the index among `names`, or undefined where no name or more than one fits
 */
export function matchName(names: readonly string[], place: LayerPlace, variable: string): number | undefined {
  const inside = (place.part?.names ?? []).filter((name) => !cellName.test(name));
  const parts = names.map((name) => {
    const segments = name.replace(/:\d+$/, "").split("/");
    const isCell = place.part !== undefined && cellName.test(segments.at(-2) ?? "");
    return isCell ? segments.toSpliced(-2, 1) : segments;
  });
  // The longest agreement first: a nested layer may be called as one outside is.
  const wanted = [place.names, ...place.names.map((_, index) => place.names.slice(index + 1))].flatMap((around) => [
    ...(inside.length > 0 ? [[...around, ...inside, variable]] : []),
    [...around, variable],
  ]);
  for (const segments of wanted) {
    const { length } = segments;
    if (length < 2) continue;
    const tail = segments.join("/");
    const fits = parts.flatMap((other, index) => (other.slice(-length).join("/") === tail ? [index] : []));
    // A name without any prefix is meant before one with.
    const exact = fits.filter((index) => parts[index].length === length);
    if (exact.length === 1) return exact[0];
    if (fits.length === 1) return fits[0];
    if (fits.length > 1) return undefined;
  }
  return undefined;
}
