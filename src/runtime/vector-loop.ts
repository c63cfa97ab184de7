/**
 * Loops over arrays of float32 in WebAssembly's vectors of four: elementwise formulas of many steps in one pass over
 * memory, where each operator of ONNX Runtime is a pass of its own. The arrays lie in one memory that ONNX Runtime reads
 * and writes too, since it takes typed arrays without a copy.
 *
 * Each operation is rounded to float32 as ONNX Runtime's is, so that the same formula gives the same bits. WebAssembly's
 * binary format: https://webassembly.github.io/spec/core/binary/
 */

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
const pageBytes = 65536;
/** What 32-bit addresses reach. */
const mostPages = 65536;

/** What is used of the global that every engine has; without the DOM's types TypeScript does not know it. */
interface Engine {
  Memory: new (size: { initial: number; maximum: number }) => VectorMemory;
  validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  Instance: new (
    module: object,
    imports: Record<string, Record<string, object>>,
  ) => { exports: Record<string, (...numbers: number[]) => void> };
}

/** WebAssembly's memory. */
export interface VectorMemory {
  readonly buffer: ArrayBuffer;
}

const { WebAssembly: engine } = globalThis as unknown as { WebAssembly?: Engine };

/** Memory of at least so many bytes, all zeros. @returns undefined where the machine has not that much */
export function vectorMemory(bytes: number): VectorMemory | undefined {
  const pages = Math.max(1, Math.ceil(bytes / pageBytes));
  if (!engine || pages > mostPages) return undefined;
  try {
    return new engine.Memory({ initial: pages, maximum: pages });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * Compiles a loop.
 *
 * @param memory where its arrays lie
 * @param arrays how many there are
 * @param numbers how many numbers it is given at each run
 * @returns undefined where the processor or the engine has no vectors
 */
export function vectorLoop(
  memory: VectorMemory,
  arrays: number,
  numbers: number,
  write: (formula: LoopFormula) => void,
): VectorLoop | undefined {
  const bytes = moduleBytes(arrays, numbers, write);
  if (!engine?.validate(bytes)) return undefined;
  const { exports } = new engine.Instance(new engine.Module(bytes), { host: { memory } });
  return (places, count, values) => {
    if (places.length !== arrays || values.length !== numbers || count % lanes !== 0)
      throw new Error(`vector loop: ${places.length} arrays, ${values.length} numbers, ${count} elements do not fit`);
    exports.run(...places, count * 4, ...values);
  };
}

const type = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;
const code = {
  block: 0x02,
  loop: 0x03,
  end: 0x0b,
  branchIf: 0x0d,
  getLocal: 0x20,
  setLocal: 0x21,
  i32Constant: 0x41,
  f32Constant: 0x43,
  i32IsZero: 0x45,
  i32LessUnsigned: 0x49,
  i32Add: 0x6a,
  noType: 0x40,
} as const;
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

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** A float32, low bytes first. */
function floatBytes(value: number): number[] {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setFloat32(0, value, true);
  return Array.from({ length: 4 }, (_, index) => bytes.getUint8(index));
}

const vectorCode = (instruction: number): number[] => [0xfd, ...unsigned(instruction)];
const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes];
const list = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];
const named = (name: string): number[] => sized(Array.from(name, (letter) => letter.charCodeAt(0)));
const section = (id: number, bytes: readonly number[]): number[] => [id, ...sized(bytes)];

function moduleBytes(arrays: number, numbers: number, write: (formula: LoopFormula) => void): Uint8Array<ArrayBuffer> {
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
    scalar: (value) => into(true, [code.f32Constant, ...floatBytes(value), ...vectorCode(vector.splat)]),
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
  const instructions = [
    ...before,
    ...[code.block, code.noType, ...get(end), code.i32IsZero, code.branchIf, 0],
    ...[code.loop, code.noType],
    ...body,
    ...[...get(place), code.i32Constant, bytesOfVector, code.i32Add, code.setLocal, ...unsigned(place)],
    ...[...get(place), ...get(end), code.i32LessUnsigned, code.branchIf, 0],
    ...[code.end, code.end, code.end],
  ];
  const locals = list([
    [...unsigned(1), type.i32],
    [...unsigned(vectors), type.v128],
  ]);
  const parameters = [...new Array(arrays + 1).fill(type.i32), ...new Array(numbers).fill(type.f32)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, list([[0x60, ...sized(parameters), 0]])),
    ...section(2, list([[...named("host"), ...named("memory"), 0x02, 0x00, 0x00]])),
    ...section(3, list([[0]])),
    ...section(7, list([[...named("run"), 0x00, 0x00]])),
    ...section(10, list([sized([...locals, ...instructions])])),
  ]);
}
