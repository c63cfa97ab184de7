/**
 * The phases of a transposed convolution in blocks, interleaved: place u = s j + ρ of an axis is place j of phase ρ.
 * What was interleaved is remembered, so that sums of two such values are made phase by phase: a shortcut's convolution
 * of one element and stride 2 fills one phase of four, and need not become a value of zeros nearly everywhere.
 */
import type { Value } from "../graph/builder.js";
import { sizeOf } from "../graph/tensor.js";
import type { Emitter } from "../ops/emitter.js";
import { sameShape } from "../ops/emitter.js";
import { mostMovedBlocks, rowsAt } from "./blocked-layout.js";

/** By rows, then by columns; [N, C, H, W] in blocks, all of one shape. A phase that is missing is zeros. */
export type Phases = readonly (readonly (Value | undefined)[])[];

const known = new WeakMap<Value, Phases>();

/** @returns [N, C, rows · H, columns · W] in blocks; undefined where all phases are missing */
export function interleavePhases(emit: Emitter, phases: Phases, block: number): Value | undefined {
  const first = phases.flat().find((phase) => phase !== undefined);
  if (!first) return undefined;
  const [batch, channels, height, width] = first.shape;
  const shape = [batch, channels, height * phases.length, width * phases[0].length];
  const isOneMove = phases.length > 1 && phases[0].length > 1 && sizeOf(shape) / block <= mostMovedBlocks;
  const together = isOneMove ? blocksMoved(emit, phases, first.shape, block) : joined(emit, phases, first.shape, block);
  const found = together && emit.reshape(together, shape);
  if (found) known.set(found, phases);
  return found;
}

/** Phases one after another, and behind them a block of zeros for those that are missing; blocks are taken from there. */
function blocksMoved(
  emit: Emitter,
  phases: Phases,
  [batch, channels, height, width]: readonly number[],
  block: number,
): Value {
  const lines = (batch * channels) / block;
  const blocks = lines * height * width;
  const present = phases.flat().filter((phase) => phase !== undefined);
  const order = phases.map((row) => row.map((phase) => (phase ? present.indexOf(phase) : undefined)));
  const parts = present.map((phase) => emit.reshape(phase, [blocks, block]));
  if (present.length < phases.flat().length) parts.push(emit.filled(0, [1, block]));
  const key = `phases ${JSON.stringify(order)} ${[lines, height, width, present.length]}`;
  return rowsAt(emit, emit.concat(parts, 0), key, () => {
    const places: number[] = [];
    for (let line = 0; line < lines; line++)
      for (let row = 0; row < height * phases.length; row++)
        for (let column = 0; column < width * phases[0].length; column++) {
          const phase = order[row % phases.length][column % phases[0].length];
          const above = line * height + Math.floor(row / phases.length);
          const place = above * width + Math.floor(column / phases[0].length);
          places.push(phase === undefined ? present.length * blocks : phase * blocks + place);
        }
    return places;
  });
}

/** Columns side by side, then rows one below the other. */
function joined(
  emit: Emitter,
  phases: Phases,
  [batch, channels, height, width]: readonly number[],
  block: number,
): Value | undefined {
  const lines = (batch * channels * height) / block;
  const wide = width * phases[0].length * block;
  const rows = phases.map((row) =>
    sideBySide(
      emit,
      row.map((part) => part && emit.reshape(part, [lines, width, block])),
    ),
  );
  return sideBySide(
    emit,
    rows.map((row) => row && emit.reshape(row, [lines, wide])),
  );
}

/** The phases of two interleaved values side by side; undefined where they are not interleaved alike. */
export function phasesOfBoth(a: Value, b: Value): (readonly [Value | undefined, Value | undefined])[][] | undefined {
  const [first, second] = [known.get(a), known.get(b)];
  if (!first || !second || first.length !== second.length || !sameShape(a.shape, b.shape)) return undefined;
  if (first[0].length !== second[0].length) return undefined;
  return first.map((row, above) => row.map((phase, beside) => [phase, second[above][beside]] as const));
}

/** Joins values of one shape along their last axis; zeros stand for those that are missing at the begin or the end. */
function sideBySide(emit: Emitter, parts: readonly (Value | undefined)[]): Value | undefined {
  const first = parts.findIndex((part) => part !== undefined);
  const found = parts.filter((part) => part !== undefined);
  if (first < 0) return undefined;
  const axis = found[0].shape.length - 1;
  const size = found[0].shape[axis];
  if (parts.slice(first, first + found.length).some((part) => part === undefined))
    return emit.concat(
      parts.map((part) => part ?? emit.filled(0, found[0].shape)),
      axis,
    );
  const pads = new Array(2 * axis + 2).fill(0);
  pads[axis] = first * size;
  pads[2 * axis + 1] = (parts.length - first - found.length) * size;
  return emit.pad(emit.concat(found, axis), pads);
}
