import { describe, expect, it } from "vitest";
import {
  code,
  compileFunction,
  f32Constant,
  i32Constant,
  valueType,
  type WorkingMemory,
  workingMemory,
} from "../src/webassembly.js";

/** Runs instructions that leave an f32 on the stack, and gives it. */
function computed(instructions: readonly number[], parameter = 0): number {
  const memory = workingMemory(4) as WorkingMemory;
  const run = compileFunction(memory, {
    parameters: [valueType.i32],
    locals: [],
    instructions: [...i32Constant(0), ...instructions, code.f32Store, 2, 0],
  });
  run!(parameter);
  return new Float32Array(memory.buffer)[0];
}

describe("compileFunction", () => {
  it.each([0, 63, 64, 127, 128, 8191, 8192, 1_000_000, 2 ** 31 - 1])("has the whole number %d", (number) => {
    // An i32 is seen from outside where it is the same as a parameter.
    const convert = 0xb2;
    const difference = [...i32Constant(number), code.getLocal, 0, 0x6b, convert];
    expect(computed(difference, number)).toBe(0);
    expect(computed(difference, number - 5)).toBe(5);
  });

  it("has fractions", () => {
    expect(computed(f32Constant(-0.1))).toBe(Math.fround(-0.1));
  });

  it("gives nothing where the engine does not know an instruction", () => {
    const memory = workingMemory(4) as WorkingMemory;
    expect(compileFunction(memory, { parameters: [], locals: [], instructions: [0xff] })).toBeUndefined();
  });
});

describe("workingMemory", () => {
  it("has at least as many bytes as were asked for, all zeros", () => {
    const bytes = new Uint8Array(workingMemory(65537)!.buffer);
    expect(bytes.length).toBe(2 * 65536);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  it("gives nothing where addresses do not reach", () => {
    expect(workingMemory(2 ** 33)).toBeUndefined();
  });
});
