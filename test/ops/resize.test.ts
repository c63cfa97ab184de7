import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import type { Value } from "../../src/graph/builder.js";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { checkGradients } from "../support/check-gradients.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

const { float, int, ints, string } = attribute;

interface Target {
  readonly scales?: readonly number[];
  readonly sizes?: readonly number[];
  readonly axes?: readonly number[];
  readonly policy?: string;
  readonly antialias?: number;
  /** exclude_outside */
  readonly outside?: number;
  /** cubic_coeff_a */
  readonly a?: number;
}

const targets: readonly (Target & { readonly x: readonly number[] })[] = [
  { x: [1, 2, 3, 2], scales: [1, 1, 2, 3] },
  { x: [1, 2, 6, 4], scales: [1, 1, 0.5, 0.5] },
  { x: [1, 2, 3, 5], scales: [1, 1, 1.5, 0.7] },
  { x: [1, 2, 4, 5], sizes: [1, 2, 7, 3] },
  { x: [1, 2, 4, 5], sizes: [1, 2, 1, 10] },
];
const coordinates = ["asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners", "half_pixel_symmetric"];
const roundings = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"];

const cases = [
  ...targets.flatMap((target) =>
    coordinates.flatMap((coordinate) => [
      ...(coordinate === "half_pixel_symmetric" ? [] : roundings).map((rounding) => ({
        ...target,
        mode: "nearest",
        coordinate,
        rounding,
      })),
      ...["linear", "cubic"].map((mode) => ({ ...target, mode, coordinate, rounding: "round_prefer_floor" })),
    ]),
  ),
  ...targets.flatMap((target) =>
    ["linear", "cubic"].flatMap((mode) =>
      [0, 1].flatMap((outside) => [
        { ...target, mode, antialias: 1, outside, coordinate: "half_pixel", rounding: "round_prefer_floor" },
        ...(mode === "cubic"
          ? [{ ...target, mode, outside, a: -0.5, coordinate: "half_pixel", rounding: "floor" }]
          : []),
      ]),
    ),
  ),
  { x: [1, 2, 3], scales: [1, 1, 2], mode: "nearest", coordinate: "asymmetric", rounding: "floor" },
  { x: [1, 2, 3], scales: [1, 1, 2], mode: "linear", coordinate: "half_pixel", rounding: "floor" },
  { x: [1, 2, 3, 4], scales: [2, 3], axes: [2, 3], mode: "nearest", coordinate: "asymmetric", rounding: "floor" },
  {
    x: [1, 2, 3, 4],
    sizes: [7, 6],
    axes: [2, 3],
    policy: "not_larger",
    mode: "nearest",
    coordinate: "asymmetric",
    rounding: "floor",
  },
  {
    x: [1, 2, 3, 4],
    sizes: [7, 6],
    axes: [2, 3],
    policy: "not_smaller",
    mode: "linear",
    coordinate: "half_pixel",
    rounding: "floor",
  },
  { x: [1, 1, 2, 3, 2], scales: [1, 1, 2, 1, 2], mode: "nearest", coordinate: "asymmetric", rounding: "floor" },
] as const;

function emitCase(emit: Emitter, each: (typeof cases)[number], x: ReturnType<Emitter["ints"]>) {
  const target = each as Target;
  return emit.one(
    "Resize",
    [
      x,
      undefined,
      target.scales ? emit.constant(floatTensor(target.scales)) : undefined,
      target.sizes ? emit.ints(target.sizes) : undefined,
    ],
    {
      mode: string(each.mode),
      coordinate_transformation_mode: string(each.coordinate),
      nearest_mode: string(each.rounding),
      ...(target.axes ? { axes: ints(target.axes) } : {}),
      ...(target.antialias ? { antialias: int(1) } : {}),
      ...(target.outside ? { exclude_outside: int(1) } : {}),
      ...(target.a ? { cubic_coeff_a: float(target.a) } : {}),
      ...(target.policy ? { keep_aspect_ratio_policy: string(target.policy) } : {}),
    },
  );
}

