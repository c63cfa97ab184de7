import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { activations } from "../src/formats/keras-activations.js";
import { attentionConverters } from "../src/formats/keras-attention.js";
import { layerConverters } from "../src/formats/keras-layers.js";

/** The list of docs/python.md. */
function listed(): string {
  const page = readFileSync(new URL("../docs/python.md", import.meta.url), "utf8");
  return /these layers \(channels last\).*?\n\n(.*?)\n\n/s.exec(page)?.[1] ?? "";
}

test("docs/python.md names the layers of Keras that are read, and no others", () => {
  const named = [...listed().matchAll(/\b[A-Z]\w+/g)].map(([name]) => name);
  const read = ["TimeDistributed", ...Object.keys(layerConverters), ...Object.keys(attentionConverters)];
  expect([...new Set(named)].sort()).toEqual(read.sort());
});

test("docs/python.md names the activations of Keras that are read, and no others", () => {
  const list = /the activations (.*?), by name/s.exec(listed())?.[1] ?? "";
  const named = [...list.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  expect(named.sort()).toEqual(Object.keys(activations).sort());
});
