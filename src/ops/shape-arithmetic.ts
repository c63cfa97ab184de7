/** Operators that make tensors from shapes and indices. Shape arithmetic is made of them, and folds away. */
import { floatTensor, intTensor, sizeOf, type Tensor, type TensorData } from "../graph/tensor.js";
import type { ShapeArithmeticName } from "./names.js";
import {
  constantInput,
  intAttribute,
  type NodeContext,
  type Operator,
  RuleError,
  requiredInput,
  wholeNumbersOf,
} from "./operator.js";
import { takeElements } from "./take-elements.js";

/** A tensor attribute; undefined where it is not there. */
function tensorAttribute(node: NodeContext, name: string): Tensor | undefined {
  const found = node.attributes[name];
  return found?.kind === "tensor" ? found.value : undefined;
}

function constantOf(node: NodeContext): Tensor {
  const tensor = tensorAttribute(node, "value");
  if (!tensor) throw new RuleError("Constant is supported with the attribute value only, a dense tensor");
  return tensor;
}

const Constant: Operator = {
  shape: (node) => {
    const { type, shape } = constantOf(node);
    return [{ type, shape }];
  },
  gradient: "none",
  fold: (node) => [constantOf(node)],
};

/** ConstantOfShape's one element; float32 zero by default. */
function elementOf(node: NodeContext): Tensor {
  const value = tensorAttribute(node, "value") ?? floatTensor([0]);
  if (sizeOf(value.shape) !== 1) throw new RuleError("ConstantOfShape: value must have one element");
  return value;
}

const ConstantOfShape: Operator = {
  shape: (node) => {
    const shape = wholeNumbersOf(node, 0);
    if (!shape || shape.some((dimension) => dimension < 0))
      throw new RuleError(`ConstantOfShape: [${shape?.join(", ") ?? ""}] is not a shape`);
    return [{ type: elementOf(node).type, shape }];
  },
  gradient: "none",
  fold: (node, _, [{ shape }]) => [takeElements(elementOf(node), shape, () => 0)],
};

/** The dimensions from start to before end, both clamped as in a slice. */
function dimensionsOf(node: NodeContext): readonly number[] {
  const { shape } = requiredInput(node, 0);
  // Array.prototype.slice counts negative positions from the end and clamps, as ONNX does.
  return shape.slice(intAttribute(node, "start", 0), intAttribute(node, "end", shape.length));
}

const Shape: Operator = {
  shape: (node) => [{ type: "int64", shape: [dimensionsOf(node).length] }],
  gradient: "none",
  fold: (node) => [intTensor(dimensionsOf(node))],
};

const Size: Operator = {
  shape: () => [{ type: "int64", shape: [] }],
  gradient: "none",
  fold: (node) => [intTensor([sizeOf(requiredInput(node, 0).shape)], [])],
};

const Range: Operator = {
  shape: (node) => {
    const { type } = requiredInput(node, 0);
    const [start, limit, delta] = [0, 1, 2].map((index) => constantInput(node, index)?.[0]);
    if (start === undefined || limit === undefined || !delta)
      throw new RuleError("Range needs a start, a limit and a delta other than 0");
    const count = Math.max(0, Math.ceil((limit - start) / delta));
    if (!Number.isSafeInteger(count)) throw new RuleError("Range needs finite numbers");
    return [{ type, shape: [count] }];
  },
  gradient: { unsupported: "The numbers of a Range are taken as constants." },
  fold: (_, [start, , delta], [{ type, shape }]) => {
    const data = new (start.data.constructor as new (size: number) => Exclude<TensorData, string[]>)(shape[0]);
    if (data instanceof BigInt64Array) {
      const [first, step] = [(start.data as BigInt64Array)[0], (delta.data as BigInt64Array)[0]];
      for (let index = 0; index < data.length; index++) data[index] = first + step * BigInt(index);
    } else {
      const [first, step] = [(start.data as Float32Array)[0], (delta.data as Float32Array)[0]];
      const numbers = data as Float32Array;
      for (let index = 0; index < numbers.length; index++) numbers[index] = first + step * index;
    }
    return [{ type, shape, data }];
  },
};

/** Flat positions of the elements that are not zero, in row-major order; they must be known while building. */
function positionsOfNonZero(node: NodeContext): number[] {
  const elements = constantInput(node, 0) ?? [];
  return elements.flatMap((element, position) => (element !== 0 ? [position] : []));
}

const NonZero: Operator = {
  shape: (node) => [{ type: "int64", shape: [requiredInput(node, 0).shape.length, positionsOfNonZero(node).length] }],
  gradient: "none",
  fold: (node, [input], [{ shape }]) => {
    const positions = positionsOfNonZero(node);
    const rows = input.shape.map((dimension, axis) => {
      const inner = sizeOf(input.shape.slice(axis + 1));
      return positions.map((position) => Math.floor(position / inner) % dimension);
    });
    return [intTensor(rows.flat(), shape)];
  },
};

/** Where OneHot's new axis goes, and how long it is. */
function newAxisOf(node: NodeContext): { axis: number; depth: number } {
  const rank = requiredInput(node, 0).shape.length + 1;
  const given = intAttribute(node, "axis", -1);
  const axis = given < 0 ? given + rank : given;
  const depth = wholeNumbersOf(node, 1)?.[0];
  if (axis < 0 || axis >= rank || depth === undefined || depth < 1)
    throw new RuleError("OneHot needs a depth of at least 1 and an axis inside its output");
  return { axis, depth };
}

const OneHot: Operator = {
  shape: (node) => {
    const { shape } = requiredInput(node, 0);
    const { axis, depth } = newAxisOf(node);
    return [{ type: requiredInput(node, 2).type, shape: [...shape.slice(0, axis), depth, ...shape.slice(axis)] }];
  },
  gradient: ["none", "none", { unsupported: "The two values of a OneHot are taken as constants." }],
  fold: (node, [indices, , values], [{ shape }]) => {
    const { axis, depth } = newAxisOf(node);
    const inner = sizeOf(indices.shape.slice(axis));
    const elements = indices.data as ArrayLike<number | bigint>;
    return [
      takeElements(values, shape, (index) => {
        const hot = Number(elements[Math.floor(index / (inner * depth)) * inner + (index % inner)]);
        return (hot < 0 ? hot + depth : hot) === Math.floor(index / inner) % depth ? 1 : 0;
      }),
    ];
  },
};

/** The entries of shape arithmetic in the table. */
export const shapeArithmetic: Record<ShapeArithmeticName, Operator> = {
  Constant,
  ConstantOfShape,
  Shape,
  Size,
  Range,
  NonZero,
  OneHot,
};
