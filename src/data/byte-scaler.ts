import { code, compileFunction, i32Constant, unsigned, valueType, workingMemory } from "../webassembly.js";
import type { ChannelOrder } from "./channel-statistics.js";
import type { Normalisation } from "./normalisation.js";

/** Scales the bytes of one sample: those from `from` on in `data` go to the places from `to` on in `target`. */
export type ByteScaler = (data: Uint8Array, from: number, target: Float32Array, to: number) => void;

/** Values that are handled at one turn of the loop. */
const perTurn = 16;
/** Most bytes that are handled at once: the table, they and their floats then stay in the processor's nearest cache. */
const perPiece = 8192;
/** With more channels the tables do not stay there. */
const mostChannels = 64;
const bytesOfFloat = 4;
const bytesOfTable = 256 * bytesOfFloat;

/**
 * Makes the loop that brings samples of bytes to scale. There are 256 results a channel, so they are looked up: in
 * WebAssembly, where that takes a fifth of the time of multiplying in JavaScript, or of looking up there (docs/log.md).
 *
 * @param size values of one sample
 * @returns undefined where a loop over the values is as good, or the engine has no WebAssembly
 */
export function byteScaler(
  { scale, offset }: Normalisation,
  { channels, inner }: ChannelOrder,
  size: number,
): ByteScaler | undefined {
  if (channels > mostChannels || size / channels < perTurn) return undefined;
  // Channels that lie between each other are gone through one by one.
  const step = inner === 1 ? channels : 1;
  const piece = Math.min(size, Math.floor(perPiece / step) * step);
  // A turn goes on behind the end of a run.
  const overhang = perTurn * step;
  const outputAt = Math.ceil((piece + overhang) / bytesOfFloat) * bytesOfFloat;
  const tablesAt = outputAt + (piece + overhang) * bytesOfFloat;
  const memory = workingMemory(tablesAt + channels * bytesOfTable);
  const run = memory && compileFunction(memory, lookUp(step));
  if (!run) return undefined;
  const input = new Uint8Array(memory.buffer, 0, piece);
  const output = new Float32Array(memory.buffer, outputAt, piece);
  const tables = new Float32Array(memory.buffer, tablesAt, channels * 256);
  for (let at = 0; at < tables.length; at++) {
    const channel = Math.floor(at / 256);
    tables[at] = (at % 256) * scale[channel] + offset[channel];
  }
  const lookUpRun = (first: number, end: number, channel: number) =>
    run(first, outputAt + first * bytesOfFloat, outputAt + end * bytesOfFloat, tablesAt + channel * bytesOfTable);
  return (data, from, target, to) => {
    for (let start = 0; start < size; start += piece) {
      const count = Math.min(piece, size - start);
      input.set(data.subarray(from + start, from + start + count));
      if (inner === 1) {
        for (let channel = 0; channel < channels; channel++) lookUpRun(channel, count, channel);
      } else {
        // What a run's last turn writes behind its end is overwritten by the next run.
        for (let at = 0; at < count; ) {
          const row = Math.floor((start + at) / inner);
          const end = Math.min(count, (row + 1) * inner - start);
          lookUpRun(at, end, row % channels);
          at = end;
        }
      }
      target.set(count === piece ? output : output.subarray(0, count), to + start);
    }
  };
}

/** `do { to[k·step] = table[from[k·step]] for k < perTurn; advance both } while (to < end)`, see {@link perTurn}. */
function lookUp(step: number): Parameters<typeof compileFunction>[1] {
  const [from, to, end, table] = [0, 1, 2, 3];
  const get = (local: number) => [code.getLocal, local];
  const advance = (local: number, bytes: number) => [
    ...[...get(local), ...i32Constant(bytes), code.i32Add, code.setLocal, local],
  ];
  const one = (place: number) => [
    ...get(to),
    ...[...get(from), code.i32LoadByte, 0, ...unsigned(place)],
    ...[...i32Constant(2), code.i32ShiftLeft, ...get(table), code.i32Add, code.f32Load, 2, 0],
    ...[code.f32Store, 2, ...unsigned(place * bytesOfFloat)],
  ];
  return {
    parameters: [valueType.i32, valueType.i32, valueType.i32, valueType.i32],
    locals: [],
    instructions: [
      ...[code.loop, code.noType],
      ...Array.from({ length: perTurn }, (_, turn) => one(turn * step)).flat(),
      ...advance(from, perTurn * step),
      ...advance(to, perTurn * step * bytesOfFloat),
      ...[...get(to), ...get(end), code.i32LessUnsigned, code.branchIf, 0],
      code.end,
    ],
  };
}
