import { describe, expect, it } from "vitest";
import { floatTensor } from "../../src/graph/tensor.js";
import type { DeviceTensor } from "../../src/runtime/session.js";
import { DeviceState, HostState, initialState } from "../../src/training/training-state.js";

/** A tensor of a device that is not there. */
function fakeTensor(): DeviceTensor & { disposed: number } {
  return {
    location: "webgpu",
    type: "float32",
    shape: [2],
    disposed: 0,
    dispose() {
      this.disposed++;
    },
  };
}

describe("initialState", () => {
  const state = [
    { name: "w", shape: [2], owner: "features", parameter: { name: "w", shape: [2], role: "weight" } },
    { name: "average/w", shape: [2], owner: "features", averageOf: "w" },
    { name: "moment/w", shape: [2], owner: "features" },
  ] as const;

  it("starts averages as their parameter and all else as nothing, in buffers of their own", () => {
    const w = Float32Array.of(1, 2);
    const made = initialState(state, new Map([["w", w]]));
    expect(made).toEqual({ w: floatTensor([1, 2]), "average/w": floatTensor([1, 2]), "moment/w": floatTensor([0, 0]) });
    made.w.data[0] = 5;
    expect([...w]).toEqual([1, 2]);
    expect(made["average/w"].data[0]).toBe(1);
  });

  it("refuses what does not fit", () => {
    expect(() => initialState(state, new Map())).toThrow("state w: a parameter needs start values");
    expect(() => initialState(state, new Map([["w", new Float32Array(3)]]))).toThrow("3 elements for shape 2");
  });
});

describe("HostState", () => {
  it("exchanges its buffers where a step is accepted, and only there", async () => {
    const state = new HostState({ w: floatTensor([1, 2]) });
    (state.targets["next/w"].data as Float32Array).set([3, 4]);
    state.reject();
    expect(await state.read(["w"])).toEqual(new Map([["w", Float32Array.of(1, 2)]]));
    state.accept();
    expect(await state.read(["w"])).toEqual(new Map([["w", Float32Array.of(3, 4)]]));
    expect([...(state.targets["next/w"].data as Float32Array)]).toEqual([1, 2]);
  });
});

describe("DeviceState", () => {
  it("feeds what the step left on the device, and frees what it replaces", async () => {
    const state = new DeviceState({ w: floatTensor([1, 2]) });
    expect(await state.read(["w"])).toEqual(new Map([["w", Float32Array.of(1, 2)]]));
    const [first, second, third] = [fakeTensor(), fakeTensor(), fakeTensor()];
    state.accept({ "next/w": first });
    expect(state.feeds).toEqual({ w: first });
    state.accept({ "next/w": second });
    expect([first.disposed, second.disposed]).toEqual([1, 0]);
    state.reject({ "next/w": third });
    expect([second.disposed, third.disposed]).toEqual([0, 1]);
    expect(state.feeds).toEqual({ w: second });
    state.dispose();
    expect(second.disposed).toBe(1);
  });
});
