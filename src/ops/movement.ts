/** Operators that move elements without changing them. Every gradient is the same movement backwards. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { sizeOf, type Tensor } from "../graph/tensor.js";
import { indexing } from "./indexing.js";
import type { MovementName } from "./names.js";
import {
  broadcastShapes,
  type GradientContext,
  intAttribute,
  intsAttribute,
  type NodeContext,
  normalizedAxis,
  type Operator,
  RuleError,
  requiredInput,
  stringAttribute,
  wholeNumbersOf,
} from "./operator.js";
import { slicing } from "./slicing.js";
import { concatenateElements, progression, takeAlongAxes, takeElements, transposeElements } from "./take-elements.js";
import { tupleIndexing } from "./tuple-indexing.js";

/** A row-major change of shape: elements stay in order, there and back. */
function reshaping(shapeOf: (node: NodeContext, shape: readonly number[]) => readonly number[]): Operator {
  return {
    shape: (node) => {
      const input = requiredInput(node, 0);
      const shape = shapeOf(node, input.shape);
      if (sizeOf(shape) !== sizeOf(input.shape))
        throw new RuleError(`${node.op}: [${input.shape.join(", ")}] cannot become [${shape.join(", ")}]`);
      return [{ type: input.type, shape }];
    },
    gradient: [({ emit, gradient, inputs }) => emit.reshape(gradient, inputs[0]!.shape), "none"],
    fold: (_, [input], [{ shape }]) => [{ ...input, shape }],
  };
}

const Reshape = reshaping((node, shape) => {
  const wanted = wholeNumbersOf(node, 1);
  if (!wanted) throw new RuleError("Reshape needs its input 2");
  const keepsZero = intAttribute(node, "allowzero", 0) !== 0;
  const resolved = wanted.map((dimension, axis) => {
    if (dimension !== 0 || keepsZero) return dimension;
    if (axis >= shape.length) throw new RuleError(`Reshape: no dimension ${axis} to copy from [${shape.join(", ")}]`);
    return shape[axis];
  });
  const unknown = resolved.indexOf(-1);
  if (resolved.lastIndexOf(-1) !== unknown || resolved.some((dimension) => dimension < -1))
    throw new RuleError(`Reshape: [${wanted.join(", ")}] is not a shape`);
  if (unknown < 0) return resolved;
  const known = sizeOf(resolved.filter((_, axis) => axis !== unknown));
  const rest = known === 0 ? 0 : sizeOf(shape) / known;
  if (!Number.isInteger(rest))
    throw new RuleError(`Reshape: [${shape.join(", ")}] cannot become [${wanted.join(", ")}]`);
  return resolved.map((dimension) => (dimension === -1 ? rest : dimension));
});

const Flatten = reshaping((node, shape) => {
  // The axis may equal the rank: everything before it, one column.
  const axis = intAttribute(node, "axis", 1);
  const normal = axis < 0 ? axis + shape.length : axis;
  if (normal < 0 || normal > shape.length)
    throw new RuleError(`Flatten: axis ${axis} does not exist in rank ${shape.length}`);
  return [sizeOf(shape.slice(0, normal)), sizeOf(shape.slice(normal))];
});

const Squeeze = reshaping((node, shape) => {
  const axes = wholeNumbersOf(node, 1)?.map((axis) => normalizedAxis(axis, shape.length, node.op));
  const wrong = axes?.find((axis) => shape[axis] !== 1);
  if (wrong !== undefined) throw new RuleError(`Squeeze: dimension ${wrong} of [${shape.join(", ")}] is not 1`);
  return shape.filter((dimension, axis) => (axes ? !axes.includes(axis) : dimension !== 1));
});

const Unsqueeze = reshaping((node, shape) => {
  const given = wholeNumbersOf(node, 1);
  if (!given) throw new RuleError("Unsqueeze needs its input 2");
  const rank = shape.length + given.length;
  const axes = given.map((axis) => normalizedAxis(axis, rank, node.op));
  if (new Set(axes).size !== axes.length) throw new RuleError(`Unsqueeze: axes [${given.join(", ")}] are not distinct`);
  const rest = shape.slice();
  return progression(rank).map((axis) => (axes.includes(axis) ? 1 : rest.shift()!));
});

function permutationOf(node: NodeContext): readonly number[] {
  const rank = requiredInput(node, 0).shape.length;
  const permutation = intsAttribute(node, "perm") ?? progression(rank).reverse();
  if (permutation.length !== rank || progression(rank).some((axis) => !permutation.includes(axis)))
    throw new RuleError(`Transpose: [${permutation.join(", ")}] is not a permutation of ${rank} axes`);
  return permutation;
}

