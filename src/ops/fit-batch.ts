/** Models that were exported for batches of one size, on batches of another. */
import type { Value } from "../graph/builder.js";
import type { Node } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import type { Emitter } from "./emitter.js";
import { activationNames, elementwiseNames } from "./names.js";
import { intAttribute } from "./operator.js";

type Inputs = readonly (Value | undefined)[];

/** A node of the model whose inputs have the actual batch. */
interface Use {
  readonly node: Node;
  readonly inputs: Inputs;
  /** By input position: does it depend on the sample? */
  readonly fromSample: readonly boolean[];
}

export interface BatchSizes {
  /** The size of a batch that is written into the model. */
  readonly declared: number;
  /** The size of the batch that arrives. */
  readonly actual: number;
  /** Shapes of the model's values on a batch of the declared size, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/** Operators of two operands, which a batch of one size and copies for another do not fit. */
const broadcasting: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div"]);
const byElement: ReadonlySet<string> = new Set([...elementwiseNames, ...activationNames]);

/**
 * Walks a model that has the size of its batch written into it, in the graph's order: shapes that have the declared size
 * get the actual one, and what each sample of the batch is given a copy of is repeated.
 */
export class BatchFitter {
  readonly #emit: Emitter;
  readonly #sizes: BatchSizes;
  /**
   * How often the batch recurs within the axis that has it, by value, where that is not once: positions and samples may
   * share an axis, the positions first.
   */
  readonly #repeats = new Map<string, number>();

  constructor(emit: Emitter, sizes: BatchSizes) {
    this.#emit = emit;
    this.#sizes = sizes;
  }

  /** The inputs of a node, as they fit each other on the actual batch. */
  fit(use: Use): Inputs {
    const { op } = use.node;
    if (op === "Reshape") return this.#fitReshape(use);
    if (op === "Expand") return this.#fitExpand(use);
    if (op === "Resize") return this.#fitResize(use);
    if (op === "Concat") return this.#fitConcat(use);
    if (op === "Gather") return this.#fitGather(use);
    return broadcasting.has(op) ? this.#fitOperands(use) : use.inputs;
  }

  /** Takes note of where a node's outputs have the batch. */
  pass({ node, inputs, fromSample }: Use, outputs: readonly Value[]): void {
    const index = fromSample.indexOf(true);
    const name = node.inputs[index];
    const data = inputs[index];
    if (!data) return;
    // These may move the batch to another axis, but no element; Gather of a list does where it was fitted.
    const isRelaid =
      node.op === "Reshape" || node.op === "Flatten" || (node.op === "Gather" && data.shape.length === 1);
    const lead = isRelaid ? this.#leadOf(name, data) : undefined;
    node.outputs.forEach((output, place) => {
      const value = outputs[place];
      const axis = value && this.#axisOf(output, value);
      if (axis === undefined) return;
      const repeats = lead === undefined ? this.#repeatsOf(name) : lead / sizeOf(value.shape.slice(0, axis));
      if (repeats !== 1) this.#repeats.set(output, repeats);
    });
  }

  /** The one axis that is longer or shorter than on a batch of the declared size. */
  #axisOf(name: string, { shape }: Value): number | undefined {
    const { declared, actual, shapes } = this.#sizes;
    const before = shapes.get(name);
    if (before?.length !== shape.length) return undefined;
    const [axis, ...more] = shape.flatMap((size, index) => (size === before[index] ? [] : [index]));
    if (axis === undefined || more.length > 0) return undefined;
    return shape[axis] * declared === before[axis] * actual ? axis : undefined;
  }

