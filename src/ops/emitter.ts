/**
 * Writes nodes: applies the shape rule, folds what is constant, leaves out what changes nothing, and offers the common
 * operators as methods so that rules read like formulas.
 */
import { GraphBuilder, type Value, type ValueType } from "../graph/builder.js";
import { type Attributes, attribute } from "../graph/graph.js";
import { type DataType, floatTensor, intTensor, sizeOf, type Tensor } from "../graph/tensor.js";
import { RuleError } from "./operator.js";
import { operatorOf } from "./table.js";

/** Folding is for shape arithmetic and small tables, not for weights: ONNX Runtime folds larger constants quicker. */
const largestFolded = 8192;

/** A region along one axis, as ONNX Slice has it. */
export interface SliceRange {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step?: number;
}

/** Settings of Conv and ConvTranspose; missing ones have ONNX's defaults. Pads: all begins, then all ends. */
export interface ConvolutionSettings {
  readonly strides?: readonly number[];
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly group?: number;
  /** ConvTranspose only. */
  readonly outputPadding?: readonly number[];
}

/**
 * Builds a graph by operators of the table: shapes of what they give are known at once, what is constant is folded, and
 * what changes nothing, such as a product with one, adds no node.
 *
 * @throws RuleError where an operator is not known, or inputs or attributes do not fit it
 */
export class Emitter extends GraphBuilder {
  /** Adds any operator of the table and gives its outputs. */
  node(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes = {},
    outputCount = 1,
  ): readonly Value[] {
    const operator = operatorOf(op);
    if (!operator) throw new RuleError(`the operator ${op} is not supported`);
    const context = { op, inputs, attributes, outputCount };
    const types = operator.shape(context);
    if (operator.fold && types.every(({ shape }) => isSmall(shape))) {
      // Shape and Size need their input's shape only, so that they fold whatever the input is.
      const needsElements = op !== "Shape" && op !== "Size";
      const constants = inputs.map((input) => input?.constant);
      const areKnown = inputs.every((input, index) => !input || (constants[index] && !isWideAndEmpty(input)));
      if (!needsElements || areKnown) {
        const present = constants.filter((tensor): tensor is Tensor => tensor !== undefined);
        return operator.fold(context, present, types).map((tensor) => this.constant(tensor));
      }
    }
    return this.append(op, inputs, attributes, types);
  }

  /** Adds an operator with one output. */
  one(op: string, inputs: readonly (Value | undefined)[], attributes: Attributes = {}): Value {
    return this.node(op, inputs, attributes)[0];
  }

  /** A constant number of rank 0. */
  scalar(value: number, type: DataType = "float32"): Value {
    if (type === "float32") return this.constant(floatTensor([value], []));
    if (type === "int64") return this.constant(intTensor([value], []));
    return this.cast(this.scalar(value), type);
  }

  /** A constant int64 vector. */
  ints(values: readonly number[]): Value {
    return this.constant(intTensor(values));
  }

  /** A float32 constant of one number everywhere, in this shape. */
  filled(value: number, shape: readonly number[]): Value {
    return this.expand(this.scalar(value), shape);
  }

