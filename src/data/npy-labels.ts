import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** What a file of labels is called where the samples' file has this word in its name. */
const labelWords: Readonly<Record<string, readonly string[]>> = {
  x: ["y"],
  X: ["y", "Y"],
  images: ["labels", "label"],
  data: ["labels", "targets", "target"],
  samples: ["labels", "targets"],
  features: ["labels", "targets"],
  inputs: ["targets", "labels"],
};

/** The NPY file of labels beside one of samples, such as y_train.npy beside X_train.npy; undefined if there is none. */
export async function findNpyLabels(path: string): Promise<string | undefined> {
  const name = basename(path);
  if (!name.endsWith(".npy")) return undefined;
  const candidates = [...name.matchAll(/(?<=^|[_.-])(\w*?)(?=[_.-])/g)].flatMap(({ 0: word, index }) =>
    (labelWords[word] ?? []).map((label) => name.slice(0, index) + label + name.slice(index + word.length)),
  );
  if (candidates.length === 0) return undefined;
  const names = new Set(await readdir(dirname(path)).catch((): string[] => []));
  const found = candidates.find((candidate) => names.has(candidate));
  return found === undefined ? undefined : join(dirname(path), found);
}
