import { describe, expect, it } from "vitest";
import { sizeOf } from "../../src/graph/tensor.js";
import { type InspectOptions, inspect } from "../../src/library/inspect.js";
import { folderWith, modelFile, toyModel } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

function inspected(bytes: Uint8Array, options: Partial<InspectOptions> = {}) {
  return inspect({ model: folderWith({ "model.onnx": bytes })("model.onnx"), ...options });
}

describe("inspect", () => {
  it("shows the chain of F, its mirror and D", async () => {
    const result = await inspected(
      toyModel({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6], normalization: "batch", classes: 3 }),
    );
    expect(result).toMatchObject({
      opset: 17,
      producer: "headstart",
      input: { name: "input", shape: [1, 8, 8] },
      features: { name: "flatten/Flatten_output", shape: [24] },
      head: ["Gemm classifier/Gemm"],
      unsupported: [],
      warnings: [],
    });
    expect(result.extractor.map(({ op, shape }) => [op, shape])).toEqual([
      ["Conv", [4, 4, 4]],
      ["BatchNormalization", [4, 4, 4]],
      ["Relu", [4, 4, 4]],
      ["Conv", [6, 2, 2]],
      ["BatchNormalization", [6, 2, 2]],
      ["Relu", [6, 2, 2]],
      ["Flatten", [24]],
    ]);
    expect(result.extractor[0].parameters).toEqual([
      { name: "features.0.weight", shape: [4, 1, 3, 3], role: "weight" },
    ]);
    expect(result.extractor[1].parameters.map(({ role }) => role)).toEqual([
      "scale",
      "shift",
      "statistic",
      "statistic",
    ]);
    // 4·9 + 4·4, 6·4·9 + 4·6; the head adds 24·3 + 3.
    const own = 36 + 16 + 216 + 24;
    expect(result.parameterCounts).toMatchObject({ features: own, whole: own + 75 });
    expect(result.parameterCounts.mirror).toBeGreaterThan(200);
    expect(result.parameterCounts.discriminator).toBeGreaterThan(0);
    expect(result.mirror.map(({ op }) => op)).toEqual(expect.arrayContaining(["ConvTranspose"]));
    expect(result.mirror.at(-1)?.shape).toEqual([1, 8, 8]);
    expect(result.mirror.map(({ shape }) => sizeOf(shape)).every((size) => size > 0)).toBe(true);
    expect(result.discriminator?.kind).toBe("cnn");
    // Multiply-adds: 16 positions · 4 · 9, 4 positions · 6 · 36.
    expect(result.cost).toBeGreaterThanOrEqual(16 * 36 + 4 * 216);
  });

  it("leaves out what computes shapes and constants, and shows a weight where it is applied", async () => {
    const net = new TestNetwork();
    const batch = net.node("Shape", ["x"], { start: 0, end: 1 });
    const shape = net.node("Concat", [batch, net.ints([4])], { axis: 0 });
    const flat = net.node("Reshape", ["x", shape]);
    const turned = net.node("Transpose", [net.weight("w", [3, 4])], { perm: [1, 0] });
    const hidden = net.node("Tanh", [net.node("MatMul", [flat, turned])]);
    const output = net.node("Gemm", [hidden, net.weight("out", [3, 2])]);
    const { extractor } = await inspected(modelFile(net.graph([2, 2], [output])));
    expect(extractor.map(({ op, parameters }) => [op, ...parameters.map(({ name }) => name)])).toEqual([
      ["Reshape"],
      ["MatMul", "w"],
      ["Tanh"],
    ]);
  });

  it("cuts where it is told to", async () => {
    const bytes = toyModel({ template: "mlp", inputShape: [6], widths: [5, 4] });
    const whole = await inspected(bytes);
    const first = whole.extractor.find(({ op }) => op === "Relu")!;
    const cut = await inspected(bytes, { features: first.name!, discriminator: "mlp" });
    expect(cut.features).toEqual({ name: first.name, shape: [5] });
    expect(cut.extractor.length).toBeLessThan(whole.extractor.length);
    await expect(inspected(bytes, { features: "relu" })).rejects.toThrow(/Did you mean/);
  });

  it("names all behind F and beside it, so that another cut can be chosen there", async () => {
    const net = new TestNetwork();
    const shared = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [4, 5])])]);
    const boxes = net.node("Gemm", [shared, net.weight("w2", [5, 2])]);
    const hidden = net.node("Relu", [net.node("Gemm", [shared, net.weight("w3", [5, 6])])]);
    const outputs = [boxes, net.node("Softmax", [net.node("Gemm", [hidden, net.weight("w4", [6, 3])])])];
    const bytes = modelFile(net.graph([4], outputs));
    const steps = ({ headSteps }: Awaited<ReturnType<typeof inspected>>) =>
      headSteps.map(({ op, shape, parameters }) => [op, shape, ...parameters.map(({ name }) => name)]);
    const rest = [
      ["Gemm", [6], "w3"],
      ["Relu", [6]],
      ["Gemm", [3], "w4"],
      ["Softmax", [3]],
    ];
    expect(steps(await inspected(bytes))).toEqual([["Gemm", [2], "w2"], ...rest]);
    // The other head's own layers belong to F where F is told to end behind them.
    expect(steps(await inspected(bytes, { features: hidden }))).toEqual([["Gemm", [2], "w2"], ...rest.slice(2)]);
    expect(steps(await inspected(bytes, { features: outputs[1] }))).toEqual([["Gemm", [2], "w2"]]);
  });

  it("names what it does not know, and what reads other inputs, without shapes", async () => {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [4, 5])])]);
    const scores = net.node("Gemm", [hidden, net.weight("w2", [5, 2])]);
    const other = net.node("Gemm", ["other", net.weight("w3", [3, 2])]);
    const graph = net.graph([4], [net.node("Odd", [net.node("Add", [scores, other])])]);
    const inputs = [...graph.inputs, { name: "other", type: "float32", shape: ["batch", 3] } as const];
    const { headSteps } = await inspected(modelFile({ ...graph, inputs }), { input: "x", features: hidden });
    expect(headSteps.map(({ op, shape, parameters }) => [op, shape, parameters.length])).toEqual([
      ["Gemm", undefined, 1],
      // What no samples are multiplied by is no parameter.
      ["Gemm", undefined, 0],
      ["Add", undefined, 0],
      ["Odd", undefined, 0],
    ]);
  });

  it.each([
    ["LSTM", "", "its sequences have not three axes"],
    ["Hardmax", "", "headstart does not know this operator"],
    ["Odd", "com.example", "headstart does not know this operator"],
  ])("reports %s of domain '%s' with its node", async (op, domain, reason) => {
    const net = new TestNetwork();
    const odd = net.node(op, [net.node("Gemm", ["x", net.weight("w1", [4, 4])])]);
    const graph = net.graph([4], [net.node("Gemm", [odd, net.weight("w2", [4, 2])])]);
    const result = await inspected(
      modelFile({ ...graph, nodes: graph.nodes.map((node) => (node.op === op ? { ...node, domain } : node)) }),
    );
    const name = graph.nodes.find((node) => node.op === op)!.name;
    expect(result.unsupported).toEqual([{ node: name, op: domain ? `${domain}.${op}` : op, reason }]);
    expect(result.features).toBeUndefined();
    expect(result.parameterCounts.features).toBe(16);
  });

  it("reports several obstacles, and none in the head", async () => {
    const net = new TestNetwork();
    const a = net.node("LSTM", [net.node("Gemm", ["x", net.weight("w1", [4, 4])])]);
    const b = net.node("Relu", [net.node("GRU", [a])]);
    const head = net.node("Hardmax2", [net.node("Gemm", [b, net.weight("w2", [4, 2])])]);
    const result = await inspected(modelFile(net.graph([4], [head])));
    expect(result.unsupported.map(({ op }) => op)).toEqual(["LSTM", "GRU"]);
  });

  it("judges by what the recipe needs", async () => {
    const net = new TestNetwork();
    const maps = net.node("Conv", ["x", net.weight("w1", [4, 3, 3, 3])]);
    const norms = net.node("ReduceL2", [maps, net.ints([1])], { keepdims: 1 });
    const scaled = net.node("Div", [maps, net.node("Max", [norms, net.number(1e-12)])]);
    const sums = net.node("ReduceL1", [scaled, net.ints([2, 3])], { keepdims: 0 });
    const bytes = modelFile(net.graph([3, 8, 8], [net.node("Gemm", [sums, net.weight("w2", [4, 2])])]));
    // Pictures in colour: the rotation task alone, without a mirror.
    const byDefault = await inspected(bytes);
    expect(byDefault).toMatchObject({ unsupported: [], mirror: [], features: { shape: [4] } });
    expect(byDefault.warnings).toEqual([expect.stringMatching(/\(ReduceL1\).*The recipe rotation needs no mirror/)]);
    const magnitudes = { node: "node_reducel14", op: "ReduceL1", reason: expect.stringMatching(/magnitudes/) };
    expect(await inspected(bytes, { recipe: "contrast" })).toMatchObject({ unsupported: [magnitudes] });
    // Nothing is handed back to the norms by which the mirror divides.
    const early = await inspected(bytes, { recipe: "contrast", features: scaled });
    expect(early.unsupported).toEqual([]);
    expect(await inspected(bytes, { recipe: "principal-components" })).toMatchObject({ unsupported: [] });
    await expect(inspected(bytes, { recipe: "contrasts" })).rejects.toThrow(/Did you mean contrast/);
  });

  it("says nothing of mirrors of networks that take tokens, which have none", async () => {
    const bytes = toyModel({ template: "text", inputShape: [8], vocabulary: 16 });
    const byDefault = await inspected(bytes);
    expect(byDefault).toMatchObject({ unsupported: [], mirror: [], warnings: [], input: { shape: [8] } });
    expect(await inspected(bytes, { recipe: "paper" })).toMatchObject({ unsupported: [{ op: "mirror" }] });
  });

  it("shows a network with a weight that is called as what training feeds, and that init refuses it", async () => {
    const net = new TestNetwork();
    const scaled = net.node("Mul", [net.node("Gemm", ["x", net.weight("w1", [4, 3])]), net.weight("samples", [3])]);
    const bytes = modelFile(net.graph([4], [net.node("Gemm", [scaled, net.weight("w2", [3, 2])])]));
    const result = await inspected(bytes);
    expect(result.features).toEqual({ name: scaled, shape: [3] });
    expect(result.unsupported).toMatchObject([{ op: "training", reason: expect.stringMatching(/^weight samples: /) }]);
  });

  it("counts no parameters of a mirror that cannot be built", async () => {
    const net = new TestNetwork();
    const sums = net.node("ReduceL1", ["x", net.ints([-1])], { keepdims: 0 });
    const hidden = net.node("Relu", [net.node("Gemm", [sums, net.weight("w1", [3, 4])])]);
    const bytes = modelFile(net.graph([3, 5], [net.node("Gemm", [hidden, net.weight("w2", [4, 2])])]));
    expect(await inspected(bytes, { recipe: "paper" })).toMatchObject({
      unsupported: [{ op: "ReduceL1" }],
      mirror: [],
      parameterCounts: { features: 12, mirror: 0 },
    });
  });

  it.each(["default", "contrast"])("reports a missing gradient, with the recipe %s", async (recipe) => {
    const net = new TestNetwork();
    const maps = net.node("Conv", ["x", net.weight("w1", [4, 3, 3, 3])]);
    const resized = net.node("Resize", [maps, net.filled("roi", [4], 1), "", net.ints([4, 4])], {
      axes: [2, 3],
      coordinate_transformation_mode: "tf_crop_and_resize",
    });
    const flat = net.node("Flatten", [resized]);
    const graph = net.graph([3, 8, 8], [net.node("Gemm", [flat, net.weight("w2", [64, 2])])]);
    const { unsupported } = await inspected(modelFile(graph), { recipe });
    expect(unsupported).toEqual([
      expect.objectContaining({
        reason: expect.stringMatching(/another coordinate_transformation_mode for a gradient/),
      }),
    ]);
  });

  it("reports what does not fit", async () => {
    const net = new TestNetwork();
    const narrow = net.node("Gemm", [net.node("Gemm", ["x", net.weight("w1", [4, 3])]), net.weight("w2", [4, 4])]);
    const result = await inspected(modelFile(net.graph([4], [net.node("Gemm", [narrow, net.weight("w3", [4, 2])])])));
    expect(result.unsupported).toEqual([
      { node: "gemm1", op: "network", reason: expect.stringMatching(/node node_gemm1 \(Gemm\): required inputs/) },
    ]);
  });

  it("warns of renamed weights and of normalisation that was folded away", async () => {
    const net = new TestNetwork();
    const maps = net.node("Relu", [
      net.node("Conv", ["x", net.weight("onnx::Conv_12", [4, 1, 3, 3]), net.weight("onnx::Conv_13", [4])]),
    ]);
    const flat = net.node("Flatten", [net.node("GlobalAveragePool", [maps])]);
    const hidden = net.node("Relu", [net.node("MatMul", [flat, net.weight("onnx::MatMul_20", [4, 5])])]);
    const graph = net.graph([1, 8, 8], [net.node("Gemm", [hidden, net.weight("fc.weight", [5, 2])])]);
    const { warnings } = await inspected(modelFile(graph));
    expect(warnings).toEqual([
      expect.stringMatching(
        /renamed 3 of F's weights \(onnx::Conv_12, onnx::Conv_13, onnx::MatMul_20\).*torch\.onnx\.export.*TrainingMode\.TRAINING/,
      ),
      expect.stringMatching(/folded.*into 1 of F's layers \(onnx::Conv_12\)/),
    ]);
  });
});
