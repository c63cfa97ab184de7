/**
 * Compares emitted gradients with central differences along random directions, to first and second order.
 *
 * First order: (f(x + h v) − f(x − h v)) / 2h against ⟨∇f(x), v⟩, for f = Σ w·y with fixed random weights w.
 * Second order: the same with g = Σ ⟨∇f(x), u⟩ in place of f, u fixed and random: the gradient's own gradient.
 */
import { gradients } from "../../src/autodiff/gradients.js";
import type { Value } from "../../src/graph/builder.js";
import { type FloatTensor, floatTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { openSession } from "../../src/runtime/node.js";
import { normalTensor } from "./run-graph.js";

export interface CheckOptions {
  /** Step of the difference; default 1e-2 (float32: smaller steps lose to rounding). */
  readonly step?: number;
  /** Largest |difference − gradient| / max(1, |difference|); default 2e-3. */
  readonly tolerance?: number;
  /** Default 2: the gradient of the gradient is checked too. */
  readonly order?: 1 | 2;
  /** Inputs that are not differentiated (indices, masks, kept away from). */
  readonly fixed?: readonly string[];
}

/** What was compared; `error` is the largest relative disagreement. Throws where it exceeds the tolerance. */
export async function checkGradients(
  inputs: Readonly<Record<string, Tensor>>,
  body: (emit: Emitter, inputs: Record<string, Value>) => Value | Value[],
  options: CheckOptions = {},
): Promise<{ first: number; second?: number }> {
  const { step = 1e-2, tolerance = 2e-3, order = 2, fixed = [] } = options;
  const varied = Object.keys(inputs).filter((name) => inputs[name].type === "float32" && !fixed.includes(name));
  const first = await compare(inputs, varied, step, (emit, values) => objective(emit, values, body));
  fail("first", first, tolerance);
  if (order === 1) return { first };
  const second = await compare(inputs, varied, step, (emit, values) => {
    const found = gradients(
      emit,
      [{ value: objective(emit, values, body) }],
      varied.map((name) => values[name]),
    );
    return found
      .map((gradient, index) => {
        if (!gradient) return emit.scalar(0);
        const direction = emit.constant(normalTensor(`second/${varied[index]}`, gradient.shape));
        return emit.reduceSum(emit.multiply(gradient, direction));
      })
      .reduce((a, b) => emit.add(a, b));
  });
  fail("second", second, tolerance * 5);
  return { first, second };
}

function objective(
  emit: Emitter,
  values: Record<string, Value>,
  body: (emit: Emitter, inputs: Record<string, Value>) => Value | Value[],
): Value {
  return [body(emit, values)]
    .flat()
    .map((value, index) =>
      emit.reduceSum(emit.multiply(value, emit.constant(normalTensor(`objective/${index}`, value.shape)))),
    )
    .reduce((a, b) => emit.add(a, b));
}

async function compare(
  inputs: Readonly<Record<string, Tensor>>,
  varied: readonly string[],
  step: number,
  scalar: (emit: Emitter, values: Record<string, Value>) => Value,
): Promise<number> {
  const emit = new Emitter();
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, tensor]) => [name, emit.input(name, tensor.type, tensor.shape)]),
  );
  const value = scalar(emit, values);
  const found = gradients(
    emit,
    [{ value }],
    varied.map((name) => values[name]),
  );
  emit.output("value", value);
  varied.forEach((name, index) => {
    const gradient = found[index];
    if (gradient) emit.output(`gradient/${name}`, gradient);
  });
  const session = await openSession(emit.build("check"), { threads: 1 });
  try {
    const at = await session.run(inputs);
    let largest = 0;
    for (let trial = 0; trial < 3; trial++) {
      const directions = new Map(
        varied.map((name) => [name, normalTensor(`direction/${trial}/${name}`, inputs[name].shape)]),
      );
      const moved = (sign: number): Record<string, Tensor> =>
        Object.fromEntries(
          Object.entries(inputs).map(([name, tensor]) => [name, along(tensor, directions.get(name), sign * step)]),
        );
      const ahead = numbersOf((await session.run(moved(1))).value)[0];
      const behind = numbersOf((await session.run(moved(-1))).value)[0];
      const difference = (ahead - behind) / (2 * step);
      let slope = 0;
      for (const [name, direction] of directions) {
        const gradient = at[`gradient/${name}`];
        if (!gradient) continue;
        const elements = gradient.data as Float32Array;
        for (let index = 0; index < elements.length; index++) slope += elements[index] * direction.data[index];
      }
      largest = Math.max(largest, Math.abs(difference - slope) / Math.max(1, Math.abs(difference)));
      if (!Number.isFinite(slope)) return Number.POSITIVE_INFINITY;
    }
    return largest;
  } finally {
    await session.release();
  }
}

function along(tensor: Tensor, direction: FloatTensor | undefined, distance: number): Tensor {
  if (!direction) return tensor;
  return floatTensor(
    Float32Array.from(tensor.data as Float32Array, (element, index) => element + distance * direction.data[index]),
    tensor.shape,
  );
}

function fail(order: string, error: number, tolerance: number): void {
  if (!(error <= tolerance))
    throw new Error(`${order}-order gradients disagree with differences: ${error} > ${tolerance}`);
}
