import { describe, expect, it } from "vitest";
import { type FloatTensor, floatTensor } from "../../src/graph/tensor.js";
import { HostState, initialState } from "../../src/training/training-state.js";

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

const targetOf = ({ targets }: HostState): Float32Array => (targets["next/w"] as FloatTensor).data;

describe("HostState", () => {
  it("exchanges its buffers where a step is accepted, and only there", async () => {
    const state = new HostState({ w: floatTensor([1, 2]) });
    targetOf(state).set([3, 4]);
    expect(await state.read(["w"])).toEqual(new Map([["w", Float32Array.of(1, 2)]]));
    state.accept();
    expect(await state.read(["w"])).toEqual(new Map([["w", Float32Array.of(3, 4)]]));
    expect([...targetOf(state)]).toEqual([1, 2]);
    await state.load({ w: floatTensor([5, 6]) });
    expect(await state.read(["w"])).toEqual(new Map([["w", Float32Array.of(5, 6)]]));
    expect([...targetOf(state)]).toEqual([1, 2]);
  });
});