const Transpose: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    return [{ type, shape: permutationOf(node).map((axis) => shape[axis]) }];
  },
  gradient: [
    (context) => {
      const permutation = permutationOf(context);
      const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
      return context.emit.transpose(context.gradient, inverse);
    },
  ],
  fold: (node, [input]) => [transposeElements(input, permutationOf(node))],
};

const Expand: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    const wanted = wholeNumbersOf(node, 1);
    if (!wanted) throw new RuleError("Expand needs its input 2");
    return [{ type, shape: broadcastShapes("Expand", shape, wanted) }];
  },
  // The backward sweep sums a broadcast down by itself.
  gradient: [({ gradient }) => gradient, "none"],
  fold: (_, [input], [{ shape }]) => {
    const aligned = { ...input, shape: [...progression(shape.length - input.shape.length, 1, 0), ...input.shape] };
    return [
      takeAlongAxes(
        aligned,
        shape.map((dimension, axis) => progression(dimension, 0, aligned.shape[axis] === 1 ? 0 : 1)),
      ),
    ];
  },
};

function repeatsOf(node: NodeContext): number[] {
  const repeats = wholeNumbersOf(node, 1);
  const rank = requiredInput(node, 0).shape.length;
  if (repeats?.length !== rank || repeats.some((count) => count < 0))
    throw new RuleError(`Tile needs one repeat count for each of its ${rank} axes`);
  return repeats;
}

const Tile: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    const repeats = repeatsOf(node);
    return [{ type, shape: shape.map((dimension, axis) => dimension * repeats[axis]) }];
  },
  gradient: [
    (context) => {
      // The gradient as [repeats, dimension] for every repeated axis, summed over the repeats.
      const { emit, gradient, inputs } = context;
      const { shape } = inputs[0]!;
      const split: number[] = [];
      const summed: number[] = [];
      repeatsOf(context).forEach((count, axis) => {
        if (count !== 1) summed.push(split.push(count) - 1);
        split.push(shape[axis]);
      });
      return summed.length === 0 ? gradient : emit.reduceSum(emit.reshape(gradient, split), summed);
    },
    "none",
  ],
  fold: (_, [input], [{ shape }]) => [
    takeAlongAxes(
      input,
      shape.map((dimension, axis) => progression(dimension).map((position) => position % input.shape[axis])),
    ),
  ],
};

function concatAxis(node: NodeContext): number {
  return normalizedAxis(intAttribute(node, "axis", 0), requiredInput(node, 0).shape.length, node.op);
}

const Concat: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    const axis = concatAxis(node);
    let length = 0;
    for (let index = 0; index < node.inputs.length; index++) {
      const part = requiredInput(node, index);
      const fits =
        part.type === type &&
        part.shape.length === shape.length &&
        part.shape.every((dimension, other) => other === axis || dimension === shape[other]);
      if (!fits)
        throw new RuleError(
          `Concat: ${part.type} [${part.shape.join(", ")}] does not fit ${type} [${shape.join(", ")}] along axis ${axis}`,
        );
      length += part.shape[axis];
    }
    return [{ type, shape: shape.map((dimension, other) => (other === axis ? length : dimension)) }];
  },
  gradient: {
    every: (context, inputIndex) => {
      const axis = concatAxis(context);
      const start = context.inputs.slice(0, inputIndex).reduce((sum, part) => sum + part!.shape[axis], 0);
      const end = start + context.inputs[inputIndex]!.shape[axis];
      return context.emit.slice(context.gradient, [{ axis, start, end }]);
    },
  },
  fold: (node, parts, [{ shape }]) => [concatenateElements(parts, concatAxis(node), shape)],
};

/** Axis and lengths of Split's outputs: as given, or as many equal parts as there are outputs, the last one shorter. */
export function splitParts(node: NodeContext): { axis: number; lengths: number[] } {
  const { shape } = requiredInput(node, 0);
  const axis = normalizedAxis(intAttribute(node, "axis", 0), shape.length, node.op);
  const total = shape[axis];
  const count = intAttribute(node, "num_outputs", node.outputCount);
  if (count !== node.outputCount)
    throw new RuleError(`Split: num_outputs is ${count}, but it has ${node.outputCount} outputs`);
  const part = Math.ceil(total / count);
  const lengths =
    wholeNumbersOf(node, 1) ?? progression(count).map((index) => Math.max(0, Math.min(part, total - part * index)));
  const covered = lengths.reduce((sum, length) => sum + length, 0);
  if (lengths.length !== node.outputCount || covered !== total || lengths.some((length) => length < 0))
    throw new RuleError(`Split: [${lengths.join(", ")}] does not split ${total} into ${node.outputCount} outputs`);
  return { axis, lengths };
}

