/**
 * Functions in WebAssembly, written instruction by instruction, over a memory that is a JavaScript buffer too: for inner
 * loops that JavaScript's own compiler makes slow ones of.
 *
 * WebAssembly's binary format: https://webassembly.github.io/spec/core/binary/
 */

/** WebAssembly's memory. */
export interface WorkingMemory {
  readonly buffer: ArrayBuffer;
}

/** A function's parameters and further locals by type, and what it does. It gives nothing back. */
export interface FunctionText {
  readonly parameters: readonly number[];
  readonly locals: readonly { readonly count: number; readonly type: number }[];
  readonly instructions: readonly number[];
}

/** What is used of the global that every engine has; without the DOM's types TypeScript does not know it. */
interface Engine {
  Memory: new (size: { initial: number; maximum: number }) => WorkingMemory;
  validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  Instance: new (
    module: object,
    imports: Record<string, Record<string, object>>,
  ) => { exports: Record<string, (...numbers: number[]) => void> };
}

const { WebAssembly: engine } = globalThis as unknown as { WebAssembly?: Engine };

const pageBytes = 65536;
/** What 32-bit addresses reach. */
const mostPages = 65536;

/** Memory of at least so many bytes, all zeros. @returns undefined where the machine has not that much */
export function workingMemory(bytes: number): WorkingMemory | undefined {
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
 * Compiles a function.
 *
 * @param memory where it loads and stores
 * @returns undefined where the processor or the engine does not have its instructions
 */
export function compileFunction(
  memory: WorkingMemory,
  text: FunctionText,
): ((...numbers: number[]) => void) | undefined {
  const bytes = moduleBytes(text);
  if (!engine?.validate(bytes)) return undefined;
  const { exports } = new engine.Instance(new engine.Module(bytes), { host: { memory } });
  return exports.run;
}

/** The binary format's bytes for types of values. */
export const valueType = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;

/** The binary format's bytes for the instructions that are used here. */
export const code = {
  block: 0x02,
  loop: 0x03,
  end: 0x0b,
  branchIf: 0x0d,
  getLocal: 0x20,
  setLocal: 0x21,
  f32Load: 0x2a,
  i32LoadByte: 0x2d,
  f32Store: 0x38,
  i32Constant: 0x41,
  f32Constant: 0x43,
  i32IsZero: 0x45,
  i32LessUnsigned: 0x49,
  i32Add: 0x6a,
  i32ShiftLeft: 0x74,
  noType: 0x40,
} as const;

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Puts an i32 that is not negative on the stack. Its LEB128 is signed: a highest bit that is set would make it negative. */
export function i32Constant(value: number): number[] {
  const bytes = unsigned(value);
  const last = bytes[bytes.length - 1];
  return [code.i32Constant, ...(last & 0x40 ? [...bytes.slice(0, -1), last | 0x80, 0] : bytes)];
}

/** Puts a float32 on the stack; low bytes first. */
export function f32Constant(value: number): number[] {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setFloat32(0, value, true);
  return [code.f32Constant, ...Array.from({ length: 4 }, (_, index) => bytes.getUint8(index))];
}

const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes];
const list = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];
const named = (name: string): number[] => sized(Array.from(name, (letter) => letter.charCodeAt(0)));
const section = (id: number, bytes: readonly number[]): number[] => [id, ...sized(bytes)];

function moduleBytes({ parameters, locals, instructions }: FunctionText): Uint8Array<ArrayBuffer> {
  const declared = list(locals.map(({ count, type }) => [...unsigned(count), type]));
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, list([[0x60, ...sized(parameters), 0]])),
    ...section(2, list([[...named("host"), ...named("memory"), 0x02, 0x00, 0x00]])),
    ...section(3, list([[0]])),
    ...section(7, list([[...named("run"), 0x00, 0x00]])),
    ...section(10, list([sized([...declared, ...instructions, code.end])])),
  ]);
}
