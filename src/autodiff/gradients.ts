/**
 * Reverse-mode differentiation, graph in, graph out: emits the nodes that compute gradients beside the nodes that are
 * there. What it emits has gradients itself, so that it may be called on its own results.
 */
import { UserError } from "../errors.js";
import type { BuiltNode, Value } from "../graph/builder.js";
import { type Attributes, attribute } from "../graph/graph.js";
import { isFloating } from "../graph/tensor.js";
import { type Emitter, sameShape } from "../ops/emitter.js";
import { type GradientContext, type InputGradient, type InputRule, RuleError } from "../ops/operator.js";
import { operatorOf } from "../ops/table.js";

/** Where the sweep starts: a value and the gradient that arrives there (1 for a loss). */
export interface Seed {
  readonly value: Value;
  /** Default: ones, of the value's shape. */
  readonly gradient?: Value;
}

/**
 * Gradients of the sum of the seeds (each times its gradient) with respect to some values.
 *
 * @param emit the graph under construction that holds all of them
 * @param seeds one or more values, of any shape
 * @param withRespectTo values anywhere in the graph, inputs or intermediate ones; values before a listed one get their
 *   gradients too
 * @param fixed values that are taken as constants: nothing flows through them
 * @returns a gradient of the same shape for each, undefined where the seeds do not depend on it
 * @throws UserError where an operator on the way has no gradient
 */
export function gradients(
  emit: Emitter,
  seeds: readonly Seed[],
  withRespectTo: readonly Value[],
  fixed: readonly Value[] = [],
): (Value | undefined)[] {
  const wanted = new Set(withRespectTo.map((value) => value.name));
  const nodes = emit.nodes.slice();
  const active = valuesBetween(nodes, wanted, new Set(fixed.map((value) => value.name)));
  const collected = new Map<string, Value[]>();
  for (const { value, gradient } of seeds) {
    if (active.has(value.name)) collect(collected, value, gradient ?? emit.filled(1, value.shape));
  }
  const total = (value: Value): Value | undefined => {
    const parts = collected.get(value.name);
    if (!parts) return undefined;
    const sum = joinProducts(emit, parts).reduce((a, b) => emit.add(a, b));
    collected.set(value.name, [sum]);
    return sum;
  };
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index];
    if (!node.outputs.some((output) => collected.has(output.name))) continue;
    const context = contextOf(emit, node, node.outputs.map(total));
    node.inputs.forEach((input, position) => {
      if (!input || !active.has(input.name)) return;
      const rule = ruleOf(node, position);
      if (rule === "none") return;
      if (typeof rule === "object")
        throw new UserError(
          `${node.op} (${node.name}): required a gradient of input ${position + 1}, got none. ${rule.unsupported}`,
        );
      const raw = applyRule(rule, context, position, node);
      if (!raw) return;
      collect(collected, input, sameShape(raw.shape, input.shape) ? raw : emit.sumToShape(raw, input.shape));
    });
  }
  return withRespectTo.map(total);
}

/** From so many products on, joining them costs less than it saves. */
const fewestJoined = 4;

/**
 * A weight that many products read, as at each position of a recurrent layer, gets A₁ᵀB₁ + A₂ᵀB₂ + ..., which is one product
 * of all rows of A with all rows of B. Gives the summands, these together.
 */
function joinProducts(emit: Emitter, parts: readonly Value[]): readonly Value[] {
  if (parts.length < fewestJoined) return parts;
  const products = parts.flatMap((part) => {
    const node = emit.producerOf(part);
    const [a, b, c] = node?.inputs ?? [];
    const isSum = node?.op === "Gemm" && JSON.stringify(node.attributes) === JSON.stringify(overRows);
    return isSum && a && b && !c ? [{ part, a, b }] : [];
  });
  if (products.length < fewestJoined) return parts;
  const joined = products.map(({ part }) => part);
  const rows = { axis: attribute.int(0) };
  const [a, b] = (["a", "b"] as const).map((side) =>
    emit.one(
      "Concat",
      products.map((product) => product[side]),
      rows,
    ),
  );
  return [emit.one("Gemm", [a, b], overRows), ...parts.filter((part) => !joined.includes(part))];
}

const overRows: Attributes = { transA: attribute.int(1) };

/** Names of all values that vary with a wanted value while the fixed ones do not, the wanted ones included. */
function valuesBetween(
  nodes: readonly BuiltNode[],
  wanted: ReadonlySet<string>,
  fixed: ReadonlySet<string>,
): Set<string> {
  const active = new Set(wanted);
  for (const node of nodes) {
    if (!node.inputs.some((input, position) => input && active.has(input.name) && ruleOf(node, position) !== "none"))
      continue;
    for (const output of node.outputs) if (isFloating(output.type) && !fixed.has(output.name)) active.add(output.name);
  }
  return active;
}

function ruleOf(node: BuiltNode, position: number): InputRule {
  const rule = operatorOf(node.op)?.gradient;
  if (rule === undefined) throw new Error(`${node.op} is not in the table of operators`);
  if (rule === "none" || "unsupported" in rule) return rule;
  // An array has a method named `every`, so the forms are told apart by what only an array has.
  return "length" in rule ? (rule[position] ?? "none") : rule.every;
}

function applyRule(
  rule: InputGradient,
  context: GradientContext,
  position: number,
  node: BuiltNode,
): Value | undefined {
  try {
    return rule(context, position);
  } catch (error) {
    if (!(error instanceof RuleError)) throw error;
    throw new UserError(
      `${node.op} (${node.name}): required a gradient of input ${position + 1}, got none. ${error.message}.`,
    );
  }
}

function contextOf(emit: Emitter, node: BuiltNode, arrived: readonly (Value | undefined)[]): GradientContext {
  return {
    emit,
    op: node.op,
    inputs: node.inputs,
    outputs: node.outputs,
    attributes: node.attributes,
    outputCount: node.outputs.length,
    gradients: arrived,
    get gradient() {
      const first = arrived[0];
      if (!first) throw new Error(`${node.op} (${node.name}): no gradient arrived at its first output`);
      return first;
    },
  };
}

function collect(collected: Map<string, Value[]>, value: Value, gradient: Value): void {
  const parts = collected.get(value.name);
  if (parts) parts.push(gradient);
  else collected.set(value.name, [gradient]);
}