/** Resize is linear: the adjoint is right where ⟨g, A x⟩ = ⟨Aᵀ g, x⟩ for random x and g. */
describe("Resize", () => {
  it.each(cases)("$mode $coordinate $rounding of $x to $scales$sizes", async (each) => {
    let declared: readonly number[] = [];
    const x = normalTensor("x", each.x);
    const { y, gx } = await runGraph({ x }, (emit, values) => {
      const value = emitCase(emit, each, values.x);
      declared = value.shape;
      const gradient = emit.constant(normalTensor("g", value.shape));
      return { y: value, gx: gradients(emit, [{ value, gradient }], [values.x])[0] as typeof value };
    });
    expect(y.shape).toEqual(declared);
    const g = normalTensor("g", declared).data;
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, element, index) => sum + element * b[index], 0);
    const forward = dot(y.data as Float32Array, g);
    expect(Math.abs(dot(gx.data as Float32Array, x.data) - forward) / Math.max(1, Math.abs(forward))).toBeLessThan(
      1e-4,
    );
  });

  it.each(["nearest", "linear", "cubic"])("has second-order gradients in mode %s", async (mode) => {
    const each = { x: [1, 2, 3, 4], scales: [1, 1, 1.7, 2], mode, coordinate: "half_pixel", rounding: "floor" };
    await checkGradients({ x: normalTensor("x", each.x) }, (emit, { x }) =>
      emit.square(emitCase(emit, each as never, x)),
    );
  });

  it.each([
    [
      [3, 4],
      [3, 4],
    ],
    [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ],
  ])("passes the gradient on where %j becomes %j", (shape, sizes) => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", shape);
    const y = emit.one("Resize", [x, undefined, undefined, emit.ints(sizes)]);
    const arriving = emit.input("gradient", "float32", sizes);
    expect(gradients(emit, [{ value: y, gradient: arriving }], [x])).toEqual([arriving]);
  });

  it("says which sampling has no gradient", () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [1, 1, 4, 4]);
    const roi = emit.constant(floatTensor([0, 0, 0, 0, 1, 1, 1, 1]));
    const coordinate_transformation_mode = string("tf_crop_and_resize");
    const sizes = emit.constant(floatTensor([1, 1, 2, 2]));
    const y = emit.one("Resize", [x, roi, sizes], { coordinate_transformation_mode });
    expect(() => gradients(emit, [{ value: y }], [x])).toThrow(
      /another coordinate_transformation_mode for a gradient, got tf_crop_and_resize/,
    );
  });

  it("refuses scales and sizes that do not fit", () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [1, 1, 4, 4]);
    expect(() => emit.one("Resize", [x])).toThrow(/either scales or sizes/);
    expect(() => emit.one("Resize", [x, undefined, emit.constant(floatTensor([2, 2]))])).toThrow(/2 scales for 4 axes/);
    expect(() => emit.one("Resize", [x, undefined, emit.constant(floatTensor([1, 1, 2, 0]))])).toThrow(/positive/);
    expect(() =>
      emit.one("Resize", [x, undefined, emit.constant(floatTensor([1, 1, 2, 0.1]))], { antialias: int(0) }),
    ).toThrow(/nothing is left/);
  });

  it.each([
    ["linear", [2, 2, 1, 1]],
    ["linear", [1, 2, 2, 1, 1]],
    ["cubic", [1, 1, 2]],
    ["cubic", [1, 1, 1]],
    ["cubic", [1, 0.5, 0.5, 1]],
  ] as const)("refuses what ONNX Runtime does not interpolate: %s, by %j", async (mode, scales) => {
    const resized = (emit: Emitter, x: Value) =>
      emit.append("Resize", [x, undefined, emit.constant(floatTensor(scales))], { mode: string(mode) }, [
        { type: "float32", shape: scales.map((scale) => 4 * scale) },
      ])[0];
    const x = normalTensor("x", new Array(scales.length).fill(4));
    await expect(runGraph({ x }, (emit, inputs) => ({ y: resized(emit, inputs.x) }))).rejects.toThrow(/mode/);
    const emit = new Emitter();
    const inputs = [emit.input("x", "float32", x.shape), undefined, emit.constant(floatTensor(scales))];
    expect(() => emit.one("Resize", inputs, { mode: string(mode) })).toThrow(/does not interpolate/);
    expect(emit.one("Resize", inputs, {}).shape).toEqual(scales.map((scale) => 4 * scale));
  });
});
