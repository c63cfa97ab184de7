import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { byCodeUnit } from "./classes.js";
import { checkInterrupted, unreadable } from "./read-bytes.js";

const shardName = /\.(parquet|arrow|feather|tar|tgz|tar\.gz)$/i;
const trainingPart = /(^|[/_.-])train(ing)?([/_.-]|$)/i;
const otherPart = /(^|[/_.-])(test|testing|val|valid|validation|dev|eval)([/_.-]|$)/i;

/**
 * The shards in a folder and its subfolders, of the kind of which there are most; where names say which are for
 * training and which for testing, those for training. Links are not followed.
 *
 * @returns undefined if there are none
 */
export async function chooseShards(folder: string, signal?: AbortSignal): Promise<string[] | undefined> {
  const names: string[] = [];
  const visit = async (relative: string): Promise<void> => {
    checkInterrupted(signal);
    const path = join(folder, relative);
    const entries = await readdir(path, { withFileTypes: true }).catch((error) => {
      throw unreadable(path, error);
    });
    for (const entry of entries) {
      const inside = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (entry.name.startsWith(".")) continue;
      if (entry.isDirectory()) await visit(inside);
      else if (entry.isFile() && shardName.test(entry.name)) names.push(inside);
    }
  };
  await visit("");
  return choosePart(names)?.map((name) => join(folder, name));
}

/** Of shards' names those of one kind, and for training if the names tell; in their order. */
export function choosePart(names: readonly string[]): string[] | undefined {
  const shards = names.filter((name) => shardName.test(name));
  if (shards.length === 0) return undefined;
  const kinds = new Map<string, string[]>();
  for (const name of shards) {
    const kind = /tar|tgz/i.test(shardName.exec(name)![1]) ? "tar" : shardName.exec(name)![1].toLowerCase();
    kinds.set(kind, [...(kinds.get(kind) ?? []), name]);
  }
  const most = [...kinds.values()].reduce((a, b) => (b.length > a.length ? b : a)).sort(byCodeUnit);
  return trainingOnly(most);
}

/** Of names of which some say that they are for training and others for testing those for training, else all. */
export function trainingOnly(names: readonly string[]): string[] {
  const training = names.filter((name) => trainingPart.test(name));
  return training.length > 0 && names.some((name) => otherPart.test(name)) ? training : [...names];
}
