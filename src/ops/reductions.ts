/** Operators that run along axes: sums, extremes, positions of extremes, cumulative sums. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { type DataType, isFloating, sizeOf, type Tensor } from "../graph/tensor.js";
import { likeFirstInput } from "./elementwise.js";
import {
  type Element,
  elementsOf,
  type Kernel,
  largerInteger,
  smallerInteger,
  tensorOfElements,
} from "./fold-elementwise.js";
import type { ReductionName } from "./names.js";
import {
  type GradientContext,
  type InputGradient,
  intAttribute,
  type NodeContext,
  normalizedAxis,
  type Operator,
  RuleError,
  requiredInput,
  type ShapeRule,
  wholeNumbersOf,
} from "./operator.js";

/** The axes a reduction runs over, ascending: those of its second input, else all, or none where it says so. */
function reducedAxes(node: NodeContext): number[] {
  const rank = requiredInput(node, 0).shape.length;
  const axes = wholeNumbersOf(node, 1) ?? [];
  if (axes.length > 0)
    return [...new Set(axes.map((axis) => normalizedAxis(axis, rank, node.op)))].sort((a, b) => a - b);
  if (intAttribute(node, "noop_with_empty_axes", 0) === 1) return [];
  return Array.from({ length: rank }, (_, axis) => axis);
}

/** A shape whose given axes have shrunk to 1. */
function withOnes(shape: readonly number[], axes: readonly number[]): number[] {
  return shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension));
}

const reducedShape: ShapeRule = (node) => {
  const { type, shape } = requiredInput(node, 0);
  const axes = reducedAxes(node);
  if (intAttribute(node, "keepdims", 1) === 1) return [{ type, shape: withOnes(shape, axes) }];
  return [{ type, shape: shape.filter((_, axis) => !axes.includes(axis)) }];
};

/** What a reduction's gradient is written with; `spread` keeps the reduced axes as ones, so that it broadcasts to x. */
interface Reduction {
  readonly emit: GradientContext["emit"];
  readonly x: Value;
  readonly axes: readonly number[];
  /** How many elements were reduced to one. */
  readonly count: number;
  /** The gradient that arrived. */
  readonly g: Value;
  /** The output. */
  readonly y: Value;
}

/**
 * @param kernel what folding makes of two elements
 * @param empty what a reduction of no elements gives; the lowest and highest whole numbers are not known here
 */
function reduction(gradient: (reduction: Reduction) => Value, kernel?: Kernel, empty?: number): Operator {
  const rule: InputGradient = (context) => {
    const { emit } = context;
    const x = context.inputs[0]!;
    const axes = reducedAxes(context);
    const kept = withOnes(x.shape, axes);
    const count = sizeOf(x.shape) / sizeOf(kept);
    const [g, y] = [emit.reshape(context.gradient, kept), emit.reshape(context.outputs[0], kept)];
    return gradient({ emit, x, axes, count, g, y });
  };
  return { shape: reducedShape, gradient: [rule, "none"], ...(kernel && { fold: foldReduction(kernel, empty) }) };
}

/** Folds with a function of two elements. */
function foldReduction(kernel: Kernel, empty: number | undefined): NonNullable<Operator["fold"]> {
  return (node, [x], [{ shape, type }]) => {
    const combine = (isFloating(x.type) ? kernel.float : kernel.integer) as
      | ((a: Element, b: Element) => Element)
      | undefined;
    if (!combine) throw new RuleError(`${node.op} does not take the type ${x.type}`);
    const axes = reducedAxes(node);
    const results = new Array<Element | undefined>(sizeOf(shape)).fill(undefined);
    const offsets = offsetsOfReduced(x, axes);
    elementsOf(x).forEach((element, index) => {
      const before = results[offsets[index]];
      results[offsets[index]] = before === undefined ? element : combine(before, element);
    });
    const ofNone = emptyElement(empty, type);
    const all = results.map((result) => {
      const element = result ?? ofNone;
      if (element === undefined) throw new RuleError(`${node.op} of no elements`);
      return element;
    });
    return [tensorOfElements(type, shape, all)];
  };
}

function emptyElement(empty: number | undefined, type: DataType): Element | undefined {
  if (empty === undefined || isFloating(type)) return empty;
  if (Number.isFinite(empty)) return BigInt(empty);
  return type === "bool" ? BigInt(empty > 0) : undefined;
}

/** For each element of x, in order, the position of the result it goes into. */
function offsetsOfReduced(x: Tensor, axes: readonly number[]): number[] {
  let offsets = [0];
  x.shape.forEach((dimension, axis) => {
    const reduced = axes.includes(axis);
    offsets = offsets.flatMap((offset) =>
      Array.from({ length: dimension }, (_, position) => (reduced ? offset : offset * dimension + position)),
    );
  });
  return offsets;
}

