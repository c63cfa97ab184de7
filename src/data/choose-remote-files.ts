import picomatch from "picomatch";
import { isDynamicPattern } from "tinyglobby";
import { byCodeUnit } from "./classes.js";
import { isHidden, looksLikePicture } from "./picture-folder.js";
import { choosePart, trainingOnly } from "./shards.js";

const tableOrArray = /\.(csv|tsv|csv\.gz|tsv\.gz|npy|npz|safetensors)$/i;

/**
 * Which of the files of a place far away are the data that is asked for: the one of that name; those that a pattern
 * fits; or of those below a folder the shards (Parquet, Arrow, tar), the pictures, or the tables and arrays, where names
 * tell training and testing apart those for training. What is hidden is left out, as in a folder of this machine.
 *
 * @param names all that there are, with "/" between their parts
 * @param path a name, a pattern, a folder, or nothing for the whole place
 * @returns in the order of their names; undefined if there is nothing of the kind
 */
export function chooseRemoteFiles(names: readonly string[], path: string): string[] | undefined {
  if (names.includes(path)) return [path];
  if (isDynamicPattern(path)) {
    const fits = picomatch(path, { windows: false, posix: true });
    return someOf(names.filter((name) => fits(name)));
  }
  const folder = path === "" || path.endsWith("/") ? path : `${path}/`;
  const below = names.filter((name) => name.startsWith(folder) && !name.slice(folder.length).split("/").some(isHidden));
  return (
    choosePart(below) ??
    someOf(trainingOnly(below.filter(looksLikePicture))) ??
    someOf(trainingOnly(below.filter((name) => tableOrArray.test(name))))
  );
}

function someOf(names: readonly string[]): string[] | undefined {
  return names.length === 0 ? undefined : [...names].sort(byCodeUnit);
}
