import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { activationOperations, activations } from "../src/formats/keras-activations.js";
import { attentionConverters } from "../src/formats/keras-attention.js";
import { layerConverters } from "../src/formats/keras-layers.js";
import { snakeCase } from "../src/formats/keras-model.js";
import { operationConverters } from "../src/formats/keras-operations.js";

/** The list of docs/python.md. */
function listed(): string {
  const page = readFileSync(new URL("../docs/python.md", import.meta.url), "utf8");
  return /these layers, channels last.*?\n\n(.*?)\n\n/s.exec(page)?.[1] ?? "";
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

test("docs/python.md names the functions of Keras that are read, and no others", () => {
  const list = /the functions (.*?) of keras\.ops/s.exec(listed())?.[1] ?? "";
  const named = [...list.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  const read = Object.keys(operationConverters).filter((name) => !Object.hasOwn(activationOperations, name));
  expect(named.sort()).toEqual(read.map(snakeCase).sort());
});
