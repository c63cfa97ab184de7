/** How many labels a setting trains with, and which samples they are. */
import { counted } from "../counted.js";
import type { Dataset } from "../data/dataset.js";
import { knownLabels } from "../data/sample-labels.js";
import { labelledSubset } from "../data/subset.js";
import { userError } from "../errors.js";
import { RandomStream } from "../random/stream.js";

/** An amount of labels, written as the user does: "300", "10/class", "5%" or "all". */
export type LabelAmount = string;

/** What labels are drawn from: class numbers, or numbers to predict or maps of classes where there are none. */
export type Labelled = Pick<Dataset, "count" | "labels">;

/** The same amount in one form, so that 5.0% is 5%, and 100% is all. @throws UserError where it is none of the forms */
export function parseLabelAmount(text: string): LabelAmount {
  const plain = text.trim();
  if (plain === "all" || /^[1-9]\d*(\/class)?$/.test(plain)) return plain;
  const [, whole, fraction = ""] = /^0*(\d+)(\.\d+)?%$/.exec(plain) ?? [];
  const percent = Number(`${whole}${fraction}`);
  if (percent === 100) return "all";
  if (percent > 0 && percent < 100) return `${whole}${fraction.replace(/\.?0*$/, "")}%`;
  throw userError({
    where: "labels",
    required: "a total such as 300, a number for each class such as 10/class, a share such as 10%, or all",
    got: `"${text}"`,
    advice: "Correct it; the column that holds the labels is named by --label-column.",
  });
}

/**
 * The samples of a labelled subset, drawn by seed. A total is spread over the classes as all the labels are, since that is
 * what a user who has no more labels would have; numbers per class are equal for all; a share is drawn from all alike,
 * and so is a total where the labels are numbers.
 *
 * @throws UserError if a class has too few samples, or there are no classes to draw from
 */
export function labelledSamples(data: Labelled, amount: LabelAmount, seed: number): Uint32Array {
  const labels = data.labels ?? new Int32Array(data.count);
  const known = knownLabels(labels);
  if (amount === "all") return known;
  if (amount.endsWith("%")) {
    const count = Math.max(1, Math.round((known.length * Number(amount.slice(0, -1))) / 100));
    const order = new RandomStream(seed, "labels/share").permutation(known.length);
    return Uint32Array.from({ length: count }, (_, place) => known[order[place]]);
  }
  const number = Number.parseInt(amount, 10);
  if (amount.endsWith("/class") && data.labels === undefined)
    throw userError({
      where: "labels",
      required: "a total such as 300, a share such as 10%, or all, since samples have no single class here",
      got: `"${amount}"`,
      advice: "There are no classes to draw from.",
    });
  if (amount.endsWith("/class")) return labelledSubset(labels, { perClass: number }, seed);
  if (number > known.length)
    throw userError({
      where: "labels",
      required: `at most the ${counted(known.length, "label")} that there are`,
      got: `${number}`,
      advice: "Ask for fewer labels, or for all.",
    });
  if (data.labels === undefined) return new RandomStream(seed, "labels/share").permutation(data.count).slice(0, number);
  return stratified(labels, known, number, seed);
}

/** So many samples, at least one of each class where the total allows, in which the classes keep their shares. */
function stratified(labels: Int32Array, known: Uint32Array, total: number, seed: number): Uint32Array {
  const ofClass = new Map<number, number[]>();
  for (const index of known) {
    const members = ofClass.get(labels[index]);
    if (members) members.push(index);
    else ofClass.set(labels[index], [index]);
  }
  const classes = [...ofClass].sort(([a], [b]) => a - b);
  const exact = classes.map(([, members]) => (total * members.length) / known.length);
  const counts = exact.map(Math.floor);
  // What rounding down left over goes to the largest remainders; of equal ones, by the seed.
  const tie = new RandomStream(seed, "labels/classes").permutation(classes.length);
  const order = [...counts.keys()].sort((a, b) => exact[b] - counts[b] - (exact[a] - counts[a]) || tie[a] - tie[b]);
  for (let place = 0; counts.reduce((sum, count) => sum + count, 0) < total; place++) counts[order[place]]++;
  for (const [place, count] of counts.entries()) {
    const largest = counts.indexOf(Math.max(...counts));
    if (count > 0 || counts[largest] < 2) continue;
    counts[place]++;
    counts[largest]--;
  }
  const chosen = classes.flatMap(([label, members], place) => {
    const drawn = new RandomStream(seed, "labels/samples", label).permutation(members.length);
    return Array.from(drawn.slice(0, counts[place]), (member) => members[member]);
  });
  return Uint32Array.from(new RandomStream(seed, "labels/order").permutation(chosen.length), (place) => chosen[place]);
}

/** How many of so many labels are not trained on but chosen by. */
export function heldBack(labels: number): number {
  return Math.max(1, Math.round(labels / 5));
}

/**
 * Splits a labelled subset for tuning: four fifths to train on, a fifth to choose by. The fifth has of each class as many as
 * its share is, rounded, so that a class of one or two samples is trained on.
 *
 * @param indices of the samples
 * @param labels of all samples; undefined where they are numbers
 */
export function tuningSplit(
  indices: Uint32Array,
  labels: Int32Array | undefined,
  seed: number,
): { train: Uint32Array; validation: Uint32Array } {
  const drawn = new RandomStream(seed, "labels/tuning").permutation(indices.length);
  const held = heldBack(indices.length);
  const order = labels ? byRankInClass(drawn, (place) => labels[indices[place]]) : drawn;
  const at = (places: ArrayLike<number>): Uint32Array => Uint32Array.from(places, (place) => indices[place]);
  return { train: at(order.slice(held)), validation: at(order.slice(0, held)) };
}

/** Samples in an order of which every beginning has the classes in their shares; those of equal places stay as they are. */
function byRankInClass(drawn: Uint32Array, labelOf: (place: number) => number): Uint32Array {
  const sizes = new Map<number, number>();
  for (const place of drawn) sizes.set(labelOf(place), (sizes.get(labelOf(place)) ?? 0) + 1);
  const seen = new Map<number, number>();
  const ranked = Array.from(drawn, (place) => {
    const label = labelOf(place);
    const before = seen.get(label) ?? 0;
    seen.set(label, before + 1);
    return { place, rank: (before + 0.5) / (sizes.get(label) ?? 1) };
  });
  return Uint32Array.from(
    ranked.sort((one, other) => one.rank - other.rank),
    ({ place }) => place,
  );
}