/** ReduceMax and ReduceMin: equal extremes share the gradient equally. */
const sharedAmongTies = ({ emit, x, axes, g, y }: Reduction): Value => {
  const ties = emit.cast(emit.equal(x, y), x.type);
  return emit.multiply(ties, emit.divide(g, emit.reduceSum(ties, axes, true)));
};

/**
 * ReduceProd, ∂: g times the product of the others, which is that of all before times that of all behind. Quotients y/x would
 * be fewer nodes, but say nothing where factors are 0, nor have their gradients the right value there.
 */
const productSlope = ({ emit, x, axes, g }: Reduction): Value => {
  const kept = x.shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  const order = [...kept, ...axes];
  const ordered = emit.transpose(x, order);
  const count = sizeOf(axes.map((axis) => x.shape[axis]));
  const rows = emit.reshape(ordered, [sizeOf(kept.map((axis) => x.shape[axis])), count]);
  const others = emit.multiply(productsOfNeighbours(emit, rows, -1), productsOfNeighbours(emit, rows, 1));
  const inverse = order.map((_, axis) => order.indexOf(axis));
  return emit.multiply(g, emit.transpose(emit.reshape(others, ordered.shape), inverse));
};

/** For each element of a matrix the product of all before it in its row (direction −1), or of all behind it (1). */
function productsOfNeighbours(emit: GradientContext["emit"], rows: Value, direction: -1 | 1): Value {
  const [height, width] = rows.shape;
  // Elements moved along the row by some places, ones in theirs.
  const moved = (value: Value, places: number): Value => {
    const count = Math.min(places, width);
    const ones = emit.filled(1, [height, count]);
    const [start, end] = direction === -1 ? [0, width - count] : [count, width];
    const rest = emit.slice(value, [{ axis: 1, start, end }]);
    return emit.concat(direction === -1 ? [ones, rest] : [rest, ones], 1);
  };
  let products = moved(rows, 1);
  // Now of one neighbour; each round makes it of twice as many.
  for (let places = 1; places < width - 1; places *= 2) products = emit.multiply(products, moved(products, places));
  return products;
}

/** ArgMax and ArgMin. */
const position: Operator = {
  shape: (node) => {
    const { shape } = requiredInput(node, 0);
    const axis = normalizedAxis(intAttribute(node, "axis", 0), shape.length, node.op);
    const keep = intAttribute(node, "keepdims", 1) === 1;
    return [{ type: "int64", shape: keep ? withOnes(shape, [axis]) : shape.filter((_, other) => other !== axis) }];
  },
  gradient: "none",
};

/** Shape rules and gradients of reductions. */
export const reductions: Record<ReductionName, Operator> = {
  ReduceSum: reduction(({ g }) => g, { float: (a, b) => a + b, integer: (a, b) => a + b }, 0),
  ReduceMean: reduction(({ emit, g, count }) => emit.scale(g, 1 / count)),
  ReduceMax: reduction(sharedAmongTies, { float: Math.max, integer: largerInteger }, Number.NEGATIVE_INFINITY),
  ReduceMin: reduction(sharedAmongTies, { float: Math.min, integer: smallerInteger }, Number.POSITIVE_INFINITY),
  ReduceProd: reduction(productSlope, { float: (a, b) => a * b, integer: (a, b) => a * b }, 1),
  ReduceL1: reduction(({ emit, x, g }) => emit.multiply(g, emit.sign(x))),
  // ∂: g x/y; at x = 0, where the norm has a kink, 0
  ReduceL2: reduction(({ emit, x, g, y }) => {
    const isZero = emit.equal(y, emit.scalar(0, y.type));
    return emit.multiply(x, emit.divide(g, emit.where(isZero, emit.scalar(1, y.type), y)));
  }),
  ReduceSumSquare: reduction(({ emit, x, g }) => emit.multiply(x, emit.scale(g, 2))),
  // ∂: g exp(x − y)
  ReduceLogSumExp: reduction(({ emit, x, g, y }) => emit.multiply(g, emit.exponential(emit.subtract(x, y)))),
  ArgMax: position,
  ArgMin: position,
  CumSum: {
    shape: (node) => {
      const axis = wholeNumbersOf(node, 1);
      if (axis?.length !== 1) throw new RuleError("CumSum needs one axis");
      normalizedAxis(axis[0], requiredInput(node, 0).shape.length, node.op);
      return likeFirstInput(node);
    },
    // An element goes into all sums from its place on: their gradients add up from the other end.
    gradient: [
      (context) =>
        context.emit.one("CumSum", [context.gradient, context.inputs[1]], {
          exclusive: attribute.int(intAttribute(context, "exclusive", 0)),
          reverse: attribute.int(1 - intAttribute(context, "reverse", 0)),
        }),
      "none",
    ],
  },
};
