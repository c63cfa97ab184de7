/**
 * Which of the framework's tensors a network's parameter is: by name, or, where an exporter has renamed, transposed or
 * merged them, by value.
 */
import { numbersOf, sizeOf, type Tensor } from "../../src/graph/tensor.js";

/** Parameters of the network and keys of the framework that hold the same numbers. */
export interface Match {
  readonly parameters: readonly string[];
  readonly keys: readonly { readonly key: string; readonly permutation: readonly number[] | undefined }[];
}

export interface Matching {
  readonly matches: readonly Match[];
  /** Parameters of the network that are none of the framework's tensors. */
  readonly strange: readonly string[];
  /** Keys of the framework that the network does not treat as parameters. */
  readonly missing: readonly string[];
}

/** How frameworks turn their tensors for ONNX, by rank: the axes of ours in theirs. */
const permutations: Readonly<Record<number, readonly (readonly number[])[]>> = {
  2: [[1, 0]],
  // Keras' [width, in, out] to [out, in, width]
  3: [[2, 1, 0]],
  // Keras' [height, width, in, out] to [out, in, height, width], and its depthwise kernels [h, w, channel, multiplier]
  4: [
    [3, 2, 0, 1],
    [2, 3, 0, 1],
  ],
};

/** Rearranges axes: axis i of the result is axis `permutation[i]` of the tensor. */
export function permuted(tensor: Tensor, permutation: readonly number[] | undefined): number[] {
  const numbers = numbersOf(tensor);
  if (!permutation) return numbers;
  const strides = tensor.shape.map((_, axis) => sizeOf(tensor.shape.slice(axis + 1)));
  const shape = permutation.map((axis) => tensor.shape[axis]);
  return numbers.map((_, position) => {
    let rest = position;
    let source = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += (rest % shape[axis]) * strides[permutation[axis]];
      rest = Math.floor(rest / shape[axis]);
    }
    return numbers[source];
  });
}

/** ‖a − b‖ / ‖b‖, or ‖a‖ where b is zero. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let size = 0;
  for (let index = 0; index < b.length; index++) {
    difference += (a[index] - b[index]) ** 2;
    size += b[index] ** 2;
  }
  return Math.sqrt(size === 0 ? difference : difference / size);
}

/** The same for a tensor in any order of its axes, so that what differs there need not be compared. */
function sizeOfNumbers(numbers: readonly number[]): number {
  let sum = 0;
  for (const number of numbers) sum += number * number;
  return Math.sqrt(sum);
}

/** Matches parameters with keys. */
export function matchParameters(parameters: ReadonlyMap<string, Tensor>, keys: ReadonlyMap<string, Tensor>): Matching {
  const found = new Map<string, Map<string, readonly number[] | undefined>>();
  const sizes = new Map([...keys].map(([key, tensor]) => [key, sizeOfNumbers(numbersOf(tensor))]));
  for (const [name, tensor] of parameters) {
    const numbers = numbersOf(tensor);
    const size = sizeOfNumbers(numbers);
    const same = new Map<string, readonly number[] | undefined>();
    for (const [key, candidate] of keys) {
      if (sizeOf(candidate.shape) !== numbers.length || Math.abs(sizes.get(key)! - size) > 1e-5 * size) continue;
      const ways = [undefined, ...(permutations[candidate.shape.length] ?? [])];
      const way = ways.findIndex((permutation) => relativeError(numbers, permuted(candidate, permutation)) < 1e-6);
      if (way >= 0) same.set(key, ways[way]);
    }
    // The name decides among equals.
    if (same.has(name)) for (const key of [...same.keys()]) if (parameters.has(key) && key !== name) same.delete(key);
    found.set(name, same);
  }
  // Parameters and keys that share a partner stand or fall together: a merged tensor's gradient is its keys' sum.
  const matches: { parameters: string[]; keys: Map<string, readonly number[] | undefined> }[] = [];
  for (const [name, same] of found) {
    const group = matches.find(({ keys: known }) => [...same.keys()].some((key) => known.has(key)));
    if (group) {
      group.parameters.push(name);
      for (const [key, way] of same) group.keys.set(key, way);
    } else if (same.size > 0) {
      matches.push({ parameters: [name], keys: new Map(same) });
    }
  }
  const matched = new Set(matches.flatMap(({ keys: known }) => [...known.keys()]));
  return {
    matches: matches.map((match) => ({
      parameters: match.parameters,
      keys: [...match.keys].map(([key, permutation]) => ({ key, permutation })),
    })),
    strange: [...found].filter(([, same]) => same.size === 0).map(([name]) => name),
    missing: [...keys.keys()].filter((key) => !matched.has(key)),
  };
}
