import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import { UserError } from "../../src/errors.js";
import type { Value } from "../../src/graph/builder.js";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

function requireClose(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  found.forEach((number, place) => {
    expect(Math.abs(number - expected[place])).toBeLessThan(1e-5 * largest);
  });
}

const opsOf = (emit: Emitter): string[] => emit.nodes.map(({ op }) => op);

describe("gradients", () => {
  it("of a value with respect to itself is the seed", () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [2]);
    const seed = emit.input("seed", "float32", [2]);
    expect(gradients(emit, [{ value: x, gradient: seed }], [x])).toEqual([seed]);
    expect(gradients(emit, [{ value: x }], [x])[0]?.constant?.data).toEqual(Float32Array.of(1, 1));
  });

  it("are undefined where the seeds do not depend on a value", () => {
    const emit = new Emitter();
    const [x, y] = [emit.input("x", "float32", [2]), emit.input("y", "float32", [2])];
    expect(gradients(emit, [{ value: emit.exponential(x) }], [y])).toEqual([undefined]);
    expect(gradients(emit, [], [x])).toEqual([undefined]);
  });

  it("add up where a value is used several times", async () => {
    // d/dx (x·x + 3x) = 2x + 3
    const { gradient } = await runGraph({ x: floatTensor([1, -2]) }, (emit, { x }) => ({
      gradient: gradients(emit, [{ value: emit.add(emit.square(x), emit.scale(x, 3)) }], [x])[0]!,
    }));
    expect(numbersOf(gradient)).toEqual([5, -1]);
  });

  it("of a matrix that many products read are one product", async () => {
    const [rows, inputs, outputs] = [3, 2, 4];
    const values = Object.fromEntries(
      [0, 1, 2, 3, 4].map((index) => [`x${index}`, normalTensor(`x${index}`, [rows, inputs])]),
    );
    const weight = normalTensor("w", [inputs, outputs]);
    const { together, apart, second } = await runGraph({ ...values, w: weight }, (emit, { w, ...xs }) => {
      const sum = (some: readonly Value[]) =>
        some.map((x) => emit.square(emit.matmul(x, w))).reduce((a, b) => emit.add(a, b));
      const all = Object.values(xs);
      const [joined] = gradients(emit, [{ value: sum(all) }], [w]);
      expect(opsOf(emit).filter((op) => op === "Concat")).toHaveLength(2);
      // Each by itself, and then added.
      const single = all.map((x) => gradients(emit, [{ value: sum([x]) }], [w])[0]!);
      const again = gradients(emit, [{ value: emit.square(joined!) }], [w])[0]!;
      return { together: joined!, apart: single.reduce((a, b) => emit.add(a, b)), second: again };
    });
    requireClose(numbersOf(together), numbersOf(apart));
    // Σ x xᵀ w is the gradient's half: the gradient of its square is 8 (Σ x xᵀ)² w.
    const sums = numbersOf(together).map((number) => number / 2);
    const products = Array.from({ length: inputs * inputs }, (_, place) => {
      const [row, column] = [Math.floor(place / inputs), place % inputs];
      return Object.values(values).reduce((total, { data }) => {
        for (let sample = 0; sample < rows; sample++)
          total += data[sample * inputs + row] * data[sample * inputs + column];
        return total;
      }, 0);
    });
    const expected = Array.from({ length: inputs * outputs }, (_, place) => {
      const [row, column] = [Math.floor(place / outputs), place % outputs];
      let total = 0;
      for (let inner = 0; inner < inputs; inner++)
        total += 8 * products[row * inputs + inner] * sums[inner * outputs + column];
      return total;
    });
    requireClose(numbersOf(second), expected);
  });

  it("add up over several seeds, each times its gradient", async () => {
    // 2 d(x²)/dx + d(eˣ)/dx at 0 and 1
    const { gradient } = await runGraph({ x: floatTensor([0, 1]) }, (emit, { x }) => ({
      gradient: gradients(
        emit,
        [{ value: emit.square(x), gradient: emit.filled(2, [2]) }, { value: emit.exponential(x) }],
        [x],
      )[0]!,
    }));
    expect(numbersOf(gradient)).toEqual([1, Math.fround(4 + Math.fround(Math.E))]);
  });

  it("sum a broadcast down to the operand's own shape", async () => {
    const inputs = {
      row: floatTensor([1, 2], [1, 2]),
      column: floatTensor([1, 2, 3], [3, 1]),
      one: floatTensor([5], []),
    };
    const results = await runGraph(inputs, (emit, { row, column, one }) => {
      const found = gradients(emit, [{ value: emit.multiply(emit.multiply(row, column), one) }], [row, column, one]);
      return { byRow: found[0]!, byColumn: found[1]!, byOne: found[2]! };
    });
    expect(results.byRow.shape).toEqual([1, 2]);
    expect(numbersOf(results.byRow)).toEqual([30, 30]);
    expect(results.byColumn.shape).toEqual([3, 1]);
    expect(numbersOf(results.byColumn)).toEqual([15, 15, 15]);
    expect(results.byOne.shape).toEqual([]);
    expect(numbersOf(results.byOne)).toEqual([18]);
  });

  it("are there for intermediate values and for what lies before them", async () => {
    // y = e^(3x), m = 3x: dy/dm = y, dy/dx = 3y
    const { byMiddle, byInput, y } = await runGraph({ x: floatTensor([0.5]) }, (emit, { x }) => {
      const middle = emit.scale(x, 3);
      const value = emit.exponential(middle);
      const found = gradients(emit, [{ value }], [middle, x]);
      return { byMiddle: found[0]!, byInput: found[1]!, y: value };
    });
    expect(numbersOf(byMiddle)).toEqual(numbersOf(y));
    expect(numbersOf(byInput)[0]).toBeCloseTo(3 * numbersOf(y)[0], 4);
  });

  it("can be taken of gradients", async () => {
    // d²(x³)/dx² = 6x and d³/dx³ = 6
    const { second, third } = await runGraph({ x: floatTensor([2, -1]) }, (emit, { x }) => {
      const derive = (value: typeof x): typeof x => gradients(emit, [{ value }], [x])[0]!;
      const twice = derive(derive(emit.power(x, emit.scalar(3))));
      return { second: twice, third: derive(twice) };
    });
    expect(numbersOf(second)).toEqual([12, -6]);
    expect(numbersOf(third)).toEqual([6, 6]);
  });

  it("stop at operators that let none through", () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [2]);
    expect(gradients(emit, [{ value: emit.exponential(emit.sign(x)) }], [x])).toEqual([undefined]);
    const condition = emit.greater(x, emit.scalar(0));
    expect(gradients(emit, [{ value: emit.indicator(condition) }], [x])).toEqual([undefined]);
  });

  it("are not emitted for constants and other values that nobody asked for", () => {
    const emit = new Emitter();
    const [x, w] = [emit.input("x", "float32", [4, 3]), emit.input("w", "float32", [3, 2])];
    const y = emit.matmul(emit.add(x, emit.constant(floatTensor([1, 2, 3]))), w);
    gradients(emit, [{ value: y, gradient: emit.input("g", "float32", [4, 2]) }], [w]);
    // One product forward, one for w; none for x or the constant.
    expect(opsOf(emit)).toEqual(["Add", "MatMul", "Gemm"]);
  });

  it("do not flow through values that are held fixed", async () => {
    // d/dx (x · eˣ) with eˣ held: eˣ
    const { gradient, power } = await runGraph({ x: floatTensor([1, -2]) }, (emit, { x }) => {
      const held = emit.exponential(x);
      return { gradient: gradients(emit, [{ value: emit.multiply(x, held) }], [x], [held])[0]!, power: held };
    });
    expect(numbersOf(gradient)).toEqual(numbersOf(power));
  });

  it("of an unsupported operator are an error that names operator and reason", () => {
    const emit = new Emitter();
    const [a, b] = [emit.input("a", "float32", [2]), emit.input("b", "float32", [2])];
    const rest = emit.one("Mod", [a, b], { fmod: attribute.int(1) });
    const ask = (): unknown => gradients(emit, [{ value: rest }], [b]);
    expect(ask).toThrow(UserError);
    expect(ask).toThrow(/^Mod \(headstart\/Mod_1\): required a gradient of input 2, got none\. Mod is differentiated/);
    // No error where it is not asked for.
    expect(gradients(emit, [{ value: rest }], [a])).toHaveLength(1);
  });
});