  add(a: Value, b: Value): Value {
    if (isNumber(b, 0) && covers(a, b)) return a;
    if (isNumber(a, 0) && covers(b, a)) return b;
    return this.one("Add", [a, b]);
  }
  subtract(a: Value, b: Value): Value {
    return isNumber(b, 0) && covers(a, b) ? a : this.one("Sub", [a, b]);
  }
  multiply(a: Value, b: Value): Value {
    if (isNumber(b, 1) && covers(a, b)) return a;
    if (isNumber(a, 1) && covers(b, a)) return b;
    return this.one("Mul", [a, b]);
  }
  /** A value times a known number. */
  scale(a: Value, factor: number): Value {
    return this.multiply(a, this.scalar(factor, a.type));
  }
  /** A value plus a known number. */
  shift(a: Value, summand: number): Value {
    return this.add(a, this.scalar(summand, a.type));
  }
  divide(a: Value, b: Value): Value {
    return isNumber(b, 1) && covers(a, b) ? a : this.one("Div", [a, b]);
  }
  square(a: Value): Value {
    return this.multiply(a, a);
  }
  negate = (a: Value): Value => this.one("Neg", [a]);
  power = (a: Value, b: Value): Value => this.one("Pow", [a, b]);
  squareRoot = (a: Value): Value => this.one("Sqrt", [a]);
  exponential = (a: Value): Value => this.one("Exp", [a]);
  logarithm = (a: Value): Value => this.one("Log", [a]);
  absolute = (a: Value): Value => this.one("Abs", [a]);
  sign = (a: Value): Value => this.one("Sign", [a]);
  maximum = (a: Value, b: Value): Value => this.one("Max", [a, b]);
  minimum = (a: Value, b: Value): Value => this.one("Min", [a, b]);
  relu = (a: Value): Value => this.one("Relu", [a]);
  sigmoid = (a: Value): Value => this.one("Sigmoid", [a]);
  tanh = (a: Value): Value => this.one("Tanh", [a]);
  softplus = (a: Value): Value => this.one("Softplus", [a]);
  greater = (a: Value, b: Value): Value => this.one("Greater", [a, b]);
  less = (a: Value, b: Value): Value => this.one("Less", [a, b]);
  equal = (a: Value, b: Value): Value => this.one("Equal", [a, b]);
  where = (condition: Value, a: Value, b: Value): Value => this.one("Where", [condition, a, b]);
  matmul = (a: Value, b: Value): Value => this.one("MatMul", [a, b]);

  /** 1 where the condition holds, else 0, as float32. */
  indicator(condition: Value): Value {
    return this.cast(condition, "float32");
  }

  cast(a: Value, type: DataType): Value {
    if (a.type === type) return a;
    return this.one("Cast", [a], { to: attribute.int(dataTypeNumber(type)) });
  }

  reshape(a: Value, shape: readonly number[]): Value {
    if (sameShape(a.shape, shape)) return a;
    return this.one("Reshape", [a, this.ints(shape)], { allowzero: attribute.int(1) });
  }

  transpose(a: Value, permutation: readonly number[]): Value {
    if (permutation.every((axis, index) => axis === index)) return a;
    return this.one("Transpose", [a], { perm: attribute.ints(permutation) });
  }

  /** The transpose of the last two axes. */
  transposeMatrix(a: Value): Value {
    const rank = a.shape.length;
    const permutation = a.shape.map((_, axis) => axis);
    permutation[rank - 1] = rank - 2;
    permutation[rank - 2] = rank - 1;
    return this.transpose(a, permutation);
  }

  expand(a: Value, shape: readonly number[]): Value {
    if (sameShape(a.shape, shape)) return a;
    return this.one("Expand", [a, this.ints(shape)]);
  }

  unsqueeze(a: Value, axes: readonly number[]): Value {
    return axes.length === 0 ? a : this.one("Unsqueeze", [a, this.ints(axes)]);
  }

  reduceSum(a: Value, axes?: readonly number[], keepDimensions = false): Value {
    return this.#reduce("ReduceSum", a, axes, keepDimensions);
  }
  reduceMean(a: Value, axes?: readonly number[], keepDimensions = false): Value {
    return this.#reduce("ReduceMean", a, axes, keepDimensions);
  }
  reduceMax(a: Value, axes?: readonly number[], keepDimensions = false): Value {
    return this.#reduce("ReduceMax", a, axes, keepDimensions);
  }

  slice(a: Value, ranges: readonly SliceRange[]): Value {
    const kept = ranges.filter(
      ({ axis, start, end, step }) => !(start === 0 && end >= a.shape[axis] && (step ?? 1) === 1),
    );
    if (kept.length === 0) return a;
    return this.one("Slice", [
      a,
      this.ints(kept.map(({ start }) => start)),
      this.ints(kept.map(({ end }) => end)),
      this.ints(kept.map(({ axis }) => axis)),
      this.ints(kept.map(({ step }) => step ?? 1)),
    ]);
  }

