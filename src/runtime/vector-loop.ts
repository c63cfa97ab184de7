/**
 * Loops over arrays of float32 in WebAssembly's vectors of four: elementwise formulas of many steps in one pass over
 * memory, where each operator of ONNX Runtime is a pass of its own. The arrays lie in one memory that ONNX Runtime reads
 * and writes too, since it takes typed arrays without a copy.
 *
 * Each operation is rounded to float32 as ONNX Runtime's is, so that the same formula gives the same bits.
 */
import {
  code,
  compileFunction,
  type FunctionText,
  f32Constant,
  i32Constant,
  unsigned,
  valueType,
  type WorkingMemory,
} from "../webassembly.js";

export { type WorkingMemory as VectorMemory, workingMemory as vectorMemory } from "../webassembly.js";

/** One value of a loop's formula, for four elements at once. */
export interface LaneValue {
  readonly local: number;
  /** The same for all elements, and computed once a run. */
  readonly uniform: boolean;
}

/** Writes a loop's formula. */
export interface LoopFormula {
  /** The elements of the array at this place among the loop's arrays. */
  read(array: number): LaneValue;
  /** The number at this place among the loop's numbers. */
  number(index: number): LaneValue;
  /** A number that never changes. */
  scalar(value: number): LaneValue;
  add(a: LaneValue, b: LaneValue): LaneValue;
  subtract(a: LaneValue, b: LaneValue): LaneValue;
  multiply(a: LaneValue, b: LaneValue): LaneValue;
  divide(a: LaneValue, b: LaneValue): LaneValue;
  squareRoot(a: LaneValue): LaneValue;
  /**
   * The value, or zero where its magnitude is less than a number: for what decays towards nothing, since processors
   * take a hundred times as long for numbers below the smallest normal one.
   */
  zeroBelow(a: LaneValue, least: LaneValue): LaneValue;
  /** Puts a value into an array. */
  write(array: number, value: LaneValue): void;
}

/** @param arrays where the arrays begin, in bytes @param count elements of each; a multiple of four */
export type VectorLoop = (arrays: readonly number[], count: number, numbers: readonly number[]) => void;

/** Elements in a vector. */
export const lanes = 4;
const bytesOfVector = 16;

/**
 * Compiles a loop.
 *
 * @param memory where its arrays lie
 * @param arrays how many there are
 * @param numbers how many numbers it is given at each run
 * @returns undefined where the processor or the engine has no vectors
 */
export function vectorLoop(
  memory: WorkingMemory,
  arrays: number,
  numbers: number,
  write: (formula: LoopFormula) => void,
): VectorLoop | undefined {
  const run = compileFunction(memory, functionText(arrays, numbers, write));
  if (!run) return undefined;
  return (places, count, values) => {
    if (places.length !== arrays || values.length !== numbers || count % lanes !== 0)
      throw new Error(`vector loop: ${places.length} arrays, ${values.length} numbers, ${count} elements do not fit`);
    run(...places, count * 4, ...values);
  };
}

/** Vector instructions, behind the prefix 0xfd. */
const vector = {
  load: 0x00,
  store: 0x0b,
  splat: 0x13,
  greaterOrEqual: 0x46,
  and: 0x4e,
  absolute: 0xe0,
  squareRoot: 0xe3,
  add: 0xe4,
  subtract: 0xe5,
  multiply: 0xe6,
  divide: 0xe7,
} as const;

const vectorCode = (instruction: number): number[] => [0xfd, ...unsigned(instruction)];

function functionText(arrays: number, numbers: number, write: (formula: LoopFormula) => void): FunctionText {
  // Parameters: where the arrays begin, how many bytes each has, the numbers. Then the place in bytes, then vectors.
  const end = arrays;
  const firstNumber = arrays + 1;
  const place = firstNumber + numbers;
  let vectors = 0;
  const get = (local: number): number[] => [code.getLocal, ...unsigned(local)];
  const before: number[] = [];
  const body: number[] = [];
  const into = (uniform: boolean, instructions: readonly number[]): LaneValue => {
    const local = place + 1 + vectors++;
    (uniform ? before : body).push(...instructions, code.setLocal, ...unsigned(local));
    return { local, uniform };
  };
  const spread = Array.from({ length: numbers }, (_, index) =>
    into(true, [...get(firstNumber + index), ...vectorCode(vector.splat)]),
  );
  const at = (array: number): number[] => [...get(array), ...get(place), code.i32Add];
  // Aligned to 2⁴ bytes at best, no offset.
  const access = [4, 0];
  const two =
    (instruction: number) =>
    (a: LaneValue, b: LaneValue): LaneValue =>
      into(a.uniform && b.uniform, [...get(a.local), ...get(b.local), ...vectorCode(instruction)]);
  const formula: LoopFormula = {
    read: (array) => into(false, [...at(array), ...vectorCode(vector.load), ...access]),
    number: (index) => spread[index],
    scalar: (value) => into(true, [...f32Constant(value), ...vectorCode(vector.splat)]),
    add: two(vector.add),
    subtract: two(vector.subtract),
    multiply: two(vector.multiply),
    divide: two(vector.divide),
    squareRoot: (a) => into(a.uniform, [...get(a.local), ...vectorCode(vector.squareRoot)]),
    zeroBelow: (a, least) =>
      into(a.uniform && least.uniform, [
        ...get(a.local),
        ...vectorCode(vector.absolute),
        ...get(least.local),
        ...vectorCode(vector.greaterOrEqual),
        ...get(a.local),
        ...vectorCode(vector.and),
      ]),
    write: (array, value) => {
      body.push(...at(array), ...get(value.local), ...vectorCode(vector.store), ...access);
    },
  };
  write(formula);
  return {
    parameters: [...new Array(arrays + 1).fill(valueType.i32), ...new Array(numbers).fill(valueType.f32)],
    locals: [
      { count: 1, type: valueType.i32 },
      { count: vectors, type: valueType.v128 },
    ],
    instructions: [
      ...before,
      ...[code.block, code.noType, ...get(end), code.i32IsZero, code.branchIf, 0],
      ...[code.loop, code.noType],
      ...body,
      ...[...get(place), ...i32Constant(bytesOfVector), code.i32Add, code.setLocal, ...unsigned(place)],
      ...[...get(place), ...get(end), code.i32LessUnsigned, code.branchIf, 0],
      ...[code.end, code.end],
    ],
  };
}