  #repeatsOf(name: string): number {
    return this.#repeats.get(name) ?? 1;
  }

  /** How often the batch recurs in a value, row by row; no Reshape changes that. */
  #leadOf(name: string, value: Value): number | undefined {
    const axis = this.#axisOf(name, value);
    return axis === undefined ? undefined : sizeOf(value.shape.slice(0, axis)) * this.#repeatsOf(name);
  }

  #fitReshape({ node, inputs, fromSample }: Use): Inputs {
    const { declared, actual, shapes } = this.#sizes;
    const [data, shape] = inputs;
    const lead = data && fromSample[0] ? this.#leadOf(node.inputs[0], data) : undefined;
    const before = shapes.get(node.outputs[0]);
    if (lead === undefined || !before) return inputs;
    const sizes = sizesOf(shape);
    const axis = placeOfBatch(before, lead, declared);
    const isWritten = axis !== undefined && sizes[axis] === before[axis];
    return isWritten ? [data, this.#emit.ints(sizes.with(axis, (before[axis] / declared) * actual))] : inputs;
  }

  /** Gates and norms are expanded to what they are to multiply or divide. */
  #fitExpand({ node, inputs, fromSample }: Use): Inputs {
    const [data, shape] = inputs;
    const axis = data && fromSample[0] ? this.#axisOf(node.inputs[0], data) : undefined;
    if (!data || axis === undefined) return inputs;
    return [data, this.#withBatch(shape, sizesOf(shape).length - data.shape.length + axis, data.shape[axis])];
  }

  /** Maps are enlarged to a size that is given for all axes, the batch's too. */
  #fitResize({ node, inputs, fromSample }: Use): Inputs {
    const [data, ...others] = inputs;
    const axis = data && fromSample[0] ? this.#axisOf(node.inputs[0], data) : undefined;
    if (!data || axis === undefined) return inputs;
    const { axes } = node.attributes;
    const place = axes?.kind === "ints" ? axes.value.indexOf(axis) : axis;
    return [data, ...others.slice(0, 2), this.#withBatch(others[2], place, data.shape[axis])];
  }

  /** A list of sizes, which in one place gets the actual batch's where it has the declared one's. */
  #withBatch(list: Value | undefined, place: number, size: number): Value | undefined {
    const { declared, actual } = this.#sizes;
    const sizes = sizesOf(list);
    return sizes[place] * actual === size * declared ? this.#emit.ints(sizes.with(place, size)) : list;
  }

  /** All elements are laid out anew, as by PyTorch's as_strided behind a pool whose input had its channels last. */
  #fitGather({ node, inputs, fromSample }: Use): Inputs {
    const { declared, actual, shapes } = this.#sizes;
    const [data, places] = inputs;
    const lead = data && fromSample[0] ? this.#leadOf(node.inputs[0], data) : undefined;
    const [length, ...more] = shapes.get(node.inputs[0]) ?? [];
    if (lead === undefined || more.length > 0 || !places?.constant || sizeOf(places.shape) !== length) return inputs;
    const axis = placeOfBatch(places.shape, lead, declared);
    if (axis === undefined || !sizesOf(places).every((place, index) => place === index)) return inputs;
    const all = this.#emit.ints(Array.from({ length: (length / declared) * actual }, (_, index) => index));
    return [
      data,
      this.#emit.reshape(
        all,
        places.shape.map((size, index) => (index === axis ? (size / declared) * actual : size)),
      ),
    ];
  }

  /** A token is joined to each sample. */
  #fitConcat({ node, inputs, fromSample }: Use): Inputs {
    const { axis } = node.attributes;
    const index = fromSample.indexOf(true);
    const sampled = inputs[index];
    if (!sampled || this.#axisOf(node.inputs[index], sampled) !== 0) return inputs;
    if (axis?.kind !== "int" || axis.value === 0) return inputs;
    return inputs.map((value, place) => {
      const one = value && !fromSample[place] ? this.#oneOfBatch(value) : undefined;
      return one ? this.#emit.expand(one, [sampled.shape[0], ...one.shape.slice(1)]) : value;
    });
  }

  /** Something is added to each sample, as the identity to what PointNet turns points by. */
  #fitOperands({ node, inputs, fromSample }: Use): Inputs {
    const index = fromSample.indexOf(true);
    const sampled = inputs[index];
    // Beside another first axis, copies are what they seem.
    if (!sampled || this.#axisOf(node.inputs[index], sampled) !== 0) return inputs;
    return inputs.map((value, place) =>
      value && !fromSample[place] && value.shape.length === sampled.shape.length
        ? (this.#oneOfBatch(value) ?? value)
        : value,
    );
  }

  /** One of the copies that a batch of the declared size has, a batch of one; undefined where they may differ. */
  #oneOfBatch(value: Value): Value | undefined {
    const { declared } = this.#sizes;
    if (value.shape[0] !== declared) return undefined;
    if (declared === 1) return value;
    return this.#isRepeated(value) ? this.#emit.slice(value, [{ axis: 0, start: 0, end: 1 }]) : undefined;
  }

  /** Are all parts of a value along its first axis known to be alike? */
  #isRepeated(value: Value): boolean {
    const { constant, shape } = value;
    if (constant) {
      const { data } = constant;
      const size = sizeOf(shape.slice(1));
      return data.every((element, index) => Object.is(element, data[index % size]));
    }
    const node = this.#emit.producerOf(value);
    if (!node) return false;
    /** What is broadcast along the first axis is alike by that. */
    const isAlike = (input: Value | undefined): boolean =>
      !input || input.shape.length < shape.length || input.shape[0] === 1 || this.#isRepeated(input);
    const [first, , third] = node.inputs;
    if (node.op === "Expand") return isAlike(first);
    // A product of rows that are alike, such as the first states of recurrent cells, with a matrix.
    if (node.op === "Gemm")
      return intAttribute({ attributes: node.attributes }, "transA", 0) === 0 && isAlike(first) && isAlike(third);
    const { axis } = node.attributes;
    const isBehind = axis?.kind === "int" && axis.value !== 0 && axis.value !== -shape.length;
    if (node.op === "Split" && isBehind) return isAlike(first);
    return byElement.has(node.op) && node.inputs.every(isAlike);
  }
}

function sizesOf(shape: Value | undefined): number[] {
  return shape?.constant ? Array.from(shape.constant.data as BigInt64Array, Number) : [];
}

/**
 * The axis of a shape that has the batch, alone or together with others, where it recurs so often. A batch of one leaves
 * no trace in an axis that it shares: where it may be one of several, undefined.
 */
function placeOfBatch(shape: readonly number[], lead: number, declared: number): number | undefined {
  const places = shape.flatMap((size, axis) => {
    const before = sizeOf(shape.slice(0, axis));
    return lead % before === 0 && (before * size) % (lead * declared) === 0 ? [axis] : [];
  });
  return places.find((axis) => shape[axis] === declared) ?? (places.length === 1 ? places[0] : undefined);
}
