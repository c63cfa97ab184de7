/** All operators in one table. A name without an entry does not compile. */
import { activations } from "./activations.js";
import { convolutions } from "./convolutions.js";
import { elementwise } from "./elementwise.js";
import { movement } from "./movement.js";
import type { OperatorName } from "./names.js";
import { normalizations } from "./normalizations.js";
import type { Operator } from "./operator.js";
import { poolings } from "./poolings.js";
import { products } from "./products.js";
import { reductions } from "./reductions.js";
import { shapeArithmetic } from "./shape-arithmetic.js";

/** Each operator's shape rule, gradient rule and, where shapes are computed with it, its fold. */
export const operators: Readonly<Record<OperatorName, Operator>> = {
  ...elementwise,
  ...activations,
  ...reductions,
  ...products,
  ...convolutions,
  ...poolings,
  ...normalizations,
  ...movement,
  ...shapeArithmetic,
};

/** The table's entry, or undefined for an operator that headstart does not know. */
export function operatorOf(op: string): Operator | undefined {
  return Object.hasOwn(operators, op) ? operators[op as OperatorName] : undefined;
}
