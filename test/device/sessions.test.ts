import { describe, expect, it } from "vitest";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, intTensor, sizeOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { openPlaces } from "../../src/runtime/device-places.js";
import { openSession } from "../../src/runtime/node.js";
import { profiledRun } from "../../src/runtime/profiled-run.js";
import { openResidentSession } from "../../src/runtime/resident-session.js";
import { normalTensor } from "../support/run-graph.js";
import { needWebgpu } from "./webgpu-device.js";

needWebgpu();

/** next = 2 x, same = x, sum = Σ x. */
function doubling() {
  const emit = new Emitter();
  const x = emit.input("x", "float32", [3]);
  emit.output("next", emit.scale(x, 2));
  emit.output("same", x);
  emit.output("sum", emit.reduceSum(x));
  return emit.build("doubling");
}

describe("places in a device's memory", () => {
  it("are written and read, and a session reads and writes them", async () => {
    const places = await openPlaces({ x: floatTensor([1, 2, 3]), y: floatTensor([0, 0, 0]) }, "webgpu");
    expect(places.tensors.x).toMatchObject({ location: "webgpu", type: "float32", shape: [3] });
    const session = await openSession(doubling(), { device: "webgpu" });
    const same = floatTensor([0, 0, 0]);
    const outputs = await session.run({ x: places.tensors.x }, { next: places.tensors.y, same });
    expect(Object.keys(outputs)).toEqual(["same", "sum"]);
    expect([...same.data]).toEqual([1, 2, 3]);
    expect(outputs.sum.data[0]).toBe(6);
    expect([...(await places.read(["y"])).y.data]).toEqual([2, 4, 6]);
    await places.write({ x: floatTensor([4, 5, 6]), y: floatTensor([7, 8, 9]) });
    const read = await places.read(["y", "x"]);
    expect([...read.x.data, ...read.y.data]).toEqual([4, 5, 6, 7, 8, 9]);
    await session.release();
    await places.release();
  });
});

describe("a resident session", () => {
  it.each([true, false])(
    "runs from and to the places it is given, and leaves outputs (recorded: %s)",
    async (records) => {
      const session = await openResidentSession(doubling(), { device: "webgpu" }, ["same"], records);
      const one = await openPlaces({ next: floatTensor([0, 0, 0]) }, "webgpu");
      const two = await openPlaces({ next: floatTensor([0, 0, 0]) }, "webgpu");
      const sum = floatTensor([0], []);
      for (const [run, { tensors }] of [one, two, one, two, one].entries()) {
        const outputs = await session.run({ x: floatTensor([run, 1, 1]) }, { ...tensors, sum });
        expect(outputs).toEqual({ sum });
        expect(sum.data[0]).toBe(run + 2);
        expect([...(await session.left(["same"])).same.data]).toEqual([run, 1, 1]);
      }
      expect([...(await one.read(["next"])).next.data]).toEqual([8, 2, 2]);
      expect([...(await two.read(["next"])).next.data]).toEqual([6, 2, 2]);
      await session.release();
      await one.release();
      await two.release();
    },
  );

  it("computes right where the provider leaves an operator to the CPU", async () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [1, 3]);
    emit.output("next", emit.one("LogSoftmax", [emit.scale(x, 2)]));
    const session = await openResidentSession(emit.build("scores"), { device: "webgpu" }, [], true);
    const places = await openPlaces({ next: floatTensor([0, 0, 0], [1, 3]) }, "webgpu");
    for (const first of [0, 1, 5]) {
      await session.run({ x: floatTensor([first, 0, 0], [1, 3]) }, places.tensors);
      const scores = (await places.read(["next"])).next.data as Float32Array;
      expect(scores[0]).toBeCloseTo(2 * first - Math.log(Math.exp(2 * first) + 2), 4);
    }
    await session.release();
    await places.release();
  });
});

describe("a device's memory", () => {
  // A GPU may have more memory than a test can ask for.
  it.skipIf(process.env.HEADSTART_TEST_GPU === "1")("says that the memory is not enough, and goes on", async () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [1]);
    // 2.4 GB: more than the software driver gives.
    emit.output("sum", emit.reduceSum(emit.one("Expand", [x, emit.constant(intTensor([600, 2 ** 20]))])));
    const session = await openSession(emit.build("large"), { device: "webgpu" });
    await expect(session.run({ x: floatTensor([1]) })).rejects.toThrow(
      /^device webgpu: required memory for a step, got .*\. Take a smaller batch/,
    );
    await session.release();
    const small = await openSession(doubling(), { device: "webgpu" });
    expect((await small.run({ x: floatTensor([1, 2, 3]) })).sum.data[0]).toBe(6);
    await small.release();
  });
});

