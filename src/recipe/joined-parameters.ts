/**
 * Small parameters side by side in one vector. An optimiser's dozen operators cost as much for a bias as the runtime
 * needs to start them; joined, they are started once for all biases.
 */
import type { Value } from "../graph/builder.js";
import { sizeOf } from "../graph/tensor.js";
import type { Emitter } from "../ops/emitter.js";

/** Elements up to which copying a parameter costs less than treating it by itself. */
const largestSmall = 8192;

/**
 * Groups of parameters to be joined: the small ones of each owner together, each of the others alone.
 *
 * @param largest elements up to which a parameter is small
 */
export function smallTogether<Member extends { readonly value: Value; readonly owner: string }>(
  members: readonly Member[],
  largest = largestSmall,
): Member[][] {
  const groups: Member[][] = [];
  const small = new Map<string, Member[]>();
  for (const member of members) {
    const group = small.get(member.owner);
    const isSmall = sizeOf(member.value.shape) <= largest;
    if (isSmall && group) group.push(member);
    else groups.push([member]);
    if (isSmall && !group) small.set(member.owner, groups[groups.length - 1]);
  }
  return groups;
}

/** All elements in one vector; a single value stays as it is. */
export function joined(emit: Emitter, values: readonly Value[]): Value {
  if (values.length === 1) return values[0];
  return emit.concat(
    values.map((value) => emit.reshape(value, [sizeOf(value.shape)])),
    0,
  );
}

/** What was joined, by these shapes. */
export function parted(emit: Emitter, value: Value, shapes: readonly (readonly number[])[]): readonly Value[] {
  if (shapes.length === 1) return [value];
  const parts = emit.node("Split", [value, emit.ints(shapes.map(sizeOf))], {}, shapes.length);
  return parts.map((part, index) => emit.reshape(part, shapes[index]));
}
