import { userError } from "../errors.js";
import { RandomStream } from "../random/stream.js";
import type { Dataset } from "./dataset.js";
import { startHash } from "./sample-array.js";
import { pickLabels } from "./sample-labels.js";

/**
 * Draws samples so that every class is there equally often, as nearly as the total allows: the setting in which few
 * labels are known.
 *
 * @param labels class numbers; negative ones are passed over
 * @param size how many per class, or in total (classes drawn by the seed get one more where it does not divide)
 * @returns indices in random order
 * @throws UserError if a class has too few samples
 */
export function labelledSubset(
  labels: Int32Array,
  size: { readonly perClass: number } | { readonly total: number },
  seed: number,
): Uint32Array {
  const ofClass = new Map<number, number[]>();
  labels.forEach((label, index) => {
    if (label < 0) return;
    const members = ofClass.get(label);
    if (members === undefined) ofClass.set(label, [index]);
    else members.push(index);
  });
  const classes = [...ofClass.keys()].sort((a, b) => a - b);
  const total = "total" in size ? size.total : size.perClass * classes.length;
  const classOrder = new RandomStream(seed, "labels/classes").permutation(classes.length);
  const each = Math.floor(total / classes.length);
  const chosen: number[] = [];
  classes.forEach((label, position) => {
    const wanted = each + (classOrder[position] < total - each * classes.length ? 1 : 0);
    const members = ofClass.get(label)!;
    if (members.length < wanted) {
      throw userError({
        where: "labels",
        required: `${wanted} samples of class ${label}`,
        got: `${members.length}`,
        advice: "Ask for fewer labels",
      });
    }
    const order = new RandomStream(seed, "labels/samples", label).permutation(members.length);
    for (let drawn = 0; drawn < wanted; drawn++) chosen.push(members[order[drawn]]);
  });
  const order = new RandomStream(seed, "labels/order").permutation(chosen.length);
  return Uint32Array.from(order, (place) => chosen[place]);
}

/** A view of some of a data set's samples, in the order of the indices. */
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const kept = Uint32Array.from(indices);
  for (const index of kept) {
    if (index >= dataset.count) throw new RangeError(`sample ${index} of ${dataset.count}`);
  }
  // Neighbours in a subset need not be neighbours in the whole: blocks do not hold for it.
  const { blocks: _, prepare, ...whole } = dataset;
  const original = (wanted: ArrayLike<number>) => Uint32Array.from(wanted, (index) => kept[index]);
  return {
    ...whole,
    count: kept.length,
    ...pickLabels(dataset, kept),
    record: { ...dataset.record, count: kept.length, subsetOf: dataset.hash },
    hash: startHash("subset", dataset.hash, [...kept]).digest("hex"),
    read: (wanted, target) => dataset.read(original(wanted), target),
    ...(prepare === undefined
      ? {}
      : { prepare: (wanted: ArrayLike<number>) => prepare.call(dataset, original(wanted)) }),
  };
}