const Split: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    const { axis, lengths } = splitParts(node);
    return lengths.map((length) => ({
      type,
      shape: shape.map((dimension, other) => (other === axis ? length : dimension)),
    }));
  },
  gradient: [
    (context) => {
      const { emit, gradients, outputs } = context;
      const { axis, lengths } = splitParts(context);
      const arrived = gradients.flatMap((gradient, index) => (gradient ? [index] : []));
      if (arrived.length === 1) {
        const [index] = arrived;
        const before = sumOf(lengths.slice(0, index));
        const pads = new Array<number>(outputs[0].shape.length * 2).fill(0);
        pads[axis] = before;
        pads[outputs[0].shape.length + axis] = sumOf(lengths) - before - lengths[index];
        return emit.pad(gradients[index]!, pads);
      }
      return emit.concat(
        gradients.map((gradient, index) => gradient ?? emit.filled(0, outputs[index].shape)),
        axis,
      );
    },
    "none",
  ],
  fold: (node, [input], types) => {
    const { axis, lengths } = splitParts(node);
    return types.map(({ shape }, index) =>
      takeAlongAxes(
        input,
        shape.map((dimension, other) => progression(dimension, other === axis ? sumOf(lengths.slice(0, index)) : 0)),
      ),
    );
  },
};

function blockSizeOf(node: NodeContext): number {
  const size = intAttribute(node, "blocksize", 0);
  if (size < 1 || requiredInput(node, 0).shape.length !== 4)
    throw new RuleError(`${node.op} needs a blocksize of at least 1 and an input of rank 4`);
  return size;
}

const DepthToSpace: Operator = {
  shape: (node) => {
    const size = blockSizeOf(node);
    const { type, shape } = requiredInput(node, 0);
    const [batch, channels, height, width] = shape;
    if (channels % size ** 2 !== 0)
      throw new RuleError(`DepthToSpace: ${channels} channels are no multiple of ${size ** 2}`);
    return [{ type, shape: [batch, channels / size ** 2, height * size, width * size] }];
  },
  gradient: [
    (context) => {
      const { emit, gradient, inputs } = context;
      const size = blockSizeOf(context);
      if (stringAttribute(context, "mode", "DCR") === "DCR")
        return emit.one("SpaceToDepth", [gradient], { blocksize: attribute.int(size) });
      // CRD: channel, row in block, column in block. SpaceToDepth has no such mode.
      const { shape } = inputs[0]!;
      const [batch, channels, height, width] = shape;
      const blocks = emit.reshape(gradient, [batch, channels / size ** 2, height, size, width, size]);
      return emit.reshape(emit.transpose(blocks, [0, 1, 3, 5, 2, 4]), shape);
    },
  ],
};

const SpaceToDepth: Operator = {
  shape: (node) => {
    const mode = stringAttribute(node, "mode", "DCR");
    if (mode !== "DCR") throw new RuleError(`SpaceToDepth in mode ${mode} is not supported`);
    const size = blockSizeOf(node);
    const { type, shape } = requiredInput(node, 0);
    const [batch, channels, height, width] = shape;
    if (height % size !== 0 || width % size !== 0)
      throw new RuleError(`SpaceToDepth: ${height}×${width} is no multiple of the blocksize ${size}`);
    return [{ type, shape: [batch, channels * size ** 2, height / size, width / size] }];
  },
  gradient: [
    (context) =>
      context.emit.one("DepthToSpace", [context.gradient], { blocksize: attribute.int(blockSizeOf(context)) }),
  ],
};

function triangle(context: GradientContext): Value {
  return context.emit.one("Trilu", [context.gradient, context.inputs[1]], context.attributes);
}

const Trilu: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    if (shape.length < 2) throw new RuleError(`Trilu needs an input of rank 2 or more, got [${shape.join(", ")}]`);
    return [{ type, shape }];
  },
  gradient: [triangle, "none"],
  fold: (node, [input]) => [triangleOf(node, input)],
};

function triangleOf(node: NodeContext, input: Tensor): Tensor {
  const upper = intAttribute(node, "upper", 1) !== 0;
  const diagonal = wholeNumbersOf(node, 1)?.[0] ?? 0;
  const [rows, columns] = input.shape.slice(-2);
  return takeElements(input, input.shape, (index) => {
    const distance = (index % columns) - (Math.floor(index / columns) % rows);
    return (upper ? distance >= diagonal : distance <= diagonal) ? index : -1;
  });
}

function sumOf(lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + length, 0);
}

/** The movement operators' entries in the table. */
export const movement: Record<MovementName, Operator> = {
  Reshape,
  Flatten,
  Squeeze,
  Unsqueeze,
  Transpose,
  Expand,
  Tile,
  Concat,
  Split,
  DepthToSpace,
  SpaceToDepth,
  Trilu,
  ...slicing,
  ...indexing,
  ...tupleIndexing,
};
