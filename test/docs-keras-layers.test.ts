import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { attentionConverters } from "../src/formats/keras-attention.js";
import { layerConverters } from "../src/formats/keras-layers.js";

test("docs/python.md names the layers of Keras that are read, and no others", () => {
  const page = readFileSync(new URL("../docs/python.md", import.meta.url), "utf8");
  const list = /these layers \(channels last\).*?\n\n(.*?)\n\n/s.exec(page)?.[1] ?? "";
  const named = [...list.matchAll(/\b[A-Z]\w+/g)].map(([name]) => name);
  const read = ["TimeDistributed", ...Object.keys(layerConverters), ...Object.keys(attentionConverters)];
  expect([...new Set(named)].sort()).toEqual(read.sort());
});
