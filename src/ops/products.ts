/** Matrix products. All gradients of two-dimensional products are Gemm, which transposes as it goes. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import type { Emitter } from "./emitter.js";
import type { ProductName } from "./names.js";
import {
  broadcastShapes,
  floatAttribute,
  type GradientContext,
  intAttribute,
  type NodeContext,
  type Operator,
  RuleError,
  requiredInput,
  type ShapeRule,
} from "./operator.js";

interface GemmSettings {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
}

function gemm(emit: Emitter, a: Value, b: Value, { transA, transB, alpha = 1 }: GemmSettings): Value {
  return emit.one("Gemm", [a, b], {
    ...(transA && { transA: attribute.int(1) }),
    ...(transB && { transB: attribute.int(1) }),
    ...(alpha !== 1 && { alpha: attribute.float(alpha) }),
  });
}

function settingsOf(node: NodeContext): { transA: boolean; transB: boolean; alpha: number; beta: number } {
  return {
    transA: intAttribute(node, "transA", 0) !== 0,
    transB: intAttribute(node, "transB", 0) !== 0,
    alpha: floatAttribute(node, "alpha", 1),
    beta: floatAttribute(node, "beta", 1),
  };
}

const text = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

const gemmShape: ShapeRule = (node) => {
  const [a, b] = [requiredInput(node, 0), requiredInput(node, 1)];
  const { transA, transB } = settingsOf(node);
  if (a.shape.length !== 2 || b.shape.length !== 2)
    throw new RuleError(`Gemm: takes matrices, not shapes ${text(a.shape)} and ${text(b.shape)}`);
  const [rows, inner] = transA ? [a.shape[1], a.shape[0]] : a.shape;
  const [otherInner, columns] = transB ? [b.shape[1], b.shape[0]] : b.shape;
  if (inner !== otherInner)
    throw new RuleError(
      `Gemm: inner dimensions ${inner} and ${otherInner} of ${text(a.shape)} and ${text(b.shape)} differ`,
    );
  const shape = [rows, columns];
  const c = node.inputs[2];
  if (c && text(broadcastShapes(node.op, c.shape, shape)) !== text(shape))
    throw new RuleError(`Gemm: the summand ${text(c.shape)} does not broadcast to ${text(shape)}`);
  return [{ type: a.type, shape }];
};

const matmulShape: ShapeRule = (node) => {
  const [a, b] = [requiredInput(node, 0), requiredInput(node, 1)];
  if (a.shape.length === 0 || b.shape.length === 0) throw new RuleError("MatMul: does not take scalars");
  if (a.type !== b.type) throw new RuleError(`MatMul: its inputs have different types, ${a.type} and ${b.type}`);
  const left = asMatrix(a.shape, 0);
  const right = asMatrix(b.shape, 1);
  if (left.at(-1) !== right.at(-2))
    throw new RuleError(`MatMul: inner dimensions of ${text(a.shape)} and ${text(b.shape)} differ`);
  const shape = broadcastShapes(node.op, left.slice(0, -2), right.slice(0, -2));
  if (a.shape.length > 1) shape.push(left.at(-2)!);
  if (b.shape.length > 1) shape.push(right.at(-1)!);
  return [{ type: a.type, shape }];
};

/** A vector counts as a row on the left and as a column on the right. */
function asMatrix(shape: readonly number[], side: number): readonly number[] {
  if (shape.length !== 1) return shape;
  return side === 0 ? [1, shape[0]] : [shape[0], 1];
}

/** dA = dY Bᵀ and dB = Aᵀ dY, for whatever ranks A and B have. */
function matmulGradient({ emit, inputs, gradient }: GradientContext, side: number): Value {
  const shapes = [asMatrix(inputs[0]!.shape, 0), asMatrix(inputs[1]!.shape, 1)];
  const [a, b] = [emit.reshape(inputs[0]!, shapes[0]), emit.reshape(inputs[1]!, shapes[1])];
  const batch = broadcastShapes("MatMul", shapes[0].slice(0, -2), shapes[1].slice(0, -2));
  const g = emit.reshape(gradient, [...batch, a.shape.at(-2)!, b.shape.at(-1)!]);
  const wanted = inputs[side]!.shape;
  if (b.shape.length === 2) {
    // One matrix on the right for all on the left: their rows are the rows of one tall matrix.
    const rows = (value: Value): Value => emit.reshape(value, [sizeOf(value.shape.slice(0, -1)), value.shape.at(-1)!]);
    const product =
      side === 0 ? gemm(emit, rows(g), b, { transB: true }) : gemm(emit, rows(a), rows(g), { transA: true });
    return emit.reshape(product, wanted);
  }
  const product = side === 0 ? emit.matmul(g, emit.transposeMatrix(b)) : emit.matmul(emit.transposeMatrix(a), g);
  // A vector has lost an axis: sum over the batch while it still has it.
  return wanted.length === 1 ? emit.reshape(emit.sumToShape(product, shapes[side]), wanted) : product;
}

/** Shape rules and gradients of products of matrices. */
export const products: Record<ProductName, Operator> = {
  MatMul: { shape: matmulShape, gradient: { every: matmulGradient } },
  // Y = α A'B' + β C, the dash standing for a transposition or none
  Gemm: {
    shape: gemmShape,
    gradient: [
      // dA' = α dY B'ᵀ
      (context) => {
        const { emit, gradient, inputs } = context;
        const { transA, transB, alpha } = settingsOf(context);
        return transA
          ? gemm(emit, inputs[1]!, gradient, { transA: transB, transB: true, alpha })
          : gemm(emit, gradient, inputs[1]!, { transB: !transB, alpha });
      },
      // dB' = α A'ᵀ dY
      (context) => {
        const { emit, gradient, inputs } = context;
        const { transA, transB, alpha } = settingsOf(context);
        return transB
          ? gemm(emit, gradient, inputs[0]!, { transA: true, transB: transA, alpha })
          : gemm(emit, inputs[0]!, gradient, { transA: !transA, alpha });
      },
      (context) => context.emit.scale(context.gradient, settingsOf(context).beta),
    ],
  },
};