  concat(parts: readonly Value[], axis: number): Value {
    return parts.length === 1 ? parts[0] : this.one("Concat", parts, { axis: attribute.int(axis) });
  }

  /** Zero padding: all begins, then all ends, one number an axis each. Negative numbers crop. */
  pad(a: Value, pads: readonly number[]): Value {
    if (pads.every((amount) => amount === 0)) return a;
    return this.one("Pad", [a, this.ints(pads)]);
  }

  convolution(x: Value, weight: Value, bias: Value | undefined, settings: ConvolutionSettings = {}): Value {
    return this.one("Conv", [x, weight, bias], convolutionAttributes(weight, settings));
  }

  transposedConvolution(x: Value, weight: Value, bias: Value | undefined, settings: ConvolutionSettings = {}): Value {
    return this.one("ConvTranspose", [x, weight, bias], convolutionAttributes(weight, settings));
  }

  /** Sums a gradient that has a broadcast shape down to the shape of the operand it belongs to. */
  sumToShape(a: Value, shape: readonly number[]): Value {
    if (sameShape(a.shape, shape)) return a;
    const extra = a.shape.length - shape.length;
    if (extra < 0) return this.expand(a, shape);
    const axes = a.shape.flatMap((dimension, axis) =>
      axis < extra || (shape[axis - extra] === 1 && dimension !== 1) ? [axis] : [],
    );
    const summed = axes.length > 0 ? this.reduceSum(a, axes, true) : a;
    return sameShape(summed.shape.slice(extra), shape)
      ? this.reshape(summed, shape)
      : this.expand(this.reshape(summed, summed.shape.slice(extra)), shape);
  }

  #reduce(op: string, a: Value, axes: readonly number[] | undefined, keepDimensions: boolean): Value {
    const all = axes ?? a.shape.map((_, axis) => axis);
    if (all.length === 0) return a;
    return this.one(op, [a, this.ints(all)], { keepdims: attribute.int(keepDimensions ? 1 : 0) });
  }
}

function convolutionAttributes(weight: Value, settings: ConvolutionSettings): Attributes {
  const attributes: Record<string, Attributes[string]> = { kernel_shape: attribute.ints(weight.shape.slice(2)) };
  if (settings.strides) attributes.strides = attribute.ints(settings.strides);
  if (settings.pads) attributes.pads = attribute.ints(settings.pads);
  if (settings.dilations) attributes.dilations = attribute.ints(settings.dilations);
  if (settings.group !== undefined && settings.group !== 1) attributes.group = attribute.int(settings.group);
  if (settings.outputPadding?.some((amount) => amount !== 0))
    attributes.output_padding = attribute.ints(settings.outputPadding);
  return attributes;
}

/** Whether two shapes are equal, axis by axis: no broadcasting. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

function isNumber(a: Value, number: number): boolean {
  return (
    a.constant !== undefined &&
    sizeOf(a.shape) === 1 &&
    Number((a.constant.data as ArrayLike<number | bigint>)[0]) === number
  );
}

/** Few positions on all axes together: beside an axis of no elements others may be as long as a file says. */
function isSmall(shape: readonly number[]): boolean {
  return sizeOf(shape.map((dimension) => Math.max(dimension, 1))) <= largestFolded;
}

function isWideAndEmpty({ shape }: ValueType): boolean {
  return sizeOf(shape) === 0 && !isSmall(shape);
}

/** True where broadcasting b against a leaves a's shape as it is. */
function covers(a: ValueType, b: ValueType): boolean {
  return b.shape.length <= a.shape.length;
}

const numbers: Partial<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

/** TensorProto.DataType's number of a type, as Cast's attribute has it. */
export function dataTypeNumber(type: DataType): number {
  const number = numbers[type];
  if (number === undefined) throw new RuleError(`Cast to ${type} is not supported`);
  return number;
}