describe("convolutions on WebGPU", () => {
  // Channels last, ONNX Runtime 1.30 mixes up groups whose filters are no multiple of four.
  it.each<[number[], number[], number, string?]>([
    [[2, 4, 8, 8], [36, 1, 3, 3], 4],
    [[2, 2, 8, 8], [18, 1, 3, 3], 2],
    [[2, 4, 8, 8], [12, 2, 3, 3], 2],
    [[2, 3, 8, 8], [4, 3, 3, 3], 1],
    // It computes channels last.
    [[2, 4, 8, 8], [8, 1, 3, 3], 4],
    [[2, 4, 8, 8], [4, 1, 3, 3], 4],
    [[2, 4, 8, 8], [32, 1, 3, 3], 4],
    [[2, 12, 8, 8], [16, 12, 3, 3], 1],
    // Channels last, six of them are mixed up.
    [[2, 6, 8, 8], [16, 6, 3, 3], 1],
    // And transposed, one channel from two of a group.
    [[2, 4, 8, 8], [4, 1, 3, 3], 2, "ConvTranspose"],
    [[2, 4, 8, 8], [4, 1, 3, 3], 4, "ConvTranspose"],
    [[2, 3, 8, 8], [3, 6, 3, 3], 1, "ConvTranspose"],
  ])("of %j with %j in %d groups are those of the CPU", async (inputShape, filterShape, group, op = "Conv") => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", inputShape);
    const w = emit.input("w", "float32", filterShape);
    emit.output("y", emit.one(op, [x, w], { group: attribute.int(group), pads: attribute.ints([1, 1, 0, 0]) }));
    const graph = emit.build("convolution");
    const feeds = { x: normalTensor("x", inputShape), w: normalTensor("w", filterShape) };
    const results = [];
    for (const device of ["cpu", "webgpu"] as const) {
      const session = await openSession(graph, { device, threads: 1 });
      results.push((await session.run(feeds)).y);
      await session.release();
    }
    const [expected, got] = results.map(({ data }) => data as Float32Array);
    expect(expected.length).toBe(sizeOf(results[0].shape));
    expected.forEach((value, index) => {
      expect(got[index]).toBeCloseTo(value, 4);
    });
  });
});

describe("operators that the provider computes wrongly", () => {
  it.each([
    ["BatchNormalization", [[8, 4], [4], [4], [4], [4]], {}],
    [
      "ConvTranspose",
      [
        [2, 2, 3, 3, 3],
        [2, 2, 2, 2, 2],
      ],
      { strides: attribute.ints([2, 2, 2]) },
    ],
  ])("%s of %j is the CPU's", async (op, shapes, attributes) => {
    const emit = new Emitter();
    const inputs = shapes.map((shape, index) => emit.input(`x${index}`, "float32", shape));
    emit.output("y", emit.one(op, inputs, attributes));
    const graph = emit.build("operator");
    // Variances come last, and are positive.
    const feeds = Object.fromEntries(
      shapes.map((shape, index) => [
        `x${index}`,
        normalTensor(`x${index}`, shape, index === 4 ? 0 : 1, index === 4 ? 2 : 0),
      ]),
    );
    const [expected, got] = [
      await openSession(graph, { threads: 1 }),
      await openSession(graph, { device: "webgpu", threads: 1 }),
    ];
    const [here, there] = [(await got.run(feeds)).y, (await expected.run(feeds)).y];
    (there.data as Float32Array).forEach((value, index) => {
      expect((here.data as Float32Array)[index]).toBeCloseTo(value, 4);
    });
    await expected.release();
    await got.release();
  });

  it("MaxPool's Indices are the CPU's", async () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [1, 2, 4, 4]);
    const pooled = emit.node("MaxPool", [x], { kernel_shape: attribute.ints([2, 2]) }, 2);
    emit.output("y", pooled[0]);
    emit.output("indices", pooled[1]);
    const session = await openSession(emit.build("pool"), { device: "webgpu" });
    const { y, indices } = await session.run({
      x: floatTensor(
        Float32Array.from({ length: 32 }, (_, i) => i),
        [1, 2, 4, 4],
      ),
    });
    expect([...(indices.data as BigInt64Array)].map(Number)).toEqual([...(y.data as Float32Array)]);
    await session.release();
  });
});

describe("profiledRun", () => {
  it("names what the CPU runs in place of the device", async () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [2, 4]);
    emit.output("y", emit.one("LogSoftmax", [emit.scale(x, 2)]));
    const feeds = { x: normalTensor("x", [2, 4]) };
    const { placement, outputs } = await profiledRun(emit.build("scores"), "webgpu", feeds);
    expect(placement).toMatchObject({ device: "webgpu", onCpu: { LogSoftmax: 1 } });
    expect(placement.onDevice).toBeGreaterThan(0);
    expect(outputs.y.shape).toEqual([2, 4]);
  });
});
