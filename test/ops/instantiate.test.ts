import { describe, expect, it } from "vitest";
import { attribute, type Graph } from "../../src/graph/graph.js";
import { floatTensor, numbersOf, numberToBfloat16, numberToFloat16, type Tensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { instantiate, parameterInputs, singlePrecision } from "../../src/ops/instantiate.js";
import { analyzeNetwork, type Network } from "../../src/ops/network.js";
import { openSession } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

/** A network's value on a batch, with its own weights. */
async function compute(
  network: Network,
  target: string,
  samples: Tensor,
  normalization: "batch" | "running" = "running",
): Promise<{ value: Tensor; statistics: Record<string, number[]>; steps: number }> {
  const emit = new Emitter();
  const instance = instantiate({
    emit,
    network,
    input: emit.input("samples", "float32", samples.shape),
    targets: [target],
    parameter: (name) => emit.constant(singlePrecision(network.tensors.get(name)!)),
    normalization,
  });
  emit.output("value", instance.targets[0]);
  for (const [name, value] of instance.runningStatistics) emit.output(`running/${name}`, value);
  const session = await openSession(emit.build("test"), { threads: 1 });
  const { value, ...others } = await session.run({ samples });
  await session.release();
  const statistics = Object.fromEntries(Object.entries(others).map(([name, tensor]) => [name, numbersOf(tensor)]));
  return { value, statistics, steps: instance.steps.length };
}

describe("instantiate", () => {
  it("emits only what the targets need", async () => {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [4, 3])])]);
    const network = net.build([4], net.node("Gemm", [hidden, net.weight("w2", [3, 2])]));
    const { value, steps } = await compute(network, hidden, normalTensor("samples", [5, 4]));
    expect(value.shape).toEqual([5, 3]);
    expect(steps).toBe(2);
  });

  it("takes any batch where the model was exported for one", async () => {
    const net = new TestNetwork();
    const flat = net.node("Reshape", ["x", net.ints([1, 12])]);
    const token = net.node("Concat", [flat, net.weight("token", [1, 2])], { axis: 1 });
    const logits = net.node("Gemm", [token, net.weight("w", [14, 3])]);
    const network = analyzeNetwork(net.graph([3, 4], [logits], 1), { where: "model.onnx" });
    const samples = normalTensor("samples", [5, 3, 4]);
    const { value } = await compute(network, logits, samples);
    expect(value.shape).toEqual([5, 3]);
    for (const row of [0, 4]) {
      const one = floatTensor(samples.data.slice(row * 12, row * 12 + 12), [1, 3, 4]);
      const alone = numbersOf((await compute(network, logits, one)).value);
      numbersOf(value)
        .slice(row * 3, row * 3 + 3)
        .forEach((element, index) => {
          expect(element).toBeCloseTo(alone[index], 5);
        });
    }
  });

  it("says that the batch is fixed where it cannot be fitted", async () => {
    const net = new TestNetwork();
    const rows = net.node("Gather", [net.node("Gemm", ["x", net.weight("w", [2, 3])]), net.ints([0, 1])]);
    const network = analyzeNetwork(net.graph([2], [rows], 2), { where: "model.onnx" });
    await expect(compute(network, rows, normalTensor("samples", [4, 2]))).rejects.toThrow(
      /batches of any size, got \[2, 3\] for a batch of 4, since the export has fixed the batch at 2.*dynamic_shapes/,
    );
    expect((await compute(network, rows, normalTensor("samples", [2, 2]))).value.shape).toEqual([2, 3]);
  });

  it("normalises by the batch or by running statistics, and gives the new ones", async () => {
    const net = new TestNetwork();
    const statistics = [
      net.filled("scale", [2], 1),
      net.filled("shift", [2], 0),
      net.filled("mean", [2], 3),
      net.filled("variance", [2], 4),
    ];
    const normal = net.node("BatchNormalization", ["x", ...statistics], { momentum: attribute.float(0.75) });
    const logits = net.node("Gemm", [normal, net.weight("w", [2, 2])]);
    const network = net.build([2], logits);
    const samples = floatTensor([1, 10, 3, 20, 5, 30], [3, 2]);
    const running = await compute(network, normal, samples);
    expect(numbersOf(running.value)[0]).toBeCloseTo((1 - 3) / 2, 4);
    expect(running.statistics).toEqual({});
    const batch = await compute(network, normal, samples, "batch");
    expect(numbersOf(batch.value)[0]).toBeCloseTo(-2 / Math.sqrt(8 / 3), 4);
    expect(batch.statistics["running/mean"][0]).toBeCloseTo(0.75 * 3 + 0.25 * 3, 4);
    expect(batch.statistics["running/mean"][1]).toBeCloseTo(0.75 * 3 + 0.25 * 20, 4);
    // ONNX keeps the population's variance: 8/3.
    expect(batch.statistics["running/variance"][0]).toBeCloseTo(0.75 * 4 + 0.25 * (8 / 3), 4);
  });

  it("goes on from the last use where a normalisation is used again, also behind a copy", async () => {
    const net = new TestNetwork();
    const parts = ["scale", "shift", "mean", "variance"].map((name) => net.filled(name, [1], name === "mean" ? 8 : 1));
    const first = net.node("BatchNormalization", ["x", ...parts], { momentum: attribute.float(0.5) });
    const copied = [...parts.slice(0, 2), ...parts.slice(2).map((name) => net.node("Identity", [name]))];
    const second = net.node("BatchNormalization", [first, ...copied], { momentum: attribute.float(0.5) });
    const network = net.build([1], net.node("Gemm", [second, net.weight("w", [1, 2])]));
    const { statistics } = await compute(network, second, floatTensor([1, 3], [2, 1]), "batch");
    expect(Object.keys(statistics).sort()).toEqual(["running/mean", "running/variance"]);
    // 8 becomes (8 + 2) / 2 = 5, then (5 + 1) / 2.
    expect(statistics["running/mean"][0]).toBeCloseTo(3, 4);
  });

  it("leaves a weight alone that is standardised by its own mean and variance", async () => {
    const net = new TestNetwork();
    const weight = net.weight("w", [1, 3, 4]);
    const mean = net.node("ReduceMean", [weight, net.ints([0, 2])], { keepdims: 0 });
    const squares = net.node("ReduceMean", [net.node("Mul", [weight, weight]), net.ints([0, 2])], { keepdims: 0 });
    const variance = net.node("Sub", [squares, net.node("Mul", [mean, mean])]);
    const affine = [net.filled("gain", [3], 2), net.filled("shift", [3], 0)];
    const standard = net.node("BatchNormalization", [weight, ...affine, mean, variance]);
    const output = net.node("Gemm", ["x", net.node("Reshape", [standard, net.ints([3, 4])])], { transB: 1 });
    const network = analyzeNetwork(net.graph([4], [output]), { where: "model.onnx", trained: new Set(["w", "gain"]) });
    expect([...network.parameters.keys()]).toContain("w");
    const samples = normalTensor("samples", [5, 4]);
    const { value, statistics } = await compute(network, output, samples, "batch");
    expect(statistics).toEqual({});
    expect(value).toEqual((await compute(network, output, samples, "running")).value);
  });

  it("drops nothing where the model was exported in training mode", async () => {
    const net = new TestNetwork();
    const ratio = net.number(0.5);
    const dropped = net.node("Dropout", ["x", ratio]);
    const network = net.build([4], net.node("Gemm", [dropped, net.weight("w", [4, 2])]));
    const samples = normalTensor("samples", [3, 4]);
    expect(numbersOf((await compute(network, dropped, samples)).value)).toEqual(numbersOf(samples));
  });

  it("takes weights that are called as what it makes, as in a network that headstart has written", async () => {
    const net = new TestNetwork();
    const moved = net.node("Add", ["x", net.number(0.5)]);
    const weight = net.weight("headstart/constant_1", [4, 3]);
    const network = net.build([4], net.node("Gemm", [moved, weight]));
    const emit = new Emitter();
    const { targets } = instantiate({
      emit,
      network,
      input: emit.input("samples", "float32", [2, 4]),
      targets: ["gemm1"],
      parameter: parameterInputs(emit, network),
      normalization: "running",
    });
    emit.output("value", targets[0]);
    const graph = emit.build("test");
    expect(graph.inputs.map(({ name }) => name)).toEqual(["samples", weight]);
    expect([...graph.initializers.keys()]).toEqual(["headstart/constant_2"]);
  });

  it("refuses values that no memory holds, by the node that makes them", () => {
    const net = new TestNetwork();
    let value = net.node("Unsqueeze", ["x", net.ints([1])]);
    for (let count = 0; count < 60; count++) value = net.node("Concat", [value, value], { axis: 1 });
    const wide = net.build([4], net.node("ReduceMean", [value]));
    const tiled = net.build([4], net.node("Tile", ["x", net.ints([1, 2 ** 29])]));
    const emit = (network: Network, batch: number) => {
      const inside = new Emitter();
      const input = inside.input("samples", "float32", [batch, 4]);
      const [{ name }] = network.graph.outputs;
      return instantiate({
        emit: inside,
        network,
        input,
        targets: [name],
        parameter: parameterInputs(inside, network),
        normalization: "running",
      });
    };
    expect(() => emit(wide, 2)).toThrow(
      "model.onnx: node node_concat29 (Concat): required values of at most 2147483648 elements, which take 8 GiB, got " +
        "[2, 536870912, 4] for a batch of 2. Take a smaller batch (--batch-size), or a network that makes no such value.",
    );
    expect(emit(tiled, 1).targets[0].shape).toEqual([1, 2 ** 31]);
    expect(() => emit(tiled, 2)).toThrow(/\(Tile\): .*got \[2, 2147483648\] for a batch of 2/);
  });

  it("says which attribute an operator does not have, as ONNX Runtime would", async () => {
    const net = new TestNetwork();
    const wrong = net.build([4], net.node("Tanh", [net.node("Relu", ["x"])], { keepdims: 1 }));
    const message = /^.*: node node_tanh1 \(Tanh\): .* got Tanh: ONNX gives it no attribute keepdims\./;
    await expect(compute(wrong, "tanh1", normalTensor("samples", [2, 4]))).rejects.toThrow(message);
    const plain: Graph = { ...wrong.graph, inputs: [{ name: "x", type: "float32", shape: [2, 4] }] };
    await expect(openSession(plain)).rejects.toThrow("Unrecognized attribute: keepdims");
    // What is dropped or folded has any.
    const dropped = new TestNetwork();
    const shape = dropped.node("Shape", ["x"], { keepdims: 1 });
    const network = dropped.build(
      [4],
      dropped.node("Reshape", [dropped.node("Dropout", ["x"], { is_test: 1 }), shape]),
    );
    const { value } = await compute(network, "reshape2", normalTensor("samples", [2, 4]));
    expect(value.shape).toEqual([2, 4]);
  });

  it("computes half and double precision in single", async () => {
    const net = new TestNetwork();
    const cast = net.node("Cast", ["x"], { to: 10 });
    const logits = net.node("Gemm", [cast, net.weight("w", [4, 2])]);
    const graph = net.graph([4], [logits]);
    const tensor = graph.initializers.get("w")!;
    const half: Tensor = {
      type: "float16",
      shape: tensor.shape,
      data: Uint16Array.from(numbersOf(tensor), numberToFloat16),
    };
    const network = analyzeNetwork({ ...graph, initializers: new Map([["w", half]]) }, { where: "model.onnx" });
    const { value } = await compute(network, logits, floatTensor([1, 0, 0, 0], [1, 4]));
    expect(value.type).toBe("float32");
    expect(numbersOf(value)).toEqual(numbersOf(half).slice(0, 2));
  });

  it.each([
    [
      "an unknown operator",
      (net: TestNetwork) => net.node("Odd", ["x"]),
      /^model\.onnx: node node_odd0 \(Odd\): required an operator that headstart can differentiate, got Odd\. Choose an earlier/,
    ],
    [
      "shapes that do not fit",
      (net: TestNetwork) => net.node("Gemm", ["x", net.weight("w", [3, 2])]),
      /^model\.onnx: node node_gemm0 \(Gemm\): required inputs that fit the operator, got .*\. Check the model/,
    ],
    [
      "a value that nothing gives",
      (net: TestNetwork) => net.node("Add", ["x", "ghost"]),
      /^model\.onnx: required a node or initializer that gives ghost, got none\. Check the model/,
    ],
  ])("names %s", async (_, body, message) => {
    const net = new TestNetwork();
    const target = body(net);
    await expect(compute(net.build([4], target), target, normalTensor("samples", [2, 4]))).rejects.toThrow(message);
  });

  it("says which node took which parameter and depends on the sample", () => {
    const net = new TestNetwork();
    const turned = net.node("Transpose", [net.weight("w", [3, 4])], { perm: [1, 0] });
    const logits = net.node("MatMul", ["x", turned]);
    const network = net.build([4], logits);
    const emit = new Emitter();
    const instance = instantiate({
      emit,
      network,
      input: emit.input("samples", "float32", [2, 4]),
      targets: [logits],
      parameter: (name) => emit.input(name, "float32", network.tensors.get(name)!.shape),
      normalization: "running",
    });
    expect(instance.steps.map(({ node, fromSample, parameters }) => [node.op, fromSample, parameters])).toEqual([
      ["Transpose", [false], ["w"]],
      ["MatMul", [true, false], [undefined, "w"]],
    ]);
  });
});

describe("singlePrecision", () => {
  it("decodes what is no float32 and leaves integers alone", () => {
    const values = [1, -2.5, 0];
    const of = (type: "float16" | "bfloat16", encode: (value: number) => number): Tensor => ({
      type,
      shape: [3],
      data: Uint16Array.from(values, encode),
    });
    for (const tensor of [
      of("float16", numberToFloat16),
      of("bfloat16", numberToBfloat16),
      { type: "float64", shape: [3], data: Float64Array.from(values) } as const,
    ])
      expect(singlePrecision(tensor)).toEqual(floatTensor(values));
    const whole = { type: "int64", shape: [1], data: BigInt64Array.of(3n) } as const;
    expect(singlePrecision(whole)).toBe(whole);
  });
});
