/** What the tests of Keras' layers share: files that Keras has written, and what becomes of them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { floatTensor } from "../../src/graph/tensor.js";
import { readModelFile } from "../../src/library/read-model-file.js";

/** The path of a fixture. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

/**
 * Writes a fixture with other elements for some of its weights, reads that, and requires those and no others.
 *
 * @param folder where it is written
 * @param isChanged by the weights' names
 * @returns its path, and how many weights are others
 */
export async function writtenWithOthers(
  file: string,
  folder: string,
  isChanged: (name: string) => boolean,
): Promise<{ path: string; count: number }> {
  const { model } = await readModelFile(fixture(file));
  const replacements = new Map(
    [...model.graph.initializers]
      .filter(([name]) => isChanged(name))
      .map(([name, { shape, data }]) => [
        name,
        floatTensor(
          Array.from(data as Float32Array, (number, index) => number / 2 + index / 64),
          shape,
        ),
      ]),
  );
  const [[name, bytes]] = await model.write(replacements);
  const path = join(folder, `${file}-${name}`);
  writeFileSync(path, bytes);
  const again = await readModelFile(path);
  for (const [each, tensor] of model.graph.initializers)
    expect(again.model.graph.initializers.get(each)).toEqual(replacements.get(each) ?? tensor);
  return { path, count: replacements.size };
}
